package fetch_test

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pulley/proxy/fetch"
)

// The route changes in the middle: what comes from a source that is not listed any
// more is given up at once, and nobody is blamed.
func TestRouteChanges(t *testing.T) {
	for _, connections := range []int{1, 8} {
		synctest.Test(t, func(t *testing.T) {
			const size = 32 * mib
			all, src := fours(blob(size), mib)
			s, m := these(src[0]), newMemory(blob(size))
			var left atomic.Int64
			time.AfterFunc(1500*time.Millisecond, func() {
				s.set(src[1], src[2])
				synctest.Wait()
				if all[0].open > 0 {
					t.Errorf("%d connections to the origin are left", all[0].open)
				}
				left.Store(sent(all[0]))
			})
			if err := fetch.Run(t.Context(), s, m, fetch.Options{Connections: connections, Hint: size}); err != nil {
				t.Fatal(err)
			}
			m.verify(t)
			if len(s.failed) > 0 || sent(all[0]) != left.Load() || left.Load() == 0 {
				t.Errorf("failed %v; the origin had sent %d, and sent %d", s.failed, left.Load(), sent(all[0]))
			}
			frugal(t, size, 1.05, all...)
		})
	}
}

// A mirror is chosen by name: it comes first from then on, the others stay.
func TestRouteNamesAMirror(t *testing.T) {
	for _, connections := range []int{1, 8} {
		synctest.Test(t, func(t *testing.T) {
			const size = 32 * mib
			all, src := fours(blob(size), mib)
			all[0].tier = 1
			s, m := these(src[0]), newMemory(blob(size))
			time.AfterFunc(1500*time.Millisecond, func() { s.set(src[3], src[0]) })
			if err := fetch.Run(t.Context(), s, m, fetch.Options{Connections: connections, Hint: size}); err != nil {
				t.Fatal(err)
			}
			m.verify(t)
			if m.by("c") < size/2 || m.by("origin") > 13*mib {
				t.Errorf("c brought %d, the origin %d", m.by("c"), m.by("origin"))
			}
			frugal(t, size, 1.05, all...)
		})
	}
}

// Everything at once, at random: sources of all kinds that die, stall, refuse,
// turn slow and lie, routes that change, ranges that are wanted first. The blob is
// right in the end, or the digest's error is told because a source that lied could
// not be held against the origin.
func TestRandomWorld(t *testing.T) {
	n, seed := rounds(t, 60)
	for i := range n {
		synctest.Test(t, func(t *testing.T) { randomRound(t, i, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
}

func randomRound(t *testing.T, i int, rng *rand.Rand) {
	size := []int{0, 1, 1000, mib, 5 * mib, 17 * mib, 33 * mib}[rng.IntN(7)]
	var all []*fake
	var list []fetch.Source
	for j, name := range []string{"a", "b", "c", "origin"} {
		if j < 3 && rng.IntN(3) == 0 {
			continue
		}
		f := &fake{
			name: name, truth: blob(size), origin: name == "origin", proven: rng.IntN(2) == 0, most: 1 + rng.IntN(8), tier: rng.IntN(2),
			speed: float64(mib) * []float64{0.05, 0.5, 1, 10, 100}[rng.IntN(5)], latency: time.Duration(rng.IntN(300)) * time.Millisecond,
		}
		sick(f, rng)
		all, list = append(all, f), append(list, f)
	}
	s, m := these(list...), newMemory(blob(size))
	o := fetch.Options{Connections: 1 + rng.IntN(10), RangeMin: int64(rng.IntN(20*mib) + 1), Hint: []int64{0, int64(size)}[rng.IntN(2)]}
	for range rng.IntN(3) {
		at := time.Duration(rng.IntN(5000)) * time.Millisecond
		keep := rng.IntN(len(list))
		timer := time.AfterFunc(at, func() { s.set(append(list[keep:len(list):len(list)], list[len(list)-1])...) })
		defer timer.Stop()
	}
	if size > mib {
		off := rng.Int64N(int64(size))
		timer := time.AfterFunc(time.Duration(rng.IntN(3000))*time.Millisecond, func() { m.want(off, min(off+1000, int64(size))) })
		defer timer.Stop()
	}
	began := time.Now()
	err := fetch.Run(t.Context(), s, m, o)
	if err != nil && !errors.Is(err, fetch.ErrDigest) {
		t.Fatalf("round %d: %v after %v; %+v", i, err, time.Since(began), o)
	}
	if err != nil {
		t.Fatalf("round %d: %v", i, err)
	}
	m.verify(t)
	for _, f := range all {
		if f.open != 0 {
			t.Errorf("round %d: %d connections to %s are left", i, f.open, f.name)
		}
		if f.peak > f.most && !f.origin {
			t.Errorf("round %d: %d connections to %s, which allows %d", i, f.peak, f.name, f.most)
		}
	}
	if d := time.Since(began); d > 2*time.Hour {
		t.Errorf("round %d: took %v", i, d)
	}
}

// sick gives a source some of the troubles there are; an origin gets over them.
func sick(f *fake, rng *rand.Rand) {
	rng = rand.New(rand.NewPCG(rng.Uint64(), 0)) // its own
	troubled := 1 + rng.IntN(20)
	at := func() int64 { return rng.Int64N(int64(len(f.truth)) + 1) }
	switch rng.IntN(7) {
	case 0:
		f.die = func(n int, _ int64) int64 {
			if n < troubled {
				return at()
			}
			return -1
		}
	case 1:
		f.hang = func(n int, _ int64) int64 {
			if n < min(troubled, 3) {
				return at()
			}
			return -1
		}
	case 2:
		f.refuse = func(n int, _ int64) error {
			if n < 3 {
				return errReset
			}
			return nil
		}
	case 3:
		f.plain = true
	case 4:
		f.hidden = true
	case 5:
		if !f.origin {
			odd := at()
			f.lie = func(off int64) bool { return off == odd }
		}
	}
}
