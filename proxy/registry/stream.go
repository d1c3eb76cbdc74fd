package registry

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"net/http"
	"time"

	"pulley/cache"
)

// stream is one answer out of a blob in flight. It belongs to the goroutine of
// its request.
type stream struct {
	h     *Handler
	x     *exchange
	req   *Request
	fill  *cache.Fill
	drive *drive
	specs []rangeSpec
	first bool // this request drives the fill, and pays for it

	ctx     context.Context //nolint:containedctx // the request's, cut short while nothing has come
	cancel  context.CancelCauseFunc
	started bool
	readers []*cache.Reader // one per span, in order
	from    []int64         // where each of them began
	behind  bool            // the client has what is in front of them already
	done    bool            // the client was sent everything
	whole   bool            // the answer carries the blob to its end
	early   []byte          // read to see whether anything comes at all
	coming  chan peeked     // what is still being read for that; nil: nothing
	size    int64
}

// errWrongPrefix is the cause of an answer broken off because its client would put
// it behind wrong bytes that it was given earlier.
var errWrongPrefix = errors.New("the client holds wrong bytes in front of these, and is sent the whole blob when it asks again")

// errSlow is the cause of a request given up because nothing came.
var errSlow = errors.New("nothing came from upstream in time")

// patience is how long a client waits for the first byte. One that can go to
// the origin itself is sent there in time.
func (s *stream) patience() time.Duration {
	if s.req.fallsBack() {
		return s.h.opt.Waits.First
	}
	return 2 * s.h.opt.Waits.First
}

// serve answers; false: the fill was over before it began to.
func (s *stream) serve() bool {
	s.ctx, s.cancel = context.WithCancelCause(s.req.Context())
	err := s.open()
	s.drive.opened(s)
	s.drives()
	if err == nil {
		err = s.await()
	}
	switch {
	case err == nil:
	case errors.Is(err, cache.ErrStored), errors.Is(err, cache.ErrEnded):
		return false
	case errors.Is(err, errWrongPrefix):
		s.broken(err)
	case errors.Is(err, errRangeBeyond):
		unsatisfiable(s.x, s.req.Request, s.fill.Size())
		return true
	case cache.IsLocal(err):
		s.h.failOpen(s.x, s.req, err)
		return true
	default:
		s.refuse(err)
		return true
	}
	s.x.event.Source = shared
	if err := s.send(); err != nil {
		s.broken(err)
	}
	s.done = true
	if s.whole {
		s.h.manners.served(s.x.visit(s.req.Digest), true) // hashed a moment ago
	}
	return true
}

// open registers what the client wants: before the drive starts, or it would
// find nothing to do.
func (s *stream) open() error {
	if s.fill.Size() < 0 && needSize(s.specs) {
		n, err := s.h.blobSize(s.req)
		if err != nil {
			return err
		}
		if n >= 0 {
			if err := s.fill.SetSize(n); err != nil {
				return err
			}
		} else {
			s.specs = nil // a server may ignore Range (RFC 9110, section 14.2)
		}
	}
	size := s.fill.Size()
	if size >= 0 {
		spans, err := resolve(s.specs, size)
		if err != nil {
			return err
		}
		if len(spans) == 0 {
			spans = []span{{0, size}}
		}
		s.whole = len(spans) == 1 && spans[0].off+spans[0].n == size && (spans[0].off == 0 || s.specs[0].last < 0 && s.specs[0].first >= 0)
		return s.read(spans)
	}
	switch {
	case len(s.specs) == 0:
		s.whole = true
		return s.read([]span{{0, -1}})
	case s.specs[0].last < 0:
		s.whole = true
		return s.read([]span{{s.specs[0].first, -1}})
	default:
		return s.read([]span{{s.specs[0].first, s.specs[0].last - s.specs[0].first + 1}})
	}
}

// needSize says that the ranges cannot be fetched without knowing the size.
func needSize(specs []rangeSpec) bool {
	return len(specs) > 1 || len(specs) == 1 && specs[0].first < 0
}

func (s *stream) read(spans []span) error {
	for _, p := range spans {
		r, err := s.fill.Reader(s.ctx, p.off, p.n, s.whole)
		if err != nil {
			return err
		}
		s.readers, s.from = append(s.readers, r), append(s.from, p.off)
	}
	return nil
}

// opened and closed keep the list of those who are being answered.
func (d *drive) opened(s *stream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.streams == nil {
		d.streams = map[*stream]struct{}{}
	}
	s.behind = len(s.from) > 0 && s.from[0] > 0
	d.streams[s] = struct{}{}
}

func (d *drive) closed(s *stream) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.streams, s)
}

// drives starts the drive if that is this request's to do.
func (s *stream) drives() {
	if s.first && !s.started {
		s.started = true
		s.h.start(s.drive)
	}
}

func (s *stream) close() {
	s.drives() // whoever was first must, whatever became of the request
	s.drive.closed(s)
	for i, r := range s.readers {
		_ = r.Close()
		if i == 0 && s.coming != nil {
			<-s.coming
		}
		s.gave(s.from[i], r.Offset())
	}
	if s.cancel != nil {
		s.cancel(nil)
	}
	if s.first {
		s.x.event.FromNet += s.drive.bill()
		if from := s.drive.tale.sources(); from != "" && s.x.event.Source == shared {
			s.x.event.Source, s.x.event.Way = from, s.drive.tale.way()
		}
		if why := s.drive.tale.troubles(); why != "" {
			s.x.note(why)
		}
	}
	if kept := s.x.event.Bytes - s.x.event.FromNet; kept > 0 && s.x.event.Source != "" {
		s.x.event.FromCache = kept
	}
}

// gave takes down what the client was handed. Whoever is through with an answer
// that ends with the proof has nothing wrong: its reader would have failed.
func (s *stream) gave(off, end int64) {
	v, proved := s.x.visit(s.req.Digest), s.drive.proved()
	if !(s.done && (s.whole || proved)) && s.h.handed.gave(v, stretch{off, end}, s.x.begun, proved) {
		s.h.manners.broke(v)
	}
}

// await waits until it is certain that there is something to send, so that a
// failure can still be told as a status.
func (s *stream) await() error {
	slow := time.AfterFunc(s.patience(), func() { s.cancel(errSlow) })
	defer slow.Stop()
	s.size = -1
	if s.whole {
		select {
		case <-s.drive.answered:
		case <-s.fill.Done():
			if err := s.fill.Err(); err != nil {
				return err
			}
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
	} else if err := s.peek(); err != nil {
		return err
	}
	if s.fill.Size() < 0 && s.drive.total.Load() < 0 {
		return s.unsized()
	}
	size, err := s.fill.WaitSize(s.ctx)
	if err != nil {
		return err
	}
	s.size = size
	return s.promote()
}

// unsized makes the answer the whole blob: the origin does not say how much comes,
// so nor do we, and what part of it is wanted cannot be told.
func (s *stream) unsized() error {
	if len(s.specs) == 0 {
		return nil
	}
	old := s.readers
	s.readers, s.from, s.early, s.specs, s.whole = nil, nil, nil, nil, true
	err := s.read([]span{{0, -1}}) // before the fill has no reader
	for _, r := range old {
		_ = r.Close()
	}
	return err
}

// peeked is what was read of the beginning.
type peeked struct {
	b   []byte
	err error
}

// peek reads the first bytes of the answer. If the blob is on its way and these
// are not shown, perhaps because they have to be proved first, the answer begins
// without them.
func (s *stream) peek() error {
	r, coming := s.readers[0], make(chan peeked, 1)
	s.coming = coming
	go func() {
		buf := make([]byte, 32<<10)
		n, err := r.Read(buf)
		coming <- peeked{buf[:n], err}
	}()
	t := time.NewTimer(s.patience() / 2)
	defer t.Stop()
	select {
	case p := <-coming:
		return s.peeked(p)
	case <-t.C:
	}
	select {
	case <-s.drive.answered:
		if s.fill.Size() >= 0 {
			return nil
		}
	default:
	}
	return s.peeked(<-coming) // ends with the request's patience
}

func (s *stream) peeked(p peeked) error {
	s.coming, s.early = nil, p.b
	if len(p.b) == 0 && errors.Is(p.err, io.EOF) && s.fill.Size() >= 0 {
		return nil // beyond the end: resolve says so
	}
	return p.err
}

// settle waits for what is still being read of the first span's beginning.
func (s *stream) settle() error {
	if s.coming == nil {
		return nil
	}
	return s.peeked(<-s.coming)
}

// promote makes a closed range that turned out to be the whole blob one that is
// proved.
func (s *stream) promote() error {
	if s.whole || len(s.readers) != 1 || len(s.specs) != 1 {
		return nil
	}
	spans, err := resolve(s.specs, s.size)
	if err != nil || len(spans) != 1 || spans[0] != (span{0, s.size}) {
		return err
	}
	s.whole = true
	r, err := s.fill.Reader(s.ctx, 0, -1, true)
	if err != nil {
		return err
	}
	_ = s.readers[0].Close()
	_ = s.settle() // it is read again
	s.readers[0], s.early = r, nil
	return nil
}

// send writes the answer.
func (s *stream) send() error {
	s.x.Header().Set("Accept-Ranges", "bytes")
	b := &body{digest: s.req.Digest, mediaType: octets, size: s.size}
	if s.size < 0 {
		b.describe(s.x.Header())
		s.x.WriteHeader(http.StatusOK)
		return s.copy(s.x, 0, -1)
	}
	i := 0
	b.copy = func(w io.Writer, p span) error {
		err := s.copy(w, i, p.off+p.n)
		i++
		return err
	}
	return b.serve(s.x, s.req.Request, s.specs)
}

// copy writes the i-th span, which ends before end (-1: with the blob), to w. A
// reader whose fill ended without a failure of its own is replaced at the byte
// where it stopped; one that the disk failed goes on from upstream.
func (s *stream) copy(w io.Writer, i int, end int64) error {
	if i == 0 {
		if err := s.settle(); err != nil && len(s.early) == 0 && s.ctx.Err() != nil {
			return context.Cause(s.ctx) // any other is met again below
		}
	}
	if i == 0 && len(s.early) == 0 { // it may be long until the first byte; a client waits less for the header
		s.x.Flush()
	}
	if len(s.early) > 0 && i == 0 {
		if _, err := w.Write(s.early); err != nil {
			return err
		}
		s.early = nil
	}
	for tries := 0; ; tries++ {
		r := s.readers[i]
		before := r.Offset()
		to := w
		if s.behind {
			to = heed(s.ctx, w)
		}
		_, err := r.WriteTo(to)
		if err == nil {
			if end >= 0 && r.Offset() != end {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		off := r.Offset()
		if off > before {
			tries = 0
		}
		switch {
		case s.ctx.Err() != nil:
			return context.Cause(s.ctx)
		case cache.IsLocal(err):
			return s.goOn(w, r, off, end, err)
		case !errors.Is(err, cache.ErrEnded) || tries >= maxTries:
			return err
		}
		if done, err := s.again(w, i, off, end); done || err != nil {
			return err
		}
	}
}

// again takes a span up at off, from whatever holds the blob now.
func (s *stream) again(w io.Writer, i int, off, end int64) (done bool, err error) {
	n := int64(-1)
	if end >= 0 {
		n = end - off
	}
	b, err := s.h.cache.Get(s.req.Digest)
	if err == nil {
		defer func() { _ = b.Close() }()
		if n < 0 {
			n = b.Size() - off
		}
		if _, err := b.File().Seek(off, io.SeekStart); err != nil {
			return true, err
		}
		_, err := io.CopyN(w, b.File(), n)
		return true, err
	}
	f, first, err := s.h.cache.Join(s.req.Digest)
	if errors.Is(err, cache.ErrStored) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d := s.h.drives.of(s.h, f)
	d.join(s.req)
	if s.whole {
		n = -1
	}
	r, err := f.Reader(s.ctx, off, n, s.whole)
	if first {
		s.x.event.FromNet += s.drive.bill()
		s.h.start(d)
	}
	if err != nil {
		return false, err
	}
	_ = s.readers[i].Close()
	s.gave(s.from[i], off)
	s.drive.closed(s)
	s.readers[i], s.from[i], s.fill, s.drive, s.first = r, off, f, d, first
	d.opened(s)
	return false, nil
}

// goOn sends the rest of a span from upstream when it cannot be kept here. If the
// answer carries the blob to its end, what went before is hashed, so that the
// end can still be held back until all of it fits.
func (s *stream) goOn(w io.Writer, r *cache.Reader, off, end int64, cause error) error {
	s.x.unkept(cause)
	s.h.log.Warn("registry: passed through from here on", "digest", s.req.Digest, "offset", off, "err", cause)
	n := int64(-1)
	if end >= 0 {
		n = end - off
	}
	if !s.whole {
		return s.h.passRest(s.ctx, s.x, w, s.req, off, n, nil)
	}
	var sum hash.Hash = sha256.New()
	if off > 0 {
		before, ok := r.Hash()
		if !ok {
			return s.h.passRest(s.ctx, s.x, &skipper{w: w, skip: off}, s.req, 0, -1, sum)
		}
		sum = before
	}
	return s.h.passRest(s.ctx, s.x, w, s.req, off, n, sum)
}

// skipper writes all but the first bytes.
type skipper struct {
	w    io.Writer
	skip int64
}

func (k *skipper) Write(p []byte) (int, error) {
	d := min(k.skip, int64(len(p)))
	k.skip -= d
	if int(d) == len(p) {
		return len(p), nil
	}
	n, err := k.w.Write(p[d:])
	return int(d) + n, err
}

// refuse answers a request that nothing came for.
func (s *stream) refuse(err error) {
	if status, ok := spoken(err); ok && status.Status == http.StatusRequestedRangeNotSatisfiable {
		unsatisfiable(s.x, s.req.Request, status.Size)
		return
	}
	if definite(err) {
		s.h.turnedAway(s.req, err, s.h.cache.References(s.req.cacheName(), s.req.Digest))
	}
	s.h.answerError(s.x, s.req, err)
}

// broken ends an answer that had begun.
func (s *stream) broken(err error) {
	var wrong *cache.DigestError
	if errors.As(err, &wrong) {
		s.h.manners.broke(s.x.visit(s.req.Digest))
		s.x.note("upstream sent wrong bytes")
	}
	s.h.abort(s.x, s.req, err)
}
