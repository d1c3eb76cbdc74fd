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
	"pulley/ui/lang"
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

// Who is fastest just now, and how much room is missing, change with every blob of a pull: they are numbers too.
func TestWinnersAndAmountsKeepStillDuringAPull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		state := running(nil)
		drawn := 0
		last := ""
		changed := make(chan struct{}, 1)
		done := make(chan struct{})
		go func() {
			defer close(done)
			tray.Pace(ctx, changed, func() tray.Menu { return tray.Build(state, noon) }, func(m tray.Menu) { drawn, last = drawn+1, text(m)+m.Tooltip })
		}()
		for i := range 250 {
			<-time.After(100 * time.Millisecond)
			synctest.Wait()
			state.State.Registries = slices.Clone(state.State.Registries)
			state.State.Registries[1].Best = []string{"origin", "daocloud"}[i%2]
			state.State.Problems = []control.Problem{{Kind: control.ProblemDisk, Text: fmt.Sprintf("not everything can be cached: %d MiB are missing", i)}}
			changed <- struct{}{}
		}
		<-time.After(10 * time.Second)
		synctest.Wait()
		cancel()
		<-done
		if drawn > 5 { // at first, with the problem, and every ten seconds
			t.Errorf("drawn %d times in 35 s", drawn)
		}
		if strings.Count(last, "249 MiB are missing") != 2 || !strings.Contains(last, "now daocloud") {
			t.Errorf("at last it says\n%s", last)
		}
	})
}

// Whoever chooses another language reads all of it in that, numbers included.
func TestAnotherLanguageIsDrawnAtOnce(t *testing.T) {
	t.Cleanup(func() { lang.Use("en") })
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		changed, done := make(chan struct{}, 1), make(chan struct{})
		var last tray.Menu
		go func() {
			defer close(done)
			tray.Pace(ctx, changed, func() tray.Menu { return tray.Build(running(nil), noon) }, func(m tray.Menu) { last = m })
		}()
		synctest.Wait()
		lang.Use("zh-CN")
		changed <- struct{}{}
		synctest.Wait()
		if got, want := text(last), text(tray.Build(running(nil), noon)); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		cancel()
		<-done
	})
}

// What holds until a time of the day is gone after it, though nothing was heard.
func TestTimePasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Minute)
		defer cancel()
		again := time.Now().Add(5 * time.Minute)
		state := running(func(s *control.State) { s.Limits = []control.Limit{{Registry: "docker.io", Limit: 100, Again: &again}} })
		var drawn []bool // with the limit
		tray.Pace(ctx, nil, func() tray.Menu { return tray.Build(state, time.Now()) }, func(m tray.Menu) {
			drawn = append(drawn, strings.Contains(text(m), "no pulls left"))
		})
		if !slices.Equal(drawn, []bool{true, false}) {
			t.Errorf("drawn with the limit: %v", drawn)
		}
	})
}
