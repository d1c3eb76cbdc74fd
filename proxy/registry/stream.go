package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"pulley/cache"
	"pulley/proxy/fetch"
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
	case s.obsolete(err):
		return false
	default:
		s.refuse(err)
		return true
	}
	s.x.event.Source = joined
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
		f, err := s.h.measure(s.req)
		if err != nil {
			return err
		}
		if f.note != "" {
			s.x.note(f.note)
		}
		if f.Size >= 0 {
			if err := s.fill.SetSize(f.Size); err != nil {
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
		s.drive.pays(1)
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
	if s.x.event.Source == joined {
		s.x.story(s.drive)
	} else {
		s.x.failed(s.drive.tale.failures())
	}
	if s.first {
		s.x.settles(s.drive)
		if from := s.drive.tale.sources(); from != "" && s.x.event.Source == joined {
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

// obsolete says that a download that was gone on with failed because the origin has
// another size than the one it began with: what there was of it is forgotten, and a
// new one may do better.
func (s *stream) obsolete(err error) bool {
	var size *fetch.SizeError
	return errors.As(err, &size) && len(s.drive.had) > 0
}

// refuse answers a request that nothing came for.
func (s *stream) refuse(err error) {
	if status, ok := spoken(err); ok && status.Status == http.StatusRequestedRangeNotSatisfiable && s.specs != nil {
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
