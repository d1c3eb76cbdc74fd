package cache

import (
	"math"
	"slices"
	"sort"
)

// forever is the end of a range whose end is not known yet.
const forever = math.MaxInt64

// span is the bytes [off,end).
type span struct{ off, end int64 }

// ranges is a set of bytes: sorted spans that neither overlap nor touch. The
// zero value is empty.
type ranges struct {
	s     []span
	total int64
}

// at is the index of the first span that ends after off.
func (r *ranges) at(off int64) int {
	return sort.Search(len(r.s), func(i int) bool { return r.s[i].end > off })
}

// covered returns the end of the unbroken run of bytes that begins at off: off
// itself when that byte is not there.
func (r *ranges) covered(off int64) int64 {
	if i := r.at(off); i < len(r.s) && r.s[i].off <= off {
		return r.s[i].end
	}
	return off
}

// next returns where the first byte at or after off is, forever if there is none.
func (r *ranges) next(off int64) int64 {
	if i := r.at(off); i < len(r.s) {
		return max(off, r.s[i].off)
	}
	return forever
}

// add puts [off,end) into the set. The usual case, a span that grows at its end,
// costs a search and no allocation.
func (r *ranges) add(off, end int64) {
	if off >= end {
		return
	}
	// i: first span that touches [off,end); j: first one behind it that does not.
	i := sort.Search(len(r.s), func(i int) bool { return r.s[i].end >= off })
	j := i
	for j < len(r.s) && r.s[j].off <= end {
		r.total -= r.s[j].end - r.s[j].off
		off, end = min(off, r.s[j].off), max(end, r.s[j].end)
		j++
	}
	r.total += end - off
	if j == i+1 {
		r.s[i] = span{off, end}
		return
	}
	r.s = slices.Replace(r.s, i, j, span{off, end})
}

// cut takes everything from end on out of the set.
func (r *ranges) cut(end int64) {
	for n := len(r.s); n > 0; n-- {
		last := &r.s[n-1]
		if last.end <= end {
			return
		}
		if last.off < end {
			r.total -= last.end - end
			last.end = end
			return
		}
		r.total -= last.end - last.off
		r.s = r.s[:n-1]
	}
}
