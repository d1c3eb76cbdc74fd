package registry

import (
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"pulley/cache"
)

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
		return true, s.h.copyStored(s.ctx, s.x, w, s.req, b, span{off, n})
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
	if s.first {
		s.x.settles(s.drive)
	}
	if s.first = first; first {
		d.pays(1)
		s.h.start(d)
	}
	if err != nil {
		if s.first {
			s.first = false
			s.x.settles(d)
		}
		return false, err
	}
	_ = s.readers[i].Close()
	s.gave(s.from[i], off)
	s.drive.closed(s)
	s.readers[i], s.from[i], s.fill, s.drive = r, off, f, d
	d.opened(s)
	return false, nil
}

// copyStored sends a span of a stored blob. What of it cannot be read comes from
// upstream; if it is the end of the blob that is sent, all of it is proved there.
func (h *Handler) copyStored(ctx context.Context, x *exchange, w io.Writer, req *Request, b *cache.Blob, s span) error {
	if _, err := b.File().Seek(s.off, io.SeekStart); err != nil {
		return err
	}
	sent, err := io.CopyN(w, b.File(), s.n)
	if err == nil || !cache.ReadFailed(err) || ctx.Err() != nil {
		return err
	}
	off := s.off + sent
	x.note("the cached blob cannot be read: " + err.Error())
	h.log.Warn("registry: a cached blob cannot be read, gone on with from upstream", "digest", req.Digest, "offset", off, "err", err)
	if s.off+s.n < b.Size() {
		return h.passRest(ctx, x, w, req, off, s.n-sent, nil)
	}
	sum := sha256.New()
	if n, err := io.Copy(sum, io.NewSectionReader(b.File(), 0, off)); err == nil && n == off {
		return h.passRest(ctx, x, w, req, off, s.n-sent, sum)
	}
	return h.passRest(ctx, x, &skipper{w: w, skip: off}, req, 0, -1, sha256.New())
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
