package cache

import (
	"slices"
	"sort"
)

// Part says who brought the bytes [Off,End) of a blob in flight. Withheld: no
// reader gets them before the digest fits.
type Part struct {
	Off, End int64
	Source   string // as Claim.From was told; "" for nobody in particular
	Withheld bool
}

func (p Part) like(q Part) bool { return p.Source == q.Source && p.Withheld == q.Withheld }

// parts are sorted and do not overlap; neighbours that are alike are one.
type parts []Part

// at is the index of the first part that ends after off.
func (ps parts) at(off int64) int {
	return sort.Search(len(ps), func(i int) bool { return ps[i].End > off })
}

// set says whose p's bytes are, whatever was known of them. The usual case, a
// part that grows at its end, costs a search and no allocation.
func (ps *parts) set(p Part) {
	if p.Off >= p.End {
		return
	}
	s := *ps
	// [i,j): the parts that p overlaps; what it leaves of them stays.
	i := s.at(p.Off)
	j := i
	for j < len(s) && s[j].Off < p.End {
		j++
	}
	var room [3]Part
	with := room[:0]
	if i < j && s[i].Off < p.Off {
		before := s[i]
		before.End = p.Off
		with = append(with, before)
	} else if i > 0 && s[i-1].End == p.Off {
		i--
		with = append(with, s[i])
	}
	if last := len(with) - 1; last >= 0 && with[last].like(p) {
		p.Off = with[last].Off
		with = with[:last]
	}
	var rest Part // empty: p reaches as far as what it overlaps
	if j > i && s[j-1].End > p.End {
		rest = s[j-1]
		rest.Off = p.End
	} else if j < len(s) && s[j].Off == p.End {
		rest = s[j]
		j++
	}
	if rest.End > 0 && rest.like(p) {
		p.End, rest = rest.End, Part{}
	}
	with = append(with, p)
	if rest.End > 0 {
		with = append(with, rest)
	}
	if len(with) == j-i {
		copy(s[i:j], with)
		return
	}
	*ps = slices.Replace(s, i, j, with...)
}

// cut takes everything from end on out.
func (ps *parts) cut(end int64) {
	s := *ps
	n := sort.Search(len(s), func(i int) bool { return s[i].Off >= end })
	s = s[:n]
	if n > 0 {
		s[n-1].End = min(s[n-1].End, end)
	}
	*ps = s
}

// within appends what is known of [off,end) to dst.
func (ps parts) within(dst []Part, off, end int64) []Part {
	for i := ps.at(off); i < len(ps) && ps[i].Off < end; i++ {
		p := ps[i]
		p.Off, p.End = max(p.Off, off), min(p.End, end)
		dst = append(dst, p)
	}
	return dst
}

// withheld are the bytes that wait for the digest.
func (ps parts) withheld() (r ranges) {
	for _, p := range ps {
		if p.Withheld {
			r.add(p.Off, p.End)
		}
	}
	return r
}
