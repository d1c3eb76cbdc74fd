package cache

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"os"
)

// Reader reads a part of a fill while it arrives. One goroutine reads; Close
// may come from another. It must be closed: its demand stands until then.
type Reader struct {
	f       *Fill
	ctx     context.Context //nolint:containedctx // io.Reader has no place for it
	start   int64           // of f.mu, as are the others
	pos     int64
	out     int64 // end of what is being handed out
	end     int64 // forever: to the end
	whole   bool
	since   uint64 // when it began to wait
	starved bool
	waiting bool
	closed  bool
	broken  error         // *DigestError: it was given bytes that were wrong
	bell    chan struct{} // one token: look again
	own     *os.File      // for sendfile
}

// Reader registers demand for n bytes from off on; n -1 means to the end. whole
// says that this response carries the blob to its end, so that its last HoldBack
// bytes wait for the digest; it makes the rest of the blob wanted too, after
// everything that somebody waits for. A client that only looks at a few bytes
// near the end is not whole.
//
// ErrStored and ErrEnded: the fill is over, Get and Join again.
func (f *Fill) Reader(ctx context.Context, off, n int64, whole bool) (*Reader, error) {
	if off < 0 || n < -1 {
		return nil, fmt.Errorf("cache: %s: range %d+%d is none", f.digest, off, n)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.failure != nil:
		return nil, f.failure
	case f.ended:
		return nil, ErrStored
	}
	r := &Reader{f: f, ctx: ctx, start: off, pos: off, out: off, end: forever, whole: whole, bell: make(chan struct{}, 1)}
	if n >= 0 && n < forever-off {
		r.end = off + n
	}
	f.seq++
	r.since = f.seq
	r.starved = true
	if len(f.readers) == 0 {
		f.idle = make(chan struct{})
	}
	f.readers[r] = struct{}{}
	f.refs++
	f.whole = f.whole || whole
	f.announce()
	return r, nil
}

// limit is where this reader's bytes end, as far as is known. Needs mu.
func (r *Reader) limit() int64 { return min(r.end, r.f.end()) }

// ready is how many bytes can be read now; -1 at the end. Only unbroken runs of
// bytes that are there and not withheld can. Needs mu.
func (r *Reader) ready() int64 {
	f := r.f
	if f.suspectNow() {
		return 0
	}
	unproved := r.whole && !f.verified
	if r.pos >= r.limit() && !unproved {
		return -1
	}
	lim := min(r.limit(), f.have.covered(r.pos))
	if unproved && f.size >= 0 {
		lim = min(lim, f.size-HoldBack)
	} else if unproved { // any byte may be the last
		lim -= HoldBack
	}
	if !f.verified {
		lim = min(lim, f.held.next(r.pos))
	}
	return max(0, lim-r.pos)
}

// next waits for bytes at the reader's position, and marks at most most of them
// as given. With poll it returns 0 instead of waiting.
func (r *Reader) next(most int64, poll bool) (off, n int64, err error) {
	f := r.f
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		n := r.ready()
		switch {
		case r.closed:
			return 0, 0, os.ErrClosed
		case r.broken != nil:
			return 0, 0, r.broken
		case n > 0:
			r.starved = false
			n = min(n, most)
			r.out = r.pos + n
			return r.pos, n, nil
		case n < 0:
			return 0, 0, io.EOF
		case f.failure != nil && f.wrong != nil && r.pos > r.start: // what it was given may be wrong
			return 0, 0, f.wrong
		case f.failure != nil:
			return 0, 0, f.failure
		case poll:
			return 0, 0, nil
		}
		if !r.starved {
			r.starved = true
			f.seq++
			r.since = f.seq
			if f.news != nil && f.urgent(r) {
				f.announce()
			}
		}
		if err := r.wait(); err != nil {
			return 0, 0, err
		}
	}
}

// suspectNow reports whether the bytes turned out wrong: then not one more is
// handed out, nor does a range end well, until somebody put them right. After a
// full disk or a lost source they are still right as far as anybody knows. Needs
// mu.
func (f *Fill) suspectNow() bool {
	if f.wrong != nil {
		return true
	}
	_, wrong := f.failure.(*DigestError) //nolint:errorlint // set by us, never wrapped
	return wrong
}

// wait lets go of mu until the bell rings.
func (r *Reader) wait() error {
	r.waiting = true
	r.f.mu.Unlock()
	defer r.f.mu.Lock()
	select {
	case <-r.bell:
		return nil
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
}

func (r *Reader) advance(n int64) {
	r.f.mu.Lock()
	r.pos += n
	r.out = r.pos
	r.f.mu.Unlock()
}

// Offset is the blob's offset of the next byte: after a failure, where to go on
// from elsewhere.
func (r *Reader) Offset() int64 {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	return r.pos
}

// Read waits for bytes that are not there yet. It ends with io.EOF, with the
// fill's failure after handing out what is there, or with ctx's cause.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	off, n, err := r.next(int64(len(p)), false)
	if err != nil {
		return 0, err
	}
	m, err := r.f.r.ReadAt(p[:n], off)
	r.advance(int64(m))
	if m > 0 || err == nil {
		return m, nil
	}
	return 0, diskFault("read "+r.f.key.hex(), err)
}

// sendAtMost is how much is handed to one ReadFrom, so that the position other
// readers' claims are measured by does not stand still for long.
const sendAtMost = 4 << 20

// WriteTo copies everything to w as it arrives. If w reads from files itself
// (sendfile), it is given one; if it can Flush, it is flushed before each wait,
// so that no byte lies in a buffer meanwhile.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	total := int64(0)
	flusher, _ := w.(interface{ Flush() })
	from, _ := w.(io.ReaderFrom)
	most := int64(bufSize)
	if from != nil {
		most = sendAtMost
	}
	for dirty := false; ; {
		off, n, err := r.next(most, dirty && flusher != nil)
		if err == nil && n == 0 {
			flusher.Flush()
			dirty = false
			continue
		}
		if err == io.EOF { //nolint:errorlint // next's own
			return total, nil
		}
		if err != nil {
			return total, err
		}
		m, err := r.send(w, from, off, n)
		total += m
		r.advance(m)
		dirty = true
		if err != nil {
			return total, err
		}
	}
}

func (r *Reader) send(w io.Writer, from io.ReaderFrom, off, n int64) (int64, error) {
	if from != nil && r.openOwn() {
		if _, err := r.own.Seek(off, io.SeekStart); err != nil {
			return 0, diskFault("read "+r.f.key.hex(), err)
		}
		m, err := from.ReadFrom(&io.LimitedReader{R: r.own, N: n})
		if err == nil && m == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && ReadFailed(err) {
			err = diskFault("read "+r.f.key.hex(), err)
		}
		return m, err
	}
	buf := bufPool.Get().(*[]byte)
	defer bufPool.Put(buf)
	m, err := r.f.r.ReadAt((*buf)[:min(n, bufSize)], off)
	if m == 0 {
		return 0, diskFault("read "+r.f.key.hex(), err)
	}
	m, err = w.Write((*buf)[:m])
	return int64(m), err
}

// openOwn opens the file once more, with an offset of its own. The path may
// have become the blob's, or another download's: then the copy goes by hand.
func (r *Reader) openOwn() bool {
	if r.own != nil {
		return true
	}
	want, err := r.f.r.Stat()
	if err != nil {
		return false
	}
	c := r.f.c
	c.place.RLock()
	download := c.partialPath(r.f.key)
	c.place.RUnlock()
	for _, name := range []string{download, c.blobPath(r.f.key)} {
		f, err := openShared(name, os.O_RDONLY, 0)
		if err != nil {
			continue
		}
		if fi, err := f.Stat(); err == nil && os.SameFile(fi, want) && r.keepOwn(f) {
			return true
		}
		_ = f.Close()
	}
	return false
}

func (r *Reader) keepOwn(f *os.File) bool {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	if r.closed {
		return false
	}
	r.own = f
	return true
}

// Hash is the sha256 of everything before Offset, for going on from elsewhere
// when the disk is full: the end can then still be held back until it fits.
// False when some of it is not there. The reader must not be closed yet.
func (r *Reader) Hash() (hash.Hash, bool) {
	f := r.f
	f.mu.Lock()
	pos := r.pos
	there := f.have.covered(0) >= pos && !r.closed
	f.mu.Unlock()
	if !there {
		return nil, false
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f.r, 0, pos)); err != nil {
		return nil, false
	}
	return h, true
}

// Close ends the demand. It may be called more than once.
func (r *Reader) Close() error {
	f := r.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	delete(f.readers, r)
	f.given.add(r.start, r.out)
	if r.own != nil {
		_ = r.own.Close()
	}
	select { // a Read in another goroutine ends
	case r.bell <- struct{}{}:
	default:
	}
	if len(f.readers) == 0 {
		close(f.idle)
	}
	f.cutUnwanted()
	f.announce()
	f.unref()
	return nil
}
