package cache

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestPartsAgainstBytes compares parts with one mark per byte.
func TestPartsAgainstBytes(t *testing.T) {
	rng := rand.New(rand.NewPCG(rand.Uint64(), 1))
	for range 300 {
		const size = 40
		var ps parts
		var want [size]Part // its Source, and whether it is there: End
		for range 60 {
			off := rng.Int64N(size)
			p := Part{off, min(size, off+rng.Int64N(12)), []string{"", "a", "b"}[rng.IntN(3)], rng.IntN(2) == 0}
			ps.set(p)
			for i := p.Off; i < p.End; i++ {
				want[i] = Part{End: 1, Source: p.Source, Withheld: p.Withheld}
			}
			if rng.IntN(20) == 0 {
				cut := rng.Int64N(size)
				ps.cut(cut)
				clear(want[cut:])
			}
			var got [size]Part
			for i, p := range ps {
				if p.Off >= p.End || (i > 0 && (ps[i-1].End > p.Off || ps[i-1].End == p.Off && ps[i-1].like(p))) {
					t.Fatalf("not in order, or not joined: %v", ps)
				}
				for b := p.Off; b < p.End; b++ {
					got[b] = Part{End: 1, Source: p.Source, Withheld: p.Withheld}
				}
			}
			if got != want {
				t.Fatalf("%v after %v", ps, p)
			}
			from, to := rng.Int64N(size), rng.Int64N(size+1)
			some := ps.within(nil, from, to)
			for b := range int64(size) {
				in := slices.ContainsFunc(some, func(p Part) bool { return p.Off <= b && b < p.End })
				if in != (from <= b && b < to && want[b].End == 1) {
					t.Fatalf("within [%d,%d) of %v: %v", from, to, ps, some)
				}
			}
			held := ps.withheld()
			for b := range int64(size) {
				if (held.covered(b) > b) != want[b].Withheld {
					t.Fatalf("withheld of %v: %v", ps, held.s)
				}
			}
		}
	}
}
