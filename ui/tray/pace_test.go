package tray_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
		step(size)                                         // waits until 20 s
		<-time.After(time.Second)                          // 13 s
		step(func(s *control.State) { s.Enabled = true })  // at once, without the number
		<-time.After(time.Minute)                          // at 20 s the number, and nothing more
		step(size)                                         // long after: at once
		cancel()
		<-done
		want := []time.Duration{0, 10 * time.Second, 12 * time.Second, 13 * time.Second, 20 * time.Second, 73 * time.Second}
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

// A pull makes the icon busy and idle again many times a second, and counts the
// pulls that are left and the bytes in the cache. The numbers keep still.
func TestNumbersKeepStillDuringAPull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		state := running(nil)
		forms, numbers := 0, []string{}
		var last tray.Form
		start := time.Now()
		changed := make(chan struct{}, 1)
		done := make(chan struct{})
		go func() {
			defer close(done)
			tray.Pace(ctx, changed, func() tray.Menu { return tray.Build(state, noon) }, func(m tray.Menu) {
				if m.Form != last {
					last, forms = m.Form, forms+1
				}
				for _, line := range strings.Split(text(m), "\n") {
					if strings.Contains(line, " pulls left") {
						line = fmt.Sprint(time.Since(start), " ", line)
						if n := len(numbers); n == 0 || numbers[n-1][strings.Index(numbers[n-1], " "):] != line[strings.Index(line, " "):] {
							numbers = append(numbers, line)
						}
					}
				}
			})
		}()
		for i := range 25 {
			<-time.After(900 * time.Millisecond)
			synctest.Wait()
			state.State.Limits = []control.Limit{{Registry: "docker.io", Limit: 100, Remaining: 100 - i}}
			state.State.Cache.Size += 1 << 30
			state.State.Active = nil
			if i%2 == 0 {
				state.State.Active = []control.Transfer{{Registry: "docker.io"}}
			}
			changed <- struct{}{}
		}
		synctest.Wait()
		cancel()
		<-done
		want := []string{
			"900ms Docker Hub: 100 of 100 pulls left ~", "10.9s Docker Hub: 89 of 100 pulls left ~", "20.9s Docker Hub: 78 of 100 pulls left ~",
		}
		if !slices.Equal(numbers, want) {
			t.Errorf("got\n%q\nwant\n%q", numbers, want)
		}
		if forms != 26 {
			t.Errorf("the icon changed %d times, want 26", forms)
		}
	})
}
