package registry

import (
	"context"
	"errors"
	"net/http"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"pulley/cache"
	"pulley/proxy/fetch"
)

const statusOK = http.StatusOK

// bringAll brings the pieces that are not here: large and small ones beside each
// other, so that neither wait for the others.
func (p *pulling) bringAll(ctx context.Context) error {
	lines := make([]*row, len(p.pieces))
	for i, w := range p.pieces {
		lines[i] = p.board.add(w.Digest, w.what, w.Size)
	}
	g, gctx := errgroup.WithContext(ctx)
	for _, lane := range [...]struct {
		small  bool
		atOnce int
	}{{true, smallAtOnce}, {false, bigAtOnce}} {
		g.Go(func() error {
			g, ctx := errgroup.WithContext(gctx)
			g.SetLimit(lane.atOnce)
			for i, w := range p.pieces {
				if (w.Size <= smallPiece) == lane.small && ctx.Err() == nil {
					g.Go(func() error { return p.bringTo(ctx, w, lines[i]) })
				}
			}
			return g.Wait()
		})
	}
	err := g.Wait()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return p.ended(ctx, err)
	}
	return nil
}

func (p *pulling) bring(ctx context.Context, w piece) error {
	return p.ended(ctx, p.bringTo(ctx, w, p.board.add(w.Digest, w.what, w.Size)))
}

// bringTo brings one blob and keeps its line on the board.
func (p *pulling) bringTo(ctx context.Context, w piece, line *row) error {
	req := p.request(ctx, Blob, string(w.Digest))
	p.hold(w.Digest)
	x := p.h.account(req)
	size, err := p.h.bring(x, req, line) //nolint:contextcheck // req holds it
	cached := err == nil && x.event.Source == fromCache
	if !cached { // what costs nothing is nothing to write down
		defer x.end()
	}
	if err != nil {
		if status, ok := spoken(err); ok && status.Definite() && status.Status != http.StatusNotFound { // of a part that is missing nobody's right depends
			p.h.turnedAway(req, err, true)
		}
		err = p.failed(req, x, err) //nolint:contextcheck // req holds it
		if ctx.Err() == nil {       // or it is something else that failed
			line.failed(err)
		}
		return err
	}
	x.event.Status = statusOK
	line.done(size, line.by(x.event.Source))
	p.account(x, size, cached)
	return nil
}

// bring has a blob in the cache, whoever else wants it too, and says how large it
// is. It is what a client's request does that nobody reads the answer of.
func (h *Handler) bring(x *exchange, req *Request, line *row) (size int64, err error) {
	if err := h.permitted(x, req, req.Digest); err != nil {
		return 0, err
	}
	wrong := false
	for range maxTries {
		if size, ok := h.holds(req.Digest); ok {
			if x.event.Source == "" {
				x.event.Source = fromCache
			}
			return size, nil
		}
		err = h.joinIn(x, req, line)
		var digestError *cache.DigestError
		var sizeError *fetch.SizeError
		switch {
		case err == nil, errors.Is(err, cache.ErrStored), errors.Is(err, cache.ErrEnded):
		case (errors.As(err, &digestError) || errors.As(err, &sizeError)) && !wrong:
			wrong = true // it begins anew, without what was wrong
		default:
			return 0, err
		}
	}
	if err == nil {
		err = errCameAndWent
	}
	return 0, err
}

var errCameAndWent = errors.New("the blob came and went: perhaps the cache is too small for the image")

// holds reports whether a blob is stored, and its size.
func (h *Handler) holds(d digest.Digest) (size int64, ok bool) {
	b, err := h.cache.Get(d)
	if err != nil {
		return 0, false
	}
	defer func() { _ = b.Close() }()
	return b.Size(), true
}

// joinIn wants a blob, setting it on its way if nobody else has, until its download
// is over. Nil: it is stored, or was.
func (h *Handler) joinIn(x *exchange, req *Request, line *row) error {
	f, first, err := h.cache.Join(req.Digest)
	if err != nil {
		return err
	}
	d := h.drives.of(h, f)
	d.join(req)
	if first {
		d.pays(1)
	}
	h.wonder(req, "blobs/"+string(req.Digest), wonderFor)
	r, err := f.Reader(req.Context(), 0, -1, true)
	if first {
		h.start(d)
	}
	if err == nil {
		line.change(func(r *row) { r.from = d })
		select {
		case <-d.over:
			err = d.result
		case <-req.Context().Done():
			err = context.Cause(req.Context())
		}
		line.change((*row).sample)
		_ = r.Close()
	}
	x.event.Source = joined
	x.story(d)
	if first {
		x.settles(d)
		x.event.Source, x.event.Way = d.tale.sources(), d.tale.way()
		if why := d.tale.troubles(); why != "" {
			x.note(why)
		}
	}
	return err
}
