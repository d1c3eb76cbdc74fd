package tray_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pulley/internal/control"
	"pulley/ui/tray"
)

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		state := running(nil)
		var drawn []time.Duration
		start := time.Now()
		changed := make(chan struct{}, 1)
		done := make(chan struct{})
		go func() {
			defer close(done)
			tray.Pace(ctx, changed, func() tray.Menu { return tray.Build(state, noon) },
				func(tray.Menu) { drawn = append(drawn, time.Since(start)) })
		}()
		step := func(f func(*control.State)) {
			synctest.Wait()
			f(&state.State)
			changed <- struct{}{}
			synctest.Wait()
		}
		size := func(s *control.State) { s.Cache.Size += 1 << 30 }

		step(func(*control.State) {}) // nothing new: nothing drawn
		<-time.After(time.Second)
		step(size) // at 1 s: waits
		<-time.After(3 * time.Second)
		step(size)                                         // at 4 s: waits with it, drawn at 10 s
		<-time.After(8 * time.Second)                      // 12 s
		step(func(s *control.State) { s.Enabled = false }) // at once
		step(size)                                         // waits until 22 s
		<-time.After(time.Second)                          // 13 s
		step(func(s *control.State) { s.Enabled = true })  // at once, with the number
		<-time.After(time.Minute)                          // nothing more
		step(size)                                         // long after: at once
		cancel()
		<-done
		want := []time.Duration{0, 10 * time.Second, 12 * time.Second, 13 * time.Second, 73 * time.Second}
		if len(drawn) != len(want) {
			t.Fatalf("drawn at %v, want %v", drawn, want)
		}
		for i := range want {
			if drawn[i] != want[i] {
				t.Fatalf("drawn at %v, want %v", drawn, want)
			}
		}
	})
}
