package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// Keeper runs a daemon for managers that do not restart what fails, such as SysV init, and for those that cannot replace it
// while it runs. The daemon is one that takes over from one that runs already (`pulley up --take-over`), and says on a line
// that starts with "ready " that it serves.
type Keeper struct {
	Program string
	Args    []string
	Environ []string  // nil is ours
	Output  io.Writer // what daemons print; written to from several goroutines, one at a time
	Pause   time.Duration
	Grace   time.Duration // how long a daemon that was asked to end may take
}

// Times of a Keeper that has none: a daemon that fails is started again after firstPause, twice that the next time, and
// longestPause at the most; one that had run for a while begins anew.
const (
	firstPause   = time.Second
	longestPause = 10 * time.Second
	aWhile       = time.Minute
	grace        = 75 * time.Second // transfers are finished: below what units give the keeper
)

// wrongUsage is the exit status of a program that cannot be run like this; trying again does not help.
const wrongUsage = 2

// kept is a daemon of a Keeper.
type kept struct {
	cmd   *exec.Cmd
	began time.Time
	ready chan struct{} // closed when it serves
	done  chan struct{} // closed when it has ended
	err   error         // how; valid after done
}

// Keep runs daemons until ctx ends, or one ends in order by itself. For each value from renew a new one is started, which
// takes over: if it fails before it is ready, the old one stays.
func (k *Keeper) Keep(ctx context.Context, renew <-chan os.Signal) error {
	output := &oneAtATime{to: k.Output}
	pause := k.first()
	current, err := k.start(output)
	if err != nil {
		return err
	}
	var next *kept
	var past []*kept // finish what they had accepted
	for {
		var ready, failed <-chan struct{}
		if next != nil {
			ready, failed = next.ready, next.done
		}
		select {
		case <-ctx.Done():
			k.end(append(past, current, next))
			return nil
		case <-renew:
			if next == nil {
				if next, err = k.start(output); err != nil {
					next = nil
					output.say("the old daemon goes on: " + err.Error())
				}
			}
		case <-ready:
			past, current, next = append(past, current), next, nil
		case <-failed:
			output.say(fmt.Sprintf("the old daemon goes on: the new one ended: %v", next.err))
			next = nil
		case <-current.done:
			if next != nil {
				current, next = next, nil
				continue
			}
			if current.err == nil {
				return nil
			}
			var exit *exec.ExitError
			if errors.As(current.err, &exit) && exit.ExitCode() == wrongUsage {
				return fmt.Errorf("service: %s: %w", k.Program, current.err)
			}
			if time.Since(current.began) > aWhile {
				pause = k.first()
			}
			output.say(fmt.Sprintf("the daemon ended (%v); it is started again in %v", current.err, pause))
			select {
			case <-ctx.Done():
				k.end(past)
				return nil
			case <-time.After(pause):
			case <-renew: // somebody mended it
			}
			pause = min(2*pause, longestPause)
			if current, err = k.start(output); err != nil {
				k.end(past)
				return err
			}
		}
	}
}

func (k *Keeper) first() time.Duration {
	if k.Pause > 0 {
		return k.Pause
	}
	return firstPause
}

func (k *Keeper) start(output *oneAtATime) (*kept, error) {
	d := &kept{began: time.Now(), ready: make(chan struct{}), done: make(chan struct{})}
	d.cmd = exec.Command(k.Program, k.Args...) //nolint:noctx // it is asked to end, not killed
	d.cmd.Env = k.Environ
	d.cmd.Stdout = &readyWriter{to: output, ready: d.ready}
	d.cmd.Stderr = output
	d.cmd.WaitDelay = 5 * time.Second // programs of its own may still hold its stderr
	apart(d.cmd)
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	go func() {
		if d.err = d.cmd.Wait(); errors.Is(d.err, exec.ErrWaitDelay) {
			d.err = nil // it had ended in order
		}
		close(d.done)
	}()
	return d, nil
}

// end asks daemons to end, and kills them when they take too long. Entries may be nil.
func (k *Keeper) end(daemons []*kept) {
	most := k.Grace
	if most == 0 {
		most = grace
	}
	late := time.NewTimer(most)
	defer late.Stop()
	for _, d := range daemons {
		if d != nil {
			ask(d.cmd.Process)
		}
	}
	for _, d := range daemons {
		if d == nil {
			continue
		}
		select {
		case <-d.done:
			continue
		case <-late.C:
			late.Reset(0) // for the others too
		}
		_ = d.cmd.Process.Kill()
		<-d.done
	}
}

// HandOver starts a daemon that takes over from the one that runs, and returns when it answers, or has failed; it goes on
// after this program's end. A manager that lets a service be reloaded by a program calls it. answers is the number of the
// process that answers at the control socket.
func HandOver(ctx context.Context, program string, args []string, answers func(context.Context) (int, error)) error {
	cmd := exec.Command(program, args...) //nolint:noctx // it is to outlive us
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	apart(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("service: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if pid, err := answers(ctx); err == nil && pid == cmd.Process.Pid {
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("service: the new daemon ended (%v), the old one goes on", how(err))
		case <-ctx.Done():
			_ = cmd.Process.Kill()
			<-ended //nolint:errcheck // killed
			return errors.New("service: the new daemon did not take over in time, the old one goes on")
		case <-tick.C:
		}
	}
}

func how(err error) any {
	if err == nil {
		return "in order"
	}
	return err
}

// readyWriter closes ready when a line that starts with "ready " comes by.
type readyWriter struct {
	to    io.Writer
	ready chan struct{}
	line  []byte
	found bool
}

var readyMark = []byte("ready ")

func (w *readyWriter) Write(p []byte) (int, error) {
	if !w.found {
		w.line = append(w.line, p...)
		for !w.found {
			if w.found = bytes.HasPrefix(w.line, readyMark); w.found {
				close(w.ready)
				w.line = nil
				break
			}
			_, rest, more := bytes.Cut(w.line, []byte("\n"))
			if !more {
				break
			}
			w.line = rest
		}
	}
	return w.to.Write(p)
}

// oneAtATime lets several daemons print to one place, and never fails: a daemon does not end because its log is full.
type oneAtATime struct {
	mu sync.Mutex
	to io.Writer
}

func (o *oneAtATime) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.to != nil {
		_, _ = o.to.Write(p)
	}
	return len(p), nil
}

func (o *oneAtATime) say(text string) { _, _ = o.Write([]byte("pulley: " + keeperSays + text + "\n")) }

// keeperSays tells the Keeper's words from the daemon's.
const keeperSays = "keeper: "

// LogFile is a file for what daemons print. When it has grown it becomes NAME.1 and a new one begins. It is the Keeper's to
// write to, and to be closed.
type LogFile struct {
	path string
	most int64
	file *os.File
	size int64
}

// logMax is how large a log grows; there are two at the most.
const logMax = 4 << 20

// OpenLog opens a log, with its folder, for the owner and the group to read.
func OpenLog(path string) (*LogFile, error) {
	l := &LogFile{path: path, most: logMax}
	return l, l.open()
}

func (l *LogFile) open() error {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return fmt.Errorf("service: log: %w", err)
	}
	file, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("service: log: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	l.file, l.size = file, info.Size()
	return nil
}

// Write implements io.Writer.
func (l *LogFile) Write(p []byte) (int, error) {
	if l.size > 0 && l.size+int64(len(p)) > l.most {
		_ = l.file.Close()
		_ = os.Rename(l.path, l.path+".1")
		if err := l.open(); err != nil {
			return 0, err
		}
	}
	n, err := l.file.Write(p)
	l.size += int64(n)
	return n, err
}

// Close implements io.Closer.
func (l *LogFile) Close() error { return l.file.Close() }
