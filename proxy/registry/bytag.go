package registry

import (
	"context"
	"errors"
	"time"
)

// byTag asks the origin what the tag stands for, unless it said so a moment ago
// and the asker may know.
func (h *Handler) byTag(x *exchange, req *Request) (*found, error) {
	k := req.tagKey()
	last, held := h.shelf.latest(k)
	if held && h.fresh(req, last) {
		if req.head() {
			h.arrivedMeanwhile(req, k)
			return &found{entry: last}, nil
		}
		f, err := h.byDigest(x, req, last)
		if limited(err) {
			return h.lastKnown(req, k, err)
		}
		return f, err
	}
	others := len(h.mirrors(req)) > 0
	if err := h.reachable(req); err != nil {
		return h.lastKnown(req, k, err)
	}
	if held || others {
		if err := h.worthAsking(req, last.Digest); err != nil {
			if f, err := h.lastKnown(req, k, err); err == nil {
				return f, nil
			}
			// Nobody else has an answer, and the registry may be back.
		}
	}
	if !held && !req.head() {
		f, err := h.unlessSlow(req, k, h.getManifest)
		switch {
		case err == nil:
			return f, nil
		case !limited(err) || !others:
			return h.lastKnown(req, k, err)
		}
		// HEAD costs nothing of the limit, and mirrors have what it names.
	}
	wait := h.opt.Waits.Ask
	if _, ok := h.shelf.kept(k); ok {
		wait = h.opt.Waits.Check
	}
	f, err := h.unlessSlow(req, k, func(req *Request, reference string) (*found, error) {
		return h.headManifest(req, reference, wait)
	})
	if err != nil {
		return h.lastKnown(req, k, err)
	}
	if f.stale {
		return f, nil
	}
	if spent(f.header) && !others {
		if old, ok := h.instead(req, k, f.entry); ok {
			return old, nil
		}
	}
	switch {
	case req.head():
		return f, nil
	case f.Digest == "":
		return h.getManifest(req, req.Reference)
	}
	f, err = h.byDigest(x, req, f.entry)
	if limited(err) {
		return h.lastKnown(req, k, err)
	}
	return f, err
}

// fresh says that the origin said so short ago what a tag stands for that it need not
// be asked again, and that the asker may know.
func (h *Handler) fresh(req *Request, last entry) bool {
	return !req.Fresh && within(h.now(), last.Checked, h.settings().Cache.TagTTL) && h.ledger.admits(req.name(), req.Asker)
}

// within says that something was less than most ago. What is ahead of the clock, which
// was set back since, may have been any time ago.
func within(now, at time.Time, most time.Duration) bool {
	age := now.Sub(at)
	return age >= 0 && age < most
}

// errLate is why mirrors are asked about a tag before the origin has failed.
var errLate = errors.New("the origin has not answered yet")

// unlessSlow asks the origin about a tag. If that takes long and mirrors may be
// believed about it, theirs is the answer; if they may not, the origin is waited for.
func (h *Handler) unlessSlow(req *Request, k tagKey, ask func(*Request, string) (*found, error)) (*found, error) {
	if len(h.mirrors(req)) == 0 || !h.admitsOffline(req) {
		return ask(req, k.tag)
	}
	ctx, cancel := context.WithTimeoutCause(req.Context(), h.opt.Waits.Check, errLate)
	defer cancel()
	hasty := *req
	hasty.Request = req.Request.WithContext(ctx)
	f, err := ask(&hasty, k.tag)
	if !errors.Is(err, errLate) {
		return f, err
	}
	if f, err := h.supposed(req, k, errLate); err == nil {
		return f, nil
	}
	return ask(req, k.tag) // which is still being asked
}

// lastKnown is what is served when the origin gave no answer: the last one it
// gave, marked as such. An answer, however unwelcome, is passed on, unless it was
// given to nobody in particular in the place of somebody who is remembered.
func (h *Handler) lastKnown(req *Request, k tagKey, cause error) (*found, error) {
	if _, held := h.shelf.kept(k); definite(cause) && !(held && req.Asker.remembered()) {
		h.turnedAway(req, cause, held)
		return nil, cause
	}
	var err error
	if h.admitsOffline(req) {
		var f *found
		if f, err = h.supposed(req, k, cause); err == nil {
			return f, nil
		}
	} else {
		err = h.stranger(req, cause)
	}
	if !h.settings().Cache.OfflineStale && !req.offline() {
		return nil, err
	}
	if f, ok := h.atHand(req, k); ok && h.admitsOfflineTo(req, f.Digest) {
		f.note, f.stale = "last known tag: "+reason(cause), true
		f.without(req, cause, h.now())
		return f, nil
	}
	return nil, err
}

// atHand is the stored manifest that the origin last said the tag stands for.
func (h *Handler) atHand(req *Request, k tagKey) (*found, bool) {
	h.arrivedMeanwhile(req, k)
	for _, find := range [...]func(tagKey) (entry, bool){h.shelf.kept, h.shelf.lastResort} {
		if e, ok := find(k); ok {
			if f, ok := h.stored(e); ok {
				return f, true
			}
		}
	}
	return nil, false
}

// arrivedMeanwhile is for a manifest that was not stored when the origin named it, and
// came by another way than by the name of that tag or by its digest from the origin.
func (h *Handler) arrivedMeanwhile(req *Request, k tagKey) {
	if e, ok := h.shelf.latest(k); ok && h.shelf.awaits(e.Digest) {
		if _, here := h.stored(e); here {
			h.arrived(req.home(), e.Digest)
		}
	}
}

// instead is the last known manifest of a tag that moved to one which is not here
// and cannot be had while the pull limit is used up.
func (h *Handler) instead(req *Request, k tagKey, now entry) (*found, bool) {
	if _, here := h.stored(now); here {
		return nil, false
	}
	f, ok := h.atHand(req, k)
	if ok {
		h.shelf.unhear(k) // so that the next request asks again, and is answered the same
		f.note, f.stale = "last known tag: "+k.name.Registry+"'s limit is used up, and the tag has moved to "+string(now.Digest), true
	}
	return f, ok
}
