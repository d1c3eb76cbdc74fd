package registry

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/proxy/source"
)

// manifestPlaces are where a manifest may be had from, or asked about, in turn. A tag is the
// origin's alone. Of a digest, mirrors are asked before the origin only if the
// origin has said that the repository has it, or cannot be asked: what a mirror
// gives under a digest of its own choosing must not come to be believed as part of
// the repository while the origin can be asked.
func (h *Handler) manifestPlaces(req *Request, d digest.Digest, away bool) []*source.Place {
	list := h.places(req)
	i := slices.IndexFunc(list, (*source.Place).Origin)
	if i < 0 {
		return nil
	}
	own := list[i]
	if d.Validate() != nil || d.Algorithm() != digest.SHA256 {
		return []*source.Place{own}
	}
	if !h.rightIsKnown(req, d, away) {
		return []*source.Place{own}
	}
	list = slices.DeleteFunc(list, func(p *source.Place) bool { return !p.Origin() && p.Connections() == 0 })
	vouched := h.cache.References(req.cacheName(), d) || h.ledger.said(req.name(), req.Asker, string(d))
	switch i := slices.Index(list, own); {
	case away:
		list = append(slices.Delete(list, i, i+1), own)
	case !vouched:
		list = slices.Insert(slices.Delete(list, i, i+1), 0, own)
	}
	return list
}

// mirrorTurn is how long a mirror has for a manifest: they are small, and others
// have it too.
const mirrorTurn = 4 * time.Second

// turn is how long a place has for a manifest, and how long until the next one is
// tried beside it. Of the time there is, the origin always has half.
func (h *Handler) turn(p *source.Place, places []*source.Place) (whole, alone time.Duration) {
	all := h.opt.Waits.Manifest
	if p.Origin() {
		return all, min(h.opt.Waits.Check, all)
	}
	mine := min(mirrorTurn, all/2/time.Duration(len(places)))
	return mine, mine
}

// attempt is what became of one place.
type attempt struct {
	place *source.Place
	*found
	err error
}

// race gets a manifest from the first place that has it. The next place is tried
// when one has failed or its time is up.
func (h *Handler) race(ctx context.Context, req *Request, places []*source.Place, get func(context.Context, *source.Place) (*found, error)) (*found, error) {
	if len(places) == 0 {
		return nil, errOffline
	}
	ctx, cancel := context.WithCancel(ctx)
	done, running := make(chan attempt), 0
	defer func() {
		for cancel(); running > 0; running-- {
			<-done
		}
	}()
	late := time.NewTimer(0)
	defer late.Stop()
	var first error
	var turns []turn
	for left := places; ; {
		select {
		case a := <-done:
			running--
			if a.err == nil {
				a.turns = turns
				return h.told(req, a, first), nil
			}
			if !notShared(a.place, a.err) {
				turns = append(turns, turn{a.place.Name(), reason(a.err), h.now()})
			}
			if (first == nil || a.place.Origin()) && !(len(left) > 0 && notShared(a.place, a.err)) {
				first = a.err
			}
			if errors.Is(a.err, errTooLarge) {
				return nil, a.err
			}
			if a.place.Origin() && definite(a.err) || ctx.Err() != nil || running == 0 && len(left) == 0 {
				return nil, first
			}
		case <-late.C:
		}
		if len(left) == 0 {
			continue
		}
		p := left[0]
		left = left[1:]
		whole, alone := h.turn(p, places)
		running++
		go func() {
			ctx, cancel := context.WithTimeoutCause(ctx, whole, source.ErrHeaderTimeout) // which counts against the place
			defer cancel()
			f, err := get(ctx, p)
			done <- attempt{p, f, err}
		}()
		late.Reset(alone)
	}
}

// told says where a manifest came from, if that is not where it was to.
func (h *Handler) told(req *Request, a attempt, first error) *found {
	if first != nil {
		a.note = "from " + a.place.Name() + ": " + reason(first)
	} else if name, why := h.passedOver(req.home()); why != "" {
		a.note = name + ": " + why
	}
	return a.found
}
