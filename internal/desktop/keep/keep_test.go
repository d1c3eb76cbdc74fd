package keep_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pulley/internal/control"
	"pulley/internal/desktop/keep"
)

// world is where daemons come and go. It writes down what the keeper said and
// did, with the time since the start.
type world struct {
	mu       sync.Mutex
	start    time.Time
	said     []string
	daemon   *daemon // that runs; nil: none
	findErr  error
	startErr error
	comes    time.Duration // how long a started daemon takes until it answers; negative: it ends at once
	drains   time.Duration // how long a child takes to end when it is asked to
	begun    int
}

type daemon struct {
	gone chan struct{}
	pid  int
}

func (d *daemon) Watch(ctx context.Context, heard func(control.State)) error {
	heard(control.State{Enabled: true, PID: d.pid})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-d.gone:
		return errors.New("the connection broke")
	}
}

type child struct {
	world  *world
	done   chan struct{}
	once   sync.Once
	reason string
	daemon *daemon
}

func (c *child) Done() <-chan struct{} { return c.done }
func (c *child) Reason() string        { return c.reason }
func (c *child) Pid() int              { return childPid }

const childPid = 100

func (c *child) Stop(ctx context.Context) error {
	select {
	case <-time.After(c.world.drains):
		c.world.note("child stopped")
	case <-ctx.Done():
		c.world.note("child killed")
	}
	c.end("stopped")
	return nil
}

func (c *child) end(reason string) {
	c.once.Do(func() {
		c.world.die(c.daemon)
		c.reason = reason
		close(c.done)
	})
}

func (w *world) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, fmt.Sprintf("%v %s", time.Since(w.start).Round(100*time.Millisecond), what))
}

// live makes a daemon answer.
func (w *world) live() *daemon {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.daemon = &daemon{gone: make(chan struct{})}
	return w.daemon
}

// die ends a daemon; nil is none.
func (w *world) die(d *daemon) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d != nil && w.daemon == d {
		w.daemon = nil
		close(d.gone)
	}
}

func (w *world) find(context.Context) (*daemon, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.findErr != nil:
		return nil, w.findErr
	case w.daemon == nil:
		return nil, keep.ErrNone
	}
	return w.daemon, nil
}

func (w *world) begin() (keep.Child, error) {
	w.note("start")
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.startErr != nil {
		return nil, w.startErr
	}
	w.begun++
	c := &child{world: w, done: make(chan struct{})}
	switch {
	case w.comes < 0:
		c.reason = "port 5055 is in use"
		close(c.done)
	default:
		c.daemon = &daemon{gone: make(chan struct{}), pid: childPid}
		time.AfterFunc(w.comes, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			select {
			case <-c.done:
			default:
				w.daemon = c.daemon
			}
		})
	}
	return c, nil
}

// keeper runs one over w until the test ends.
func (w *world) keeper(t *testing.T) (k *keep.Keeper[*daemon], stop func()) {
	t.Helper()
	w.start = time.Now()
	k = keep.New(keep.Options[*daemon]{
		Find: w.find, Start: w.begin,
		Searching: func() { w.note("searching") },
		Attached:  func(_ *daemon, owned bool) { w.note(fmt.Sprintf("attached owned=%v", owned)) },
		Heard:     func(control.State) { w.note("heard") },
		Lost:      func(reason string) { w.note("lost: " + reason) },
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- k.Run(ctx) }()
	return k, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
}

func (w *world) check(t *testing.T, want ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.said, want) {
		t.Errorf("got\n%q\nwant\n%q", w.said, want)
	}
	w.said = nil
}

func TestAttachesAndLeavesItRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		w.live()
		_, stop := w.keeper(t)
		<-time.After(time.Minute)
		stop()
		w.check(t, "0s searching", "0s attached owned=false", "0s heard")
		if w.daemon == nil {
			t.Error("the daemon was ended")
		}
	})
}

func TestStartsAChildAndEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{comes: 250 * time.Millisecond}
		_, stop := w.keeper(t)
		<-time.After(time.Minute)
		stop()
		w.check(t, "0s searching", "0s start", "300ms attached owned=true", "300ms heard", "1m0s child stopped")
	})
}

// A child that takes all the time it has for finishing what runs is not killed.
func TestWaitsForAChildThatDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{comes: 250 * time.Millisecond, drains: control.Drain}
		_, stop := w.keeper(t)
		<-time.After(time.Minute)
		stop()
		w.check(t, "0s searching", "0s start", "300ms attached owned=true", "300ms heard", "1m30s child stopped")
	})
}

func TestRestartsAChildThatDied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{comes: 250 * time.Millisecond}
		var last *child
		k := keep.New(keep.Options[*daemon]{
			Find: w.find,
			Start: func() (keep.Child, error) {
				c, err := w.begin()
				last, _ = c.(*child)
				return c, err
			},
			Searching: func() { w.note("searching") },
			Attached:  func(_ *daemon, owned bool) { w.note(fmt.Sprintf("attached owned=%v", owned)) },
			Heard:     func(control.State) { w.note("heard") },
			Lost:      func(reason string) { w.note("lost: " + reason) },
		})
		w.start = time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- k.Run(ctx) }()
		<-time.After(2 * time.Minute)
		last.end("killed")
		<-time.After(2 * time.Minute)
		cancel()
		<-done
		w.check(t, "0s searching", "0s start", "300ms attached owned=true", "300ms heard",
			"2m0s searching", "2m0.1s lost: killed", "2m1.1s searching", "2m1.1s start",
			"2m1.4s attached owned=true", "2m1.4s heard", "4m0s child stopped")
	})
}

func TestBacksOffFromAChildThatCannotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{comes: -1}
		k, stop := w.keeper(t)
		<-time.After(5 * time.Minute)
		if w.begun < 6 || w.begun > 12 {
			t.Errorf("%d attempts in five minutes", w.begun)
		}
		before := w.begun
		k.Retry()
		<-time.After(time.Second)
		if w.begun != before+1 {
			t.Error("a person's wish waits")
		}
		stop()
		if got := w.said[2]; got != "100ms lost: port 5055 is in use" {
			t.Errorf("got %q", w.said[:4])
		}
	})
}

func TestNothingToStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{startErr: errors.New("pulley: not found")}
		_, stop := w.keeper(t)
		<-time.After(500 * time.Millisecond)
		w.check(t, "0s searching", "0s start", "0s lost: pulley: not found")
		w.live() // a person starts one by hand
		<-time.After(time.Second)
		stop()
		w.check(t, "1s searching", "1s attached owned=false", "1s heard")
	})
}

// A service that is restarted by its manager is not raced.
func TestWaitsForADaemonOnItsWayBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		d := w.live()
		_, stop := w.keeper(t)
		<-time.After(10 * time.Second)
		w.die(d)
		<-time.After(1950 * time.Millisecond)
		w.live()
		<-time.After(10 * time.Second)
		stop()
		w.check(t, "0s searching", "0s attached owned=false", "0s heard", "10s searching", "12s attached owned=false", "12s heard")
	})
}

func TestReplacesADaemonThatStaysAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{comes: 50 * time.Millisecond}
		d := w.live()
		_, stop := w.keeper(t)
		<-time.After(10 * time.Second)
		w.die(d)
		<-time.After(10 * time.Second)
		stop()
		w.check(t, "0s searching", "0s attached owned=false", "0s heard", "10s searching",
			"13s start", "13.1s attached owned=true", "13.1s heard", "20s child stopped")
	})
}

// Two daemons on one port would be worse than an old one.
func TestStartsNoneBesideOneOfAnotherVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{findErr: errors.New("the daemon is newer than this program")}
		_, stop := w.keeper(t)
		<-time.After(10 * time.Minute)
		stop()
		if w.begun != 0 {
			t.Error("it started one")
		}
		if w.said[1] != "0s lost: the daemon is newer than this program" {
			t.Errorf("got %q", w.said[:3])
		}
	})
}

func TestChildThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{comes: time.Hour}
		_, stop := w.keeper(t)
		<-time.After(25 * time.Second)
		stop()
		w.check(t, "0s searching", "0s start", "20s lost: it was started 20 seconds ago and does not answer", "25s child stopped")
	})
}

// A child that handed over is no longer ours to end, and the one that has taken its place goes on without us.
func TestAChildThatHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{comes: 250 * time.Millisecond}
		_, stop := w.keeper(t)
		<-time.After(time.Minute)
		was, _ := w.find(t.Context())
		next := w.live()
		next.pid = childPid + 1
		close(was.gone) // its event stream ends; the process does not
		<-time.After(time.Minute)
		stop()
		w.check(t, "0s searching", "0s start", "300ms attached owned=true", "300ms heard",
			"1m0s searching", "1m0.1s attached owned=true", "1m0.1s attached owned=false", "1m0.1s heard")
		if now, _ := w.find(t.Context()); w.begun != 1 || now != next {
			t.Error("another one was started, or the one that took over was ended")
		}
	})
}
