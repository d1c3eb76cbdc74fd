// Package share lends this machine's Pulley to an engine elsewhere: a port of that machine's loopback leads here through
// ssh for as long as somebody wants it, over broken links and sleep, and in the end nothing of it is left there. The port is
// a registry mirror that can be read, and none of the other things that Pulley's port is for this machine.
//
// It must not know the daemon, contexts or how engines are wired: it is told an address, and whom to call when the port is
// there.
package share

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"pulley/internal/cause"
	"pulley/internal/docker/machine"
)

// Kinds of events.
const (
	Up       = "up"       // the port is open there
	Down     = "down"     // the link has broken
	Retry    = "retry"    // it cannot be made again yet
	Wired    = "wired"    // the engine's settings lead to the port
	Unwired  = "unwired"  // and are as they were
	Finished = "finished" // nothing is left there
)

// Event is something that happened.
type Event struct {
	Time    time.Time `json:"time"`
	Event   string    `json:"event"`
	Context string    `json:"context"`
	Port    int       `json:"port,omitempty"` // on the far machine's loopback
	To      string    `json:"to,omitempty"`   // this machine's Pulley
	Error   string    `json:"error,omitempty"`
	Cause   string    `json:"cause,omitempty"` // the kind of that, one of cause.Kinds
	// Proved says that this Pulley answered at the port when it was asked there. Some sshds let nobody try that.
	Proved bool          `json:"proved,omitempty"`
	Retry  time.Duration `json:"retry_ns,omitempty"` // until the next attempt
}

// Options of a share.
type Options struct {
	SSH  machine.SSHOptions // Name is the context's
	Port int                // there; 0 has that machine choose one
	To   string             // host:port of the Pulley here
	Say  func(Event)        // never called from two goroutines at once
	// Memory is a file of this share, by which there is one at a time and the next one ends what one that was killed has
	// left on the machine. "": there is none.
	Memory string

	// Wire has the engine there use reach ("127.0.0.1:PORT"), Unwire takes that back. Both nil: the engine's settings are
	// left alone. Wire is called once, when the port is there.
	Wire   func(ctx context.Context, m machine.Machine, reach string) error
	Unwire func(ctx context.Context, m machine.Machine) error
}

// Times.
const (
	connectTimeout = 45 * time.Second
	firstPause     = time.Second // after a link has broken
	longestPause   = 30 * time.Second
	endTimeout     = time.Minute // to take everything back
	breakTime      = time.Second // in which a link whose commands fail is seen to have broken
)

// Run shares until ctx is done, and returns nil then, if everything could be taken back. An error before the port was there
// for the first time ends it; after that broken links are made anew. Another Run with the same Memory is waited for while it
// ends, and is an error while it goes on.
func Run(ctx context.Context, o Options) (err error) {
	m, err := remember(ctx, o.SSH.Name, o.Memory)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil
	case err != nil:
		return err
	}
	s := &sharing{Options: o, memory: m, old: m.read().Far}
	defer func() { err = errors.Join(err, m.close(s.was)) }()
	d, err := openDoor(ctx, o.To)
	if err != nil {
		return fmt.Errorf("%s: no port here for ssh: %w", o.SSH.Name, err)
	}
	defer d.close()
	s.door = d.addr()
	err = s.run(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		err = nil
	}
	if undo := s.undo(ctx); undo != nil {
		return errors.Join(err, undo)
	}
	if s.was && err == nil {
		s.say(Event{Event: Finished})
	}
	return err
}

// sharing is one run.
type sharing struct {
	Options
	memory *memory

	door  string       // host:port of what ssh leads to
	link  *machine.SSH // nil: there is none
	old   machine.End  // of the one before, be it another process's; "": there was none
	was   bool         // there was one
	wired bool         // or half so
}

func (s *sharing) say(e Event) {
	e.Time, e.Context, e.Port, e.To = time.Now(), s.SSH.Name, s.Port, s.To
	s.Say(e)
}

func (s *sharing) run(ctx context.Context) error {
	pause := firstPause
	for {
		err := s.connect(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && !s.was:
			return err
		case err != nil:
			s.say(Event{Event: Retry, Error: err.Error(), Cause: cause.Of(err), Retry: pause})
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(pause):
			}
			pause = min(2*pause, longestPause)
			continue
		}
		pause = firstPause
		proved, why := s.prove(ctx)
		s.say(Event{Event: Up, Proved: proved, Error: why})
		if err := s.wire(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.link.Done():
			broke := s.link.Err()
			s.say(Event{Event: Down, Error: broke.Error(), Cause: cause.Of(broke)})
			_ = s.link.Close()
			s.link = nil
		}
	}
}

// connect makes the link, at the port that it had before. sshd there may not have noticed that the one before has broken,
// and hold on to its port: then that one is ended.
func (s *sharing) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	o := s.SSH
	o.Reverse = &machine.Reverse{Port: s.Port, To: s.door}
	link, err := machine.ConnectSSH(ctx, o)
	var taken *machine.PortError
	if errors.As(err, &taken) && !taken.Free && s.old != "" {
		plain, failed := machine.ConnectSSH(ctx, s.SSH)
		if failed != nil {
			return failed
		}
		plain.EndOld(ctx, s.old)
		_ = plain.Close()
		link, err = machine.ConnectSSH(ctx, o)
	}
	if err != nil {
		return err
	}
	if !s.was {
		link.EndOld(ctx, s.old) // it may have another port
	}
	if err := s.memory.write(left{Far: link.FarEnd()}); err != nil {
		_ = link.Close()
		return fmt.Errorf("%s: the share cannot be remembered: %w", s.SSH.Name, err)
	}
	s.link, s.Port, s.old, s.was = link, link.Port(), link.FarEnd(), true
	return nil
}

// prove asks for this Pulley at the port there.
func (s *sharing) prove(ctx context.Context) (ok bool, why string) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	reach := s.reach()
	c, err := s.link.Dial(ctx, "tcp", reach)
	if err != nil {
		return false, ""
	}
	defer func() { _ = c.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+reach+"/healthz", nil)
	if err != nil {
		return false, err.Error()
	}
	req.Close = true
	if err := req.Write(c); err != nil {
		return false, ""
	}
	res, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		return false, fmt.Sprintf("nobody answers at the port yet: %v", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return false, "what answers at the port is not in order: " + res.Status
	}
	return true, ""
}

func (s *sharing) reach() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

func (s *sharing) wire(ctx context.Context) error {
	if s.Wire == nil || s.wired {
		return nil
	}
	s.wired = true
	if err := s.Wire(ctx, s.link, s.reach()); err != nil {
		return err
	}
	s.say(Event{Event: Wired})
	return nil
}

// undo takes everything back. ctx may be done.
func (s *sharing) undo(ctx context.Context) error {
	defer func() {
		if s.link != nil {
			_ = s.link.Close()
		}
	}()
	if s.was {
		_ = s.memory.write(left{Far: s.old, Ending: true}) // else the next one does not wait as long
	}
	if !s.wired {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if err := s.unwire(ctx); err != nil {
		return err
	}
	s.say(Event{Event: Unwired})
	return nil
}

// unwire says what is left to be done where the machine is away, be it only now.
func (s *sharing) unwire(ctx context.Context) (err error) {
	if s.link == nil {
		if s.link, err = machine.ConnectSSH(ctx, s.SSH); err != nil {
			return s.stillWired(err)
		}
	}
	if err := s.Unwire(ctx, s.link); err != nil {
		select {
		case <-s.link.Done():
			return s.stillWired(err)
		case <-time.After(breakTime):
			return err
		}
	}
	return nil
}

func (s *sharing) stillWired(err error) error {
	return fmt.Errorf("its engine still looks for this Pulley first, and goes on without it; take that back once the machine is there: pulley disconnect --context %s: %w", s.SSH.Name, err)
}
