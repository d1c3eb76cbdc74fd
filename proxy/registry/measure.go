package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"pulley/proxy/egress"
	"pulley/proxy/source"
)

// headBlob answers HEAD from the cache, or with what is said of the blob where it
// may be had from.
func (h *Handler) headBlob(x *exchange, req *Request) {
	size := int64(-1)
	if b, err := h.cache.Get(req.Digest); err == nil {
		size = b.Size()
		_ = b.Close()
	}
	f, err := h.vouched(x, req, req.Digest)
	switch {
	case err != nil:
		h.answerError(x, req, err)
		return
	case size >= 0:
		x.event.Source = fromCache
	default:
		if f == nil || f.Size < 0 && f.header == nil {
			f, err = h.measure(req)
		}
		if err != nil {
			h.notMeasured(x, req, err)
			return
		}
		size = f.Size
		x.event.Source, x.event.Way = f.from, f.way
		if f.note != "" {
			x.note(f.note)
		}
	}
	x.Header().Set("Accept-Ranges", "bytes")
	b := &body{digest: req.Digest, mediaType: octets, size: size}
	if size < 0 { // the origin has it, and does not say how large it is
		b.describe(x.Header())
		x.WriteHeader(http.StatusOK)
		return
	}
	x.fail(b.serve(x, req.Request, nil))
}

// notMeasured tells the client that nobody says how large the blob is.
func (h *Handler) notMeasured(x *exchange, req *Request, err error) {
	if definite(err) {
		h.turnedAway(req, err, h.cache.References(req.cacheName(), req.Digest))
	}
	h.answerError(x, req, err)
}

// measure finds out how large a blob is that nobody sends yet: -1 if the origin
// has it and does not say. The caller has made sure of the asker's right.
func (h *Handler) measure(req *Request) (*found, error) {
	k := tagKey{name: req.cacheName(), tag: string(req.Digest)}
	return h.share("measure", req, k, func(ctx context.Context) (*found, error) {
		ctx, cancel := context.WithTimeout(ctx, h.opt.Waits.Ask)
		defer cancel()
		return h.race(ctx, req, h.measuring(req), func(ctx context.Context, p *source.Place) (*found, error) {
			return h.measureAt(ctx, req, p)
		})
	})
}

// measuring are the places that are asked for a blob's size, in turn: the origin,
// or the mirror that the route names; what has proved nothing comes last, and the
// origin after it while it does not answer.
func (h *Handler) measuring(req *Request) []*source.Place {
	away := h.health.down(req.called())
	list := h.manifestPlaces(req, req.Digest, away)
	turn := func(p *source.Place) int {
		switch {
		case p.Origin() && away:
			return 3
		case p.Origin() && p.Tier() == 0:
			return 0
		case p.Proven():
			return 1
		}
		return 2
	}
	slices.SortStableFunc(list, func(a, b *source.Place) int { return cmp.Compare(turn(a), turn(b)) })
	return list
}

// measureAt asks one place. The origin is asked with HEAD; where its storage does
// not care for that, and at mirrors, whose storage may not either, it is one byte
// with which the size comes.
func (h *Handler) measureAt(ctx context.Context, req *Request, p *source.Place) (*found, error) {
	if p.Origin() {
		f, err := h.headAt(ctx, req, "blobs/"+string(req.Digest), nil, req.Digest)
		if err != nil || f.header != nil {
			return f, err
		}
	}
	ctx, trail := egress.WithTrail(ctx)
	b, err := p.Blob(source.Want{
		Repository: req.Repository, Digest: string(req.Digest), Public: h.tellable(req.home()), As: req.Asker.identity(),
	}).Open(ctx, 0, 1)
	if p.Origin() {
		h.heard(req.called(), err)
	}
	size, ranged := int64(-1), true
	var status *source.StatusError
	switch {
	case err == nil:
		_ = b.Close()
		size, ranged = b.Total, b.Ranged
	case errors.As(err, &status) && status.Status == http.StatusRequestedRangeNotSatisfiable && status.Size == 0:
		size, err = 0, nil // it has not even one byte
	}
	if err == nil {
		err = h.credible(req, p, size, ranged)
	}
	if err != nil {
		if !p.Origin() {
			err = &elsewhereError{err}
		}
		return nil, err
	}
	return &found{entry: entry{Digest: req.Digest, Size: size}, from: p.Name(), way: trail.Way(), note: detours(trail)}, nil
}

// credible says why a place's word about a blob's size does not count. That of a
// mirror that has proved nothing might be a page's that says who is to be paid: it
// counts if it knows what a range is, or says what the manifest does.
func (h *Handler) credible(req *Request, p *source.Place, size int64, ranged bool) error {
	hint := h.sizes.hint(req.Digest)
	switch {
	case p.Origin():
		return nil
	case size < 0:
		return errors.New(p.Name() + " does not say how large the blob is")
	case p.Proven():
		return nil
	case hint > 0 && size != hint:
		return fmt.Errorf("%s says the blob has %d bytes, the manifest %d", p.Name(), size, hint)
	case hint == 0 && !ranged:
		return errors.New(p.Name() + " answers with something that may not be the blob")
	}
	return nil
}
