package cache

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"os"
	"sync"

	"github.com/opencontainers/go-digest"
)

// HoldBack is how many bytes at the end of a blob a reader that carries it to
// its end keeps until the digest fits: a wrong blob is then a broken transfer
// for every client, however lenient, and never a complete one. A blob no larger
// than that is not begun before it is proved.
const HoldBack = 64 << 10

// syncEvery is how many new bytes make a sync of a running download worth while:
// a power loss costs about that much.
const syncEvery = 64 << 20

// Fill is a blob in flight: a file with holes, the readers that want parts of
// it, and the claims that bring them. There is at most one per digest, and
// everybody Joins it.
//
// The one for whom Join said first drives it, after registering a Reader:
// Claim, fetch, Write, Release, again; ErrComplete → Commit; *DigestError from
// that → Amend and Commit again, or Fail; ErrIdle → WantAll or EndIdle; a source
// that cannot be had → Fail. To serve somebody's range
// while a slow claim is far away from it, call Claim again while other claims
// are being fetched: it blocks until there is something to do.
//
// All methods may be called concurrently.
type Fill struct {
	c      *Cache
	key    key
	digest digest.Digest
	done   chan struct{}

	// The file: w for writing, until the end; r for all readers, until the
	// last reference to it goes.
	w       file
	r       *os.File
	journal *journal

	mu      sync.Mutex
	cond    sync.Cond     // of mu: writing, hashing, ended
	news    chan struct{} // closed at the next change of demand; made when somebody waits
	size    int64         // -1 unknown
	have    ranges
	parts   parts   // who brought what have has
	held    ranges  // of them, what readers get only when the digest fits
	trusted *string // whose bytes alone are shown, after Doubt
	given   ranges  // what closed readers were given
	resumed int64   // bytes found at the start
	claims  []*Claim
	late    []span // what released claims wrote and could not journal any more: the fill was ending
	readers map[*Reader]struct{}
	seq     uint64 // orders readers by how long they wait
	idle    chan struct{}
	wantAll bool // the driver wants it whole
	whole   bool // a reader wanted it whole

	hash     hash.Hash // of [0,hashed); touched by the one who set hashing
	hashed   int64
	hashing  bool
	writing  int // writes on their way to the disk
	counted  int64
	unsynced int64

	refs      int   // of r
	failure   error // set: readers and claims get it
	suspect   bool  // what is on disk is not worth keeping
	proving   bool  // a Commit is looking at the digest
	wrong     error // *DigestError: it did not fit; nobody gets a byte until it does
	amended   bool  // something was changed since
	verified  bool
	committed error // what Commit answered
	ending    bool  // a Commit that succeeded, or Fail, has taken over
	ended     bool
}

func newFill(c *Cache, k key, d digest.Digest, p progress, w file, r *os.File, j *journal) *Fill {
	f := &Fill{
		c: c, key: k, digest: d, done: make(chan struct{}),
		w: w, r: r, journal: j,
		size: p.size, have: p.have, parts: p.parts, held: p.parts.withheld(),
		resumed: p.have.total, counted: p.have.total,
		readers: make(map[*Reader]struct{}),
		idle:    make(chan struct{}),
		hash:    sha256.New(),
		refs:    1,
	}
	f.cond.L = &f.mu
	close(f.idle)
	return f
}

// Digest is the name of the blob.
func (f *Fill) Digest() digest.Digest { return f.digest }

// Size is the blob's size in bytes, -1 while nobody knows it.
func (f *Fill) Size() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size
}

// Have is how many bytes are there.
func (f *Fill) Have() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.have.total
}

// Resumed is how many bytes were there when this fill began.
func (f *Fill) Resumed() int64 { return f.resumed }

// Readers is how many readers are open.
func (f *Fill) Readers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.readers)
}

// WasWhole reports whether any reader asked for the blob to its end.
func (f *Fill) WasWhole() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.whole
}

// Idle is closed while the fill has no reader. A reader that comes makes a new
// channel, so ask again after each wake-up, and leave with EndIdle.
func (f *Fill) Idle() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.idle
}

// Done is closed when the fill has ended: committed, failed or given up. Err
// then says how.
func (f *Fill) Done() <-chan struct{} { return f.done }

// Err is nil before the end and after a Commit, ErrEnded if the fill was given
// up for want of readers, and the failure else.
func (f *Fill) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failure
}

// WantAll makes the whole blob wanted, readers or not.
func (f *Fill) WantAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wantAll = true
	f.announce()
}

// SetSize says how large the blob is. It fails with *SizeError if that
// contradicts what is known or there, and with *NoSpaceError if a blob of that
// size cannot be kept: Fail is next in both cases.
func (f *Fill) SetSize(n int64) error {
	f.mu.Lock()
	err := f.setSize(n)
	missing := n - f.have.total
	f.mu.Unlock()
	if err != nil {
		return err
	}
	if err := f.c.admit(n, missing); err != nil {
		f.mu.Lock()
		f.breakOff(err, true)
		f.mu.Unlock()
		return err
	}
	_ = f.journal.record(kindSize, n, 0)
	return nil
}

func (f *Fill) setSize(n int64) error {
	switch {
	case f.failure != nil:
		return f.failure
	case f.size == n:
		return nil
	case n < 0 || f.size >= 0:
		return f.contradiction(f.size, n)
	}
	most := int64(0)
	if len(f.have.s) > 0 {
		most = f.have.s[len(f.have.s)-1].end
	}
	for _, c := range f.claims {
		most = max(most, c.floor)
	}
	if most > n {
		return f.contradiction(most, n)
	}
	f.size = n
	for _, c := range f.claims {
		c.cutTo(n)
	}
	f.wake()
	f.announce()
	return nil
}

func (f *Fill) contradiction(have, said int64) error {
	err := &SizeError{Digest: f.digest, Have: have, Said: said}
	f.suspect = true
	return err
}

// WaitSize waits until the size is known, the fill has ended or ctx is done.
func (f *Fill) WaitSize(ctx context.Context) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.size < 0 {
		if f.failure != nil {
			return -1, f.failure
		}
		if err := f.wait(ctx); err != nil {
			return -1, err
		}
	}
	return f.size, nil
}

// wait lets go of mu until something changed.
func (f *Fill) wait(ctx context.Context) error {
	if f.news == nil {
		f.news = make(chan struct{})
	}
	news := f.news
	f.mu.Unlock()
	defer f.mu.Lock()
	select {
	case <-news:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// announce tells those in wait. Needs mu.
func (f *Fill) announce() {
	if f.news != nil {
		close(f.news)
		f.news = nil
	}
}

// wake tells the readers for whom there is something new. Needs mu.
func (f *Fill) wake() {
	for r := range f.readers {
		if r.waiting && (f.failure != nil || r.broken != nil || r.ready() != 0) {
			r.waiting = false
			select {
			case r.bell <- struct{}{}:
			default:
			}
		}
	}
}

// complete reports whether every byte is there. Needs mu.
func (f *Fill) complete() bool { return f.size >= 0 && f.have.total >= f.size }

// end is where the blob ends as far as is known. Needs mu.
func (f *Fill) end() int64 {
	if f.size < 0 {
		return forever
	}
	return f.size
}

// breakOff makes the fill useless: readers get what they still can, then err.
// The driver learns of it from Claim or Write and calls Fail. Needs mu.
func (f *Fill) breakOff(err error, drop bool) {
	if f.failure == nil && !f.verified {
		f.failure = err
	}
	f.suspect = f.suspect || drop
	for _, c := range f.claims {
		c.stop()
	}
	f.wake()
	f.announce()
	f.cond.Broadcast()
}

// Fail ends the fill: readers drain what is there and get err (nil: ErrEnded).
// The bytes stay for a later Join, unless they cannot be trusted or the disk is
// full. After a Commit that said *DigestError the bytes go, and that error is
// what readers get. It returns when the files are closed; after a Commit that
// succeeded it does nothing.
func (f *Fill) Fail(err error) {
	if err == nil {
		err = ErrEnded
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail(err)
}

// EndIdle ends the fill if it has no reader, and reports whether it did. The
// bytes stay for a later Join.
func (f *Fill) EndIdle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		if len(f.readers) > 0 && f.failure == nil {
			return false
		}
		if !f.proving {
			f.fail(ErrEnded)
			return true
		}
		f.cond.Wait()
	}
}

// fail needs mu, lets it go and returns with it held.
func (f *Fill) fail(err error) {
	for f.proving {
		f.cond.Wait()
	}
	if f.ending {
		for !f.ended {
			f.cond.Wait()
		}
		return
	}
	if f.wrong != nil {
		err = f.wrong
	}
	f.ending = true
	f.breakOff(err, isSuspect(err))
	f.finish(func() {
		if f.suspect || f.have.total == 0 {
			f.c.dropPartial(f)
			return
		}
		f.flushClaims()
		f.c.keepPartial(f)
	})
}

// isSuspect reports whether a failure says that the bytes on disk are no good,
// or in the way.
func isSuspect(err error) bool {
	var de *DigestError
	var se *SizeError
	var ns *NoSpaceError
	var disk *DiskError
	return errors.As(err, &de) || errors.As(err, &se) || errors.As(err, &ns) || errors.As(err, &disk)
}

// finish waits for the writes under way, lets settle close the files and decide
// about them, and takes the fill off the cache's list. Needs mu and f.ending;
// lets mu go meanwhile.
func (f *Fill) finish(settle func()) {
	for f.writing > 0 || f.hashing {
		f.cond.Wait()
	}
	for _, c := range f.claims {
		c.stop()
	}
	f.mu.Unlock()
	settle()
	f.c.forget(f)
	f.mu.Lock()
	f.ended = true
	f.cond.Broadcast()
	f.unref()
	close(f.done)
}

// flushClaims journals what claims have written since their last record.
func (f *Fill) flushClaims() {
	f.mu.Lock()
	late := f.late
	f.late = nil
	for _, c := range f.claims {
		if c.logged < c.pos {
			late = append(late, span{c.logged, c.pos})
			c.logged = c.pos
		}
	}
	f.mu.Unlock()
	for _, s := range late {
		f.logParts(s.off, s.end)
	}
}

func (f *Fill) closeFiles() {
	_ = f.w.Close()
	_ = f.journal.close()
}

// sync makes what is there durable, if enough came together since the last time.
func (f *Fill) sync() {
	f.mu.Lock()
	if f.ending || f.proving || f.unsynced < syncEvery {
		f.mu.Unlock()
		return
	}
	f.unsynced = 0
	f.writing++
	f.mu.Unlock()
	_ = f.journal.sync(f.w)
	f.mu.Lock()
	f.writing--
	f.cond.Broadcast()
	f.mu.Unlock()
}

// unref lets go of the read handle. Needs mu.
func (f *Fill) unref() {
	if f.refs--; f.refs == 0 {
		_ = f.r.Close()
	}
}
