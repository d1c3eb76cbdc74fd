package fetch_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pulley/proxy/fetch"
)

// crowd reads a blob as containerd does that fetches in parallel: so many at a time wait for the next piece each.
// What it returns is done when all have theirs.
func crowd(t *testing.T, m *memory, size, piece int64, readers int) *sync.WaitGroup {
	t.Helper()
	var all sync.WaitGroup
	var next atomic.Int64
	for range readers {
		all.Go(func() {
			for {
				off := next.Add(piece) - piece
				if off >= size {
					return
				}
				end := min(off+piece, size)
				for !m.read(off, end) {
					if sleep(t.Context(), time.Millisecond) != nil {
						return
					}
				}
			}
		})
	}
	return &all
}

// Many readers of one blob, each of whom waits for another part, steer one download: next to no byte comes twice, however
// much a source sends ahead of what is read, and it takes no longer than one reader's would.
func TestScatteredReadersCostNothing(t *testing.T) {
	for _, c := range []struct {
		speed float64
		ahead int64
	}{{4 * mib, 64 << 10}, {40 * mib, mib}, {400 * mib, 4 * mib}, {2000 * mib, 6 * mib}} {
		for _, size := range []int64{12 * mib, 48 * mib} {
			for _, known := range []bool{true, false} {
				for _, piece := range []int64{512 << 10, 2 * mib} {
					for _, mirrors := range []int{0, 3} {
						name := fmt.Sprintf("%.0f MiB at %.0f MiB/s, known %v, by %d KiB, %d mirrors", float64(size)/mib, c.speed/mib, known, piece>>10, mirrors)
						t.Run(name, func(t *testing.T) { scattered(t, c.speed, c.ahead, size, piece, known, mirrors) })
					}
				}
			}
		}
	}
}

func scattered(t *testing.T, speed float64, ahead, size, piece int64, known bool, mirrors int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		const connections = 4
		all, src := fours(blob(int(size)), speed)
		all, src = all[:1+mirrors], src[:1+mirrors]
		for _, f := range all {
			f.ahead, f.latency = ahead, 2*time.Millisecond
		}
		m, hint := newMemory(blob(int(size))), int64(0)
		if known { // a manifest told
			hint = size
		}
		began := time.Now()
		readers := crowd(t, m, size, piece, 8)
		if err := fetch.Run(t.Context(), these(src...), m, fetch.Options{Connections: connections, RangeMin: mib, Hint: hint}); err != nil {
			t.Fatal(err)
		}
		readers.Wait()
		m.verify(t)
		d := time.Since(began)
		opened := 0
		for _, f := range all {
			opened += f.opened
		}
		t.Logf("%.3f times, %v (at best %v), %d requests, %d cuts", float64(sent(all...))/float64(size), d, time.Duration(float64(size)/speed/connections*1e9), opened, m.cuts)
		spare := min(ahead, mib) // once, one source was further than anybody had thought
		if !known {
			spare = 2 * ahead // the first request was for all of it
		}
		frugal(t, size, 1.02+float64(spare)/float64(size), all...)
	})
}

// A source that sends less than it is asked for goes on with nothing: what is left is asked for anew.
func TestScatteredReadersOfABriefSource(t *testing.T) {
	for _, speed := range []float64{4 * mib, 2000 * mib} {
		synctest.Test(t, func(t *testing.T) {
			const size = 24 * mib
			all, src := fours(blob(size), speed)
			all[0].brief, all[1].brief = 700_000, 3_000_000
			m := newMemory(blob(size))
			readers := crowd(t, m, size, 2*mib, 8)
			if err := fetch.Run(t.Context(), these(src[:2]...), m, fetch.Options{Connections: 4, RangeMin: mib, Hint: size}); err != nil {
				t.Fatal(err)
			}
			readers.Wait()
			m.verify(t)
			frugal(t, size, 1.05, all...)
		})
	}
}
