package wiring

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// Of several that begin at once, in a folder that is not there yet, one works at a time.
func TestOneAtATime(t *testing.T) {
	state := filepath.Join(t.TempDir(), "pulley", "state")
	var group sync.WaitGroup
	var inside, done atomic.Int32
	for range 8 {
		group.Go(func() {
			unlock, err := (&Wirer{State: state}).lock(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer unlock()
			if inside.Add(1) > 1 {
				t.Error("two are at it")
			}
			runtime.Gosched()
			inside.Add(-1)
			done.Add(1)
		})
	}
	group.Wait()
	if done.Load() != 8 {
		t.Errorf("%d of 8 had their turn", done.Load())
	}
}

func TestNotWhileAnotherConnects(t *testing.T) {
	d := newDesk(t)
	was := d.tree()
	unlock, err := d.lock(t.Context())
	d.must(err)
	p, err := d.Plan(t.Context(), "paper", Options{})
	d.must(err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*lockEvery)
	defer cancel()
	if err := d.Connect(ctx, p, d.say); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	d.same(was)
	unlock()
	d.must(d.Connect(t.Context(), p, d.say))
}
