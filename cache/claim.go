package cache

import (
	"context"
	"fmt"
	"io"
	"math"
	"sync"
)

const (
	// farAhead is how far in front of a claim's next byte a waiting reader must
	// be to get a claim of its own: nearer bytes come sooner by themselves than
	// by another request.
	farAhead = 1 << 20
	// joinGap is how many missing bytes in front of a wanted one are fetched
	// with it when they are wanted anyway: less than another request costs.
	joinGap = 256 << 10
)

// Claim is a range of a fill that its holder alone fetches. Write and EOF are
// for one goroutine at a time; claims of one fill are independent.
type Claim struct {
	// Off and End are the bytes to ask for: [Off,End), End -1 when the size of
	// the blob is not known and everything from Off on is wanted. The claim may
	// be cut short later; it never grows.
	Off, End int64

	f      *Fill
	source string
	hold   bool  // readers wait for the digest
	pos    int64 // next byte to write
	floor  int64 // end of the write under way: no cut goes below
	lim    int64 // forever when the end is not known
	logged int64 // journalled up to here
	done   chan struct{}
	once   sync.Once
}

// Claim waits for a range that is wanted, not there and fetched by nobody, and
// hands it out: what somebody waits for longest first, then the lowest. The
// claim must be Released. ErrComplete: Commit is next. ErrIdle: nobody is left.
// Any other error is the fill's, or ctx's.
func (f *Fill) Claim(ctx context.Context) (*Claim, error) {
	return f.ClaimAtMost(ctx, math.MaxInt64)
}

// ClaimAtMost is Claim for several connections on one blob: no claim is longer
// than most bytes, once the size is known. Until then the first claim goes to the
// end; its holder can share it with Limit.
func (f *Fill) ClaimAtMost(ctx context.Context, most int64) (*Claim, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.failure != nil:
			return nil, f.failure
		case f.complete():
			return nil, ErrComplete
		case len(f.readers) == 0 && !f.wantAll:
			return nil, ErrIdle
		}
		if p, end, ok := f.pick(); ok {
			return f.newClaim(p, end, max(most, 1)), nil
		}
		if err := f.wait(ctx); err != nil {
			return nil, err
		}
	}
}

func (f *Fill) newClaim(p, end, most int64) *Claim {
	if c := f.claimAt(p); c != nil {
		c.cutTo(p)
	}
	lim := min(end, f.have.next(p))
	for _, c := range f.claims {
		if c.pos > p {
			lim = min(lim, c.pos)
		}
	}
	if f.size >= 0 && lim-p > most {
		lim = p + most
	}
	c := &Claim{Off: p, End: lim, f: f, pos: p, floor: p, lim: lim, logged: p, done: make(chan struct{})}
	if lim == forever {
		c.End = -1
	}
	f.claims = append(f.claims, c)
	return c
}

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

// cutTo makes the claim end at n, or behind the write under way if that is
// farther. Needs the fill's mu.
func (c *Claim) cutTo(n int64) {
	if n >= c.lim {
		return
	}
	c.lim = max(n, c.floor)
	if c.lim == c.floor {
		c.once.Do(func() { close(c.done) })
	}
}

func (c *Claim) stop() { c.cutTo(c.floor) }

// Done is closed when nothing more of this claim is wanted: a source that is
// being waited for can be left.
func (c *Claim) Done() <-chan struct{} { return c.done }

// Pos is the offset of the next byte to write.
func (c *Claim) Pos() int64 {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	return c.pos
}

// Remaining is how many bytes are still to be written, -1 if unknown.
func (c *Claim) Remaining() int64 {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if c.lim == forever {
		return -1
	}
	return c.lim - c.pos
}

// Limit gives back everything behind the next n bytes, for others to claim.
func (c *Claim) Limit(n int64) {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if n >= 0 && n < forever-c.pos {
		c.cutTo(c.pos + n)
		c.f.announce()
	}
}

// From says who brings the bytes that this claim writes from now on, and whether
// readers must wait for them until the digest fits: withhold is for a source that
// nobody knows yet. Without it they are nobody's in particular and go out at
// once. Like Write, for one goroutine at a time.
func (c *Claim) From(source string, withhold bool) {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.source, c.hold = source, withhold
}

// SetSize is the fill's.
func (c *Claim) SetSize(n int64) error { return c.f.SetSize(n) }

// Write appends p to what this claim has written; readers have it at once,
// unless it is withheld. It writes less than p, with ErrStop, when the claim was
// cut short or p is longer than the claim. *NoSpaceError or *DiskError: the fill
// is over, Fail is next. p is not kept.
func (c *Claim) Write(p []byte) (int, error) {
	f := c.f
	off, n, err := c.begin(len(p))
	if err != nil {
		return 0, err
	}
	m, werr := f.writeAt(p[:n], off)
	front, due := c.written(int64(m), werr)
	if front {
		f.hashFront(p[:m])
	}
	if due {
		c.log(false)
	}
	err = c.endWrite(werr)
	if err == nil && n < len(p) {
		err = ErrStop
	}
	return m, err
}

// writeAt writes to the file; if the disk is full of what nobody uses, it makes
// room and goes on.
func (f *Fill) writeAt(p []byte, off int64) (int, error) {
	n, err := f.w.WriteAt(p, off)
	if err != nil && isNoSpace(err) && f.c.makeRoom(int64(len(p))) {
		var more int
		more, err = f.w.WriteAt(p[n:], off+int64(n))
		n += more
	}
	return n, err
}

// begin reserves the next n bytes, at most want.
func (c *Claim) begin(want int) (off int64, n int, err error) {
	f := c.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failure != nil {
		return 0, 0, f.failure
	}
	n = int(min(int64(want), c.lim-c.pos))
	if n == 0 && want > 0 {
		return 0, 0, ErrStop
	}
	c.floor = c.pos + int64(n)
	f.writing++
	return c.pos, n, nil
}

// written announces n bytes at the claim's position. front: they are the
// caller's to hash. due: the journal should learn of them.
func (c *Claim) written(n int64, err error) (front, due bool) {
	f := c.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if front = c.pos == f.hashed && !f.hashing && n > 0; front {
		f.hashing = true
	}
	f.have.add(c.pos, c.pos+n)
	f.parts.set(Part{c.pos, c.pos + n, c.source, c.hold})
	if c.hold {
		f.held.add(c.pos, c.pos+n)
		if !f.whole && !f.wantAll && f.wantedWhole() {
			f.announce()
		}
	}
	c.pos += n
	c.floor = c.pos
	due = c.pos-c.logged >= journalEvery
	if err != nil {
		f.breakOff(diskFault("write "+f.key.hex(), err), true)
		return front, due
	}
	f.wake()
	if f.complete() {
		f.announce()
	}
	return front, due
}

func (c *Claim) endWrite(werr error) error {
	f := c.f
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writing--
	f.cond.Broadcast()
	if werr != nil {
		return diskFault("write "+f.key.hex(), werr)
	}
	return nil
}

// log journals what was written since the last record: when enough came
// together, or now.
func (c *Claim) log(now bool) {
	f := c.f
	f.mu.Lock()
	from, to := c.logged, c.pos
	// A fill that is ending writes down the rest by itself.
	due := (to-from >= journalEvery || (now && to > from)) && !f.ending
	var grown int64
	if due {
		c.logged = to
		grown = f.have.total - f.counted
		f.counted = f.have.total
		f.unsynced += to - from
	}
	f.mu.Unlock()
	if !due {
		return
	}
	f.logParts(from, to)
	f.c.grew(f, grown)
}

// logParts journals who brought what is there of [from,to). Needs mu not.
func (f *Fill) logParts(from, to int64) {
	var few [4]Part
	f.mu.Lock()
	some := f.parts.within(few[:0], from, to)
	f.mu.Unlock()
	for _, p := range some {
		_ = f.journal.part(p)
	}
}

// EOF says that the source ended here. It sets the size of a blob whose size was
// not known; io.ErrUnexpectedEOF if more should have come.
func (c *Claim) EOF() error {
	f := c.f
	f.mu.Lock()
	pos, size, short := c.pos, f.size, c.pos < c.lim
	stopped := c.lim == c.floor
	f.mu.Unlock()
	if size < 0 && !stopped {
		return f.SetSize(pos)
	}
	if short {
		return fmt.Errorf("cache: %s: the source ended at byte %d: %w", f.digest, pos, io.ErrUnexpectedEOF)
	}
	return nil
}

// Release gives back what was not written. It may be called more than once.
func (c *Claim) Release() {
	f := c.f
	f.mu.Lock()
	f.writing++
	f.mu.Unlock()
	c.log(true)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writing--
	f.cond.Broadcast()
	for i, other := range f.claims {
		if other == c {
			f.claims = append(f.claims[:i], f.claims[i+1:]...)
			if c.logged < c.pos {
				f.late = append(f.late, span{c.logged, c.pos})
				c.logged = c.pos
			}
			break
		}
	}
	c.stop()
	f.announce()
}
