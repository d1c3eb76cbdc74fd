package egress

import (
	"context"
	"sync"
)

// A Trail tells which way the requests and dials of a context went. It is safe
// for concurrent use; a nil Trail takes no notes.
type Trail struct {
	mu    sync.Mutex
	way   string
	tried []Attempt
}

// An Attempt is a way that was tried and given up.
type Attempt struct {
	Host string // what was to be reached
	Way  string // as [Trail.Way] has it
	Err  error  // why it fell over; holds no secret
}

// maxAttempts bounds a trail.
const maxAttempts = 32

type trailKey struct{}

// WithTrail returns a context that leaves a trail.
func WithTrail(ctx context.Context) (context.Context, *Trail) {
	t := &Trail{}
	return context.WithValue(ctx, trailKey{}, t), t
}

func trailOf(ctx context.Context) *Trail {
	t, _ := ctx.Value(trailKey{}).(*Trail)
	return t
}

// Way is the way of the connection used last: "direct 192.0.2.1", with the port
// if it is not the one asked for, and "(doh)" behind it if the system's resolver
// did not know that address; "egress jump"; "the environment's proxy
// http://proxy:3128". It is empty if there was none.
func (t *Trail) Way() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.way
}

// Tried lists what was given up on the way, oldest first.
func (t *Trail) Tried() []Attempt {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Attempt(nil), t.tried...)
}

func (t *Trail) took(way string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.way = way
	t.mu.Unlock()
}

func (t *Trail) gaveUp(host, way string, err error) {
	if t == nil {
		return
	}
	t.mu.Lock()
	if len(t.tried) < maxAttempts {
		t.tried = append(t.tried, Attempt{host, way, err})
	}
	t.mu.Unlock()
}
