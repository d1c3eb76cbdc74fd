package cache

import (
	"context"
	"fmt"
	"io"
	"math"
	"sync"
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
	c.source, c.hold = source, withhold || c.f.doubts(source)
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
