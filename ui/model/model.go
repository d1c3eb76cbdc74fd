// Package model is what a person is shown and what a person asked for, without
// a pixel: the last state heard from the daemon, with switches that were just
// flipped laid over it until the daemon has answered.
//
// It must not know Fyne, nor how the daemon is reached.
package model

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"pulley/internal/control"
)

// Phase is how the daemon stands to us.
type Phase int

const (
	Starting Phase = iota // looked for, or being started
	Running               // attached; State is live
	Down                  // not there; Reason says why
)

// View is one moment of all that is shown. It is a value: nobody changes what
// its slices point at.
type View struct {
	Phase  Phase
	Reason string        // why it is down, in words for a person; may be empty
	Owned  bool          // the daemon is a child of ours and ends with us
	State  control.State // the last one heard, zero before the first
	Notice string        // why the last thing asked for did not happen

	Contexts []Context                // docker's, as listed last
	Reports  map[string]ContextReport // how their engines answered last, by name; who was not asked yet has none
}

// Daemon is what can be asked of a daemon. Its calls may block and are never
// made from the goroutine that asks.
type Daemon interface {
	SetEnabled(ctx context.Context, on bool) error
	Pause(ctx context.Context, d time.Duration) error
	SetRoute(ctx context.Context, registry, route string) error
}

// patience is how long one request to the daemon may take. It answers from
// memory, or writes one small file.
const patience = 10 * time.Second

// ErrNotRunning is the reason for a notice when there is no daemon to ask.
var ErrNotRunning = errors.New("pulley is not running")

// Model is safe for use by several goroutines at once.
type Model struct {
	mu       sync.Mutex
	view     View
	daemon   Daemon
	asked    []Action // on their way, first first; they lie over the state until done
	watchers []func()
	work     chan struct{} // has an element when a request waits
}

// New makes a model that knows nothing yet.
func New() *Model {
	return &Model{work: make(chan struct{}, 1)}
}

// Watch has f called after every change. f must return soon, must not call
// into the model but for View, and runs on whichever goroutine made the change.
// To be called before the model is used.
func (m *Model) Watch(f func()) {
	m.watchers = append(m.watchers, f)
}

// View is the present moment, with requests under way shown as done.
func (m *Model) View() View {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.view
	for _, a := range m.asked {
		v.State = a.applied(v.State)
	}
	return v
}

// Attached says that d is there and, after it, what it sends. owned: it is a
// child of ours.
func (m *Model) Attached(d Daemon, owned bool) {
	m.change(func() { m.daemon, m.view.Owned = d, owned })
}

// Heard takes a state that the daemon sent.
func (m *Model) Heard(s control.State) {
	m.change(func() {
		m.view.Phase, m.view.Reason, m.view.State = Running, "", s
	})
}

// Searching says that a daemon is being looked for or started.
func (m *Model) Searching() {
	m.change(func() { m.view.Phase, m.view.Reason, m.daemon = Starting, "", nil })
}

// Lost says that there is no daemon, and why.
func (m *Model) Lost(reason string) {
	m.change(func() {
		m.view.Phase, m.view.Reason, m.view.Owned, m.daemon = Down, reason, false, nil
	})
}

// Do takes an action for the daemon and returns at once: the view shows it as
// done, and falls back with a notice if the daemon refuses. Actions that are
// none of the daemon's are ignored here.
func (m *Model) Do(a Action) {
	if !a.forDaemon() {
		return
	}
	m.change(func() {
		m.view.Notice = ""
		m.asked = append(m.asked, a)
	})
	select {
	case m.work <- struct{}{}:
	default:
	}
}

// Listed takes docker's contexts, and how their engines answered. Neither is changed afterwards.
func (m *Model) Listed(contexts []Context, reports map[string]ContextReport) {
	m.change(func() { m.view.Contexts, m.view.Reports = contexts, reports })
}

// Refused says why something did not happen that was not the daemon's to do.
func (m *Model) Refused(notice string) {
	m.change(func() { m.view.Notice = notice })
}

// Dismiss takes the notice away.
func (m *Model) Dismiss() {
	m.change(func() { m.view.Notice = "" })
}

// Run carries requests to the daemon one after the other, in the order in which
// they were made, until ctx ends.
func (m *Model) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-m.work:
		}
		for ctx.Err() == nil && m.carry(ctx) {
		}
	}
}

// carry makes the first request that waits, and tells whether there was one.
func (m *Model) carry(ctx context.Context) bool {
	m.mu.Lock()
	if len(m.asked) == 0 {
		m.mu.Unlock()
		return false
	}
	a, d := m.asked[0], m.daemon
	m.mu.Unlock()

	err := ErrNotRunning
	if d != nil {
		limited, cancel := context.WithTimeout(ctx, patience)
		err = a.ask(limited, d)
		cancel()
	}
	m.change(func() {
		m.asked = slices.Delete(m.asked, 0, 1)
		if err != nil {
			m.view.Notice = a.failed(err)
			return
		}
		m.view.State = a.applied(m.view.State) // until the daemon's own word arrives
	})
	return true
}

// change makes a change and tells the watchers.
func (m *Model) change(f func()) {
	m.mu.Lock()
	f()
	m.mu.Unlock()
	for _, tell := range m.watchers {
		tell()
	}
}
