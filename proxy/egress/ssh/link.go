package ssh

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	gossh "golang.org/x/crypto/ssh"
)

// A link is an open connection with its channels.
type link struct {
	client *gossh.Client
	below  []io.Closer // connections to jump hosts, outermost first
	every  time.Duration
	now    chan struct{} // a probe is wanted at once
	dead   chan struct{} // closed when the connection is gone
	once   sync.Once

	mu       sync.Mutex
	channels int
	used     time.Time // when the last channel was opened or closed
	retired  bool      // no new channels
}

func newLink(client *gossh.Client, below []io.Closer, every time.Duration) *link {
	l := &link{client: client, below: below, every: probeEvery, now: make(chan struct{}, 1), dead: make(chan struct{}), used: time.Now()}
	if every > 0 {
		l.every = min(every, probeEvery)
	}
	go func() {
		_ = client.Wait()
		closeAll(below)
		close(l.dead)
	}()
	return l
}

// take reports whether the link can have another channel.
func (l *link) take() bool {
	select {
	case <-l.dead:
		return false
	default:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.retired {
		l.used = time.Now()
	}
	return !l.retired
}

// watch probes the link now and then until it is dead, and lets it die when it
// does not answer or nobody needs it.
func (l *link) watch() {
	tick := time.NewTicker(l.every)
	defer tick.Stop()
	for {
		limit := probeTimeout
		select {
		case <-l.dead:
			return
		case <-tick.C:
		case <-l.now:
			limit /= 2
		}
		l.mu.Lock()
		idle := l.channels == 0 && time.Since(l.used) > idleFor
		l.mu.Unlock()
		if idle || !l.lives(limit) {
			l.close()
		}
	}
}

// lives asks the server for an answer, of whatever kind (as OpenSSH does).
func (l *link) lives(limit time.Duration) bool {
	answer := make(chan error, 1)
	go func() {
		_, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil)
		answer <- err
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-answer:
		return err == nil
	case <-l.dead:
	case <-timer.C:
	}
	return false
}

// hurry has the link probed at once.
func (l *link) hurry() {
	select {
	case l.now <- struct{}{}:
	default:
	}
}

func (l *link) close() { l.once.Do(func() { _ = l.client.Close() }) }

// retire closes the link once its last channel is closed.
func (l *link) retire() {
	l.mu.Lock()
	l.retired = true
	empty := l.channels == 0
	l.mu.Unlock()
	if empty {
		l.close()
	}
}

func (l *link) enter() {
	l.mu.Lock()
	l.channels++
	l.mu.Unlock()
}

func (l *link) leave() {
	l.mu.Lock()
	l.channels--
	l.used = time.Now()
	last := l.retired && l.channels == 0
	l.mu.Unlock()
	if last {
		l.close()
	}
}

// errBroke is why a channel ends that its far side has not ended.
var errBroke = errors.New("the ssh connection broke")

// dial opens a channel to addr.
func (l *link) dial(ctx context.Context, addr string) (net.Conn, error) {
	l.enter()
	timer := time.AfterFunc(openPatience, l.hurry)
	defer timer.Stop()
	c, err := l.client.DialContext(ctx, "tcp", addr)
	if err != nil {
		l.leave()
		return nil, err
	}
	// The library ends a channel in the same way whether its far side has ended or
	// the whole connection has gone; only the former is an end.
	ended := func() error {
		if !l.lives(probeTimeout) {
			return errBroke
		}
		return io.EOF
	}
	return newStream(c, addr, ended, l.leave), nil
}
