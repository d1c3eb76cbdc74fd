package cache

import (
	"math/rand/v2"
	"testing"
)

// TestRangesAgainstBitmap compares the set with a bitmap under random changes.
func TestRangesAgainstBitmap(t *testing.T) {
	const size = 96
	rng := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		var r ranges
		var bits [size]bool
		for range 40 {
			off := rng.Int64N(size)
			end := off + rng.Int64N(size-off+1)
			if rng.IntN(12) == 0 {
				r.cut(end)
				for i := end; i < size; i++ {
					bits[i] = false
				}
			} else {
				r.add(off, end)
				for i := off; i < end; i++ {
					bits[i] = true
				}
			}
			compareRanges(t, &r, bits[:])
		}
	}
}

func compareRanges(t *testing.T, r *ranges, bits []bool) {
	t.Helper()
	total := int64(0)
	for i := len(bits) - 1; i >= 0; i-- {
		at := int64(i)
		covered, next := at, int64(forever)
		for covered < int64(len(bits)) && bits[covered] {
			covered++
		}
		for j := i; j < len(bits); j++ {
			if bits[j] {
				next = int64(j)
				break
			}
		}
		if got := r.covered(at); got != covered {
			t.Fatalf("%v: covered(%d) = %d, want %d", r.s, at, got, covered)
		}
		if got := r.next(at); got != next {
			t.Fatalf("%v: next(%d) = %d, want %d", r.s, at, got, next)
		}
		if bits[i] {
			total++
		}
	}
	for i, s := range r.s {
		if s.off >= s.end || (i > 0 && r.s[i-1].end >= s.off) {
			t.Fatalf("%v is out of order", r.s)
		}
	}
	if r.total != total {
		t.Fatalf("%v: total %d, want %d", r.s, r.total, total)
	}
}

func TestRangesGrowWithoutAllocating(t *testing.T) {
	var r ranges
	r.add(0, 1)
	r.add(1<<40, 1<<40+1)
	at := int64(1)
	if n := testing.AllocsPerRun(1000, func() { r.add(at, at+9); at += 9 }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
