package cache

const (
	// farAhead is how far in front of a claim's next byte a waiting reader must
	// be to get a claim of its own: nearer bytes come sooner by themselves than
	// by another request.
	farAhead = 1 << 20
	// joinGap is how many missing bytes in front of a wanted one are fetched
	// with it when they are wanted anyway: less than another request costs.
	joinGap = 256 << 10
)

// pick finds the most urgent missing byte and how far from it bytes are wanted.
// Needs mu.
func (f *Fill) pick() (p, end int64, ok bool) {
	var urgent *Reader
	p = forever
	for r := range f.readers {
		if f.urgent(r) && (urgent == nil || r.since < urgent.since) {
			urgent = r
		}
		if free, ok := f.firstFree(r.pos, r.limit()); ok {
			p = min(p, free)
		}
	}
	all := f.wantedWhole()
	switch {
	case urgent != nil:
		p = urgent.pos
	case p == forever && all:
		if p, ok = f.firstFree(0, f.end()); !ok {
			return 0, 0, false
		}
	case p == forever:
		return 0, 0, false
	}
	if !all {
		return p, f.wantedFrom(p), true
	}
	if gap := f.freeFrom(p); p-gap <= joinGap {
		p = gap
	}
	return p, f.end(), true
}

// wantedWhole reports whether every byte is wanted: somebody said so, or wants
// a byte that is withheld, which only the digest of the whole can release.
// Needs mu.
func (f *Fill) wantedWhole() bool {
	if f.whole || f.wantAll {
		return true
	}
	if len(f.held.s) == 0 {
		return false
	}
	for r := range f.readers {
		if f.held.next(r.pos) < r.limit() {
			return true
		}
	}
	return false
}

// urgent reports whether r waits for a byte that nobody brings soon. Needs mu.
func (f *Fill) urgent(r *Reader) bool {
	if r.pos >= r.limit() || f.have.covered(r.pos) > r.pos {
		return false
	}
	c := f.claimAt(r.pos)
	return c == nil || r.pos-c.floor >= farAhead
}

// claimAt is the claim that will bring the byte at off, nil if none. Needs mu.
func (f *Fill) claimAt(off int64) *Claim {
	for _, c := range f.claims {
		if c.pos <= off && off < c.lim {
			return c
		}
	}
	return nil
}

// firstFree is the first byte of [off,end) that is neither there nor claimed.
// Needs mu.
func (f *Fill) firstFree(off, end int64) (int64, bool) {
	for off < end {
		if e := f.have.covered(off); e > off {
			off = e
		} else if c := f.claimAt(off); c != nil {
			off = c.lim
		} else {
			return off, true
		}
	}
	return 0, false
}

// freeFrom is where the run of free bytes begins that ends before off. Needs mu.
func (f *Fill) freeFrom(off int64) int64 {
	from := int64(0)
	if i := f.have.at(off); i > 0 {
		from = f.have.s[i-1].end
	}
	for _, c := range f.claims {
		if c.pos <= off {
			from = max(from, min(c.lim, off))
		}
	}
	return from
}

// wantedFrom is the end of the unbroken run of bytes that readers want from off
// on. Needs mu.
func (f *Fill) wantedFrom(off int64) int64 {
	for end := off; ; {
		grown := end
		for r := range f.readers {
			if r.pos <= grown && r.limit() > grown {
				grown = r.limit()
			}
		}
		if grown == end {
			return end
		}
		end = grown
	}
}

// cutUnwanted stops claims that no reader wants any more. With no reader left
// at all the driver decides, not we. Needs mu.
func (f *Fill) cutUnwanted() {
	if len(f.readers) == 0 || f.wantedWhole() {
		return
	}
	for _, c := range f.claims {
		most := c.floor
		for r := range f.readers {
			if r.pos < c.lim && r.limit() > c.floor {
				most = max(most, min(c.lim, r.limit()))
			}
		}
		c.cutTo(most)
	}
}
