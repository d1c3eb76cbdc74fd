package registry

import (
	"context"
	"net/http"
	"slices"
	"time"

	"pulley/internal/config"
	"pulley/proxy/source"
)

// Elsewhere is what is asked of mirrors besides blobs: manifests by digest, which
// prove themselves, and, when the origin cannot be asked, what a tag stands for,
// which does not.

// askAt is ask at any place. A mirror is told nothing of the asker.
func (h *Handler) askAt(ctx context.Context, req *Request, p *source.Place, method, path string, header http.Header) (*http.Response, error) {
	if p.Origin() {
		return h.ask(ctx, req, method, path, header)
	}
	rsp, err := p.Do(ctx, source.Req{
		Method: method, Path: "/v2/" + req.Repository + "/" + path, Header: header, Public: h.tellable(req.home()),
	})
	if err != nil {
		return nil, &elsewhereError{err}
	}
	if rsp.StatusCode/100 != 2 {
		return nil, &elsewhereError{p.Fail(rsp)}
	}
	return rsp, nil
}

// noteTag takes the origin's word for what a tag stands for now, and holds
// against it what mirrors said.
func (h *Handler) noteTag(req *Request, k tagKey, e entry, here bool) {
	if g := h.shelf.guess(k); g.Digest != "" {
		h.warn(h.shelf.forgetGuess(k))
		for _, name := range g.From {
			switch {
			case name == config.SharedName: // it wrote down what was true once
			case g.Digest == e.Digest:
				h.opt.Sources.Agrees(req.Registry, name, req.Repository, k.tag)
			default:
				h.opt.Sources.Disagrees(req.Registry, name, req.Repository, k.tag, g.Digest, e.Digest)
			}
		}
	}
	h.warn(h.shelf.note(k, e, here))
	if here {
		h.offerTag(req.home(), k, e)
	} else {
		h.arrivedMeanwhile(req, k)
	}
	h.compare(req, k, e)
}

// compareEvery is how often a mirror is asked about one tag, only to see whether it
// says the same as the origin.
const compareEvery = time.Hour

// compare asks, in the background and seldom, the mirror that would be used what it
// thinks the tag stands for.
func (h *Handler) compare(req *Request, k tagKey, e entry) {
	list := slices.DeleteFunc(h.mirrors(req), (*source.Place).Shared)
	if len(list) == 0 || !h.compared.due(list[0].Name()+" "+k.String(), compareEvery) {
		return
	}
	p := list[0]
	h.background(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, h.opt.Waits.Ask)
		defer cancel()
		theirs, err := h.tagAt(ctx, req, p, k.tag)
		switch {
		case err != nil:
		case theirs.Digest == e.Digest:
			h.opt.Sources.Agrees(req.Registry, p.Name(), req.Repository, k.tag)
		default:
			h.opt.Sources.Disagrees(req.Registry, p.Name(), req.Repository, k.tag, theirs.Digest, e.Digest)
		}
		h.moved()
	})
}
