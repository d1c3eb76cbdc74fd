// Package keep keeps a daemon at hand for a desktop app: attaches to one that
// runs, starts one as a child when there is none, hears what it says, and
// starts over when it is gone.
//
// It must not know how a daemon is reached, nor who looks at what it said.
package keep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"pulley/internal/control"
)

// Daemon is one that was found.
type Daemon interface {
	// Watch calls heard with the whole state, first at once and then after every
	// change, until ctx ends or the daemon is gone.
	Watch(ctx context.Context, heard func(control.State)) error
}

// Child is a daemon's process that we started.
type Child interface {
	Pid() int
	Done() <-chan struct{} // closed when it has ended
	Reason() string        // why; after Done
	Stop(context.Context) error
}

// ErrNone is what Find returns when no daemon runs. Another error means that
// one does, and why it is of no use; then none is started.
var ErrNone = errors.New("no daemon runs")

// Options are what a Keeper needs. All but Log are required.
type Options[D Daemon] struct {
	Find  func(context.Context) (D, error)
	Start func() (Child, error)

	// What happens, in order, from the goroutine of Run.
	Searching func()
	Attached  func(d D, owned bool)
	Heard     func(control.State)
	Lost      func(reason string)

	Log *slog.Logger
}

const (
	// A daemon that was there may be on its way back: a service is restarted by
	// its manager, and that one is not to be raced.
	grace = 3 * time.Second

	glance  = 100 * time.Millisecond         // between two looks while one is on its way
	slow    = 20 * time.Second               // a child that is silent for so long will not come
	stop    = control.Drain + 10*time.Second // a child finishes what runs, and then closes its files
	first   = time.Second                    // wait after the first failure; it doubles
	longest = time.Minute
	healthy = time.Minute // a child that lived so long has not failed to start
)

// Keeper is safe for use by several goroutines.
type Keeper[D Daemon] struct {
	Options[D]
	again   chan struct{}
	child   Child
	started time.Time
	wait    time.Duration
}

// New makes a keeper that does nothing before Run.
func New[D Daemon](o Options[D]) *Keeper[D] {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper[D]{Options: o, again: make(chan struct{}, 1), wait: first}
}

// Retry cuts a wait short: a person wants the daemon now.
func (k *Keeper[D]) Retry() {
	select {
	case k.again <- struct{}{}:
	default:
	}
}

// Run keeps the daemon until ctx ends. Then it ends the child that it started,
// if any, and waits for it; a daemon that it was attached to goes on.
func (k *Keeper[D]) Run(ctx context.Context) error {
	k.Searching()
	for ctx.Err() == nil {
		d, err := k.Find(ctx)
		switch {
		case err == nil:
			k.attend(ctx, d)
		case ctx.Err() != nil:
		case errors.Is(err, ErrNone):
			k.begin(ctx)
		default:
			k.fail(ctx, err.Error())
		}
	}
	return k.end(context.WithoutCancel(ctx))
}

// attend hears a daemon until it is gone, and then looks for it for a while.
func (k *Keeper[D]) attend(ctx context.Context, d D) {
	owned := k.child != nil && !ended(k.child)
	k.Log.Info("attached to the daemon", "child", owned)
	k.Attached(d, owned)
	err := d.Watch(ctx, func(s control.State) {
		if owned && s.PID != 0 && s.PID != k.child.Pid() {
			// Another one took over from the child, which finishes what it has begun and
			// is not to be ended for us to end.
			k.Log.Info("the daemon that was started here has handed over", "to", s.PID)
			k.child, owned = nil, false
			k.Attached(d, false)
		}
		k.Heard(s)
	})
	if ctx.Err() != nil {
		return
	}
	k.Log.Warn("the daemon is gone", "err", err)
	k.Searching()
	back, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	for !k.pause(back, glance) && (k.child == nil || !ended(k.child)) {
		if _, err := k.Find(back); !errors.Is(err, ErrNone) {
			return
		}
		if back.Err() != nil {
			return
		}
	}
}

// begin starts a child, unless the last one is still there, and waits until it
// can be found.
func (k *Keeper[D]) begin(ctx context.Context) {
	if k.child != nil && ended(k.child) {
		reason := k.child.Reason()
		k.child = nil
		if time.Since(k.started) >= healthy {
			k.wait = first
		}
		k.fail(ctx, reason)
		return
	}
	if k.child == nil {
		child, err := k.Start()
		if err != nil {
			k.fail(ctx, err.Error())
			return
		}
		k.Log.Info("started a daemon")
		k.child, k.started = child, time.Now()
	}
	come, cancel := context.WithTimeout(ctx, slow)
	defer cancel()
	for !k.pause(come, glance) && !ended(k.child) {
		if _, err := k.Find(come); !errors.Is(err, ErrNone) {
			return
		}
	}
	if come.Err() != nil && ctx.Err() == nil {
		k.Lost(fmt.Sprintf("it was started %d seconds ago and does not answer", int(time.Since(k.started).Seconds())))
	}
}

// fail says why there is no daemon and waits before the next attempt, longer
// each time, or until a person wants it.
func (k *Keeper[D]) fail(ctx context.Context, reason string) {
	k.Log.Warn("no daemon", "reason", reason, "wait", k.wait)
	k.Lost(reason)
	if k.sleep(ctx, k.wait) {
		k.wait = first
	} else {
		k.wait = min(2*k.wait, longest)
	}
	if ctx.Err() == nil {
		k.Searching()
	}
}

// pause waits and tells whether ctx ended.
func (k *Keeper[D]) pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return true
	case <-time.After(d):
		return false
	}
}

// sleep waits and tells whether a person cut it short.
func (k *Keeper[D]) sleep(ctx context.Context, d time.Duration) bool {
	select { // an old wish is not one for this wait
	case <-k.again:
	default:
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	case <-k.again:
		return true
	}
	return false
}

func (k *Keeper[D]) end(ctx context.Context) error {
	if k.child == nil || ended(k.child) {
		return nil
	}
	k.Log.Info("ending the daemon that was started here")
	ctx, cancel := context.WithTimeout(ctx, stop)
	defer cancel()
	return k.child.Stop(ctx)
}

func ended(c Child) bool {
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}
