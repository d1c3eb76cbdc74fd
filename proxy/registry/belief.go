package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/net/publicsuffix"

	"pulley/internal/config"
	"pulley/proxy/source"
)

// errNotTold is why mirrors are of no help although there are some.
var errNotTold = errors.New("not known to be public, so that no mirror was told of it")

// errNoAgreement is why mirrors that answered are not believed.
var errNoAgreement = errors.New("no two independent https mirrors agree about the tag, and none has trust_tags")

// untold adds to the reason why the origin gave nothing that mirrors could not be
// asked instead, and what a person may do about that.
func (h *Handler) untold(req *Request, cause error) error {
	if req.Repository == "" || req.offline() || errors.Is(cause, errNotTold) || len(h.mirrors(req)) > 0 {
		return cause
	}
	name, ok := h.tempting(req)
	if !ok {
		return cause
	}
	if name == config.SharedName {
		return fmt.Errorf("%w; %s is %w; try: pulley config set cache.shared_private true, if the shared store may have it", cause, req.name(), errNotTold)
	}
	return fmt.Errorf("%w; %s is %w; try: pulley egress add NAME URL --for %s, or private = true at the mirror %s if that may know of it",
		cause, req.name(), errNotTold, req.Registry.Name, name)
}

// supposed is a tag's manifest when the origin cannot be asked: one that mirrors
// may be believed about, or the one that the origin named last if that has to be
// fetched from a mirror. Its error, which holds cause, says why there is none.
func (h *Handler) supposed(req *Request, k tagKey, cause error) (*found, error) {
	e, who, err := h.belief(req, k, cause)
	if err != nil {
		return nil, err
	}
	f, ok := h.stored(e)
	if !ok || !h.cache.References(k.name, e.Digest) { // or anything that is here could be had by naming it
		if f, err = h.fetchManifest(req, e.Digest.String(), true); err != nil {
			return nil, fmt.Errorf("%w; %w", cause, err)
		}
	}
	f.without(req, cause, h.now())
	f.stale, f.note = true, "last known tag: "+reason(cause)
	if len(who) > 0 {
		f.note = "tag from " + strings.Join(who, " and ") + ": " + reason(cause)
	}
	return f, nil
}

// belief is what a tag is taken to stand for while the origin cannot be asked, and
// the mirrors whose word that is; none if it is the origin's own.
func (h *Handler) belief(req *Request, k tagKey, cause error) (entry, []string, error) {
	g := h.guess(req, k)
	list := h.mirrors(req)
	if req.offline() {
		list = nil
	}
	if g.Digest != "" && (len(list) == 0 || within(h.now(), g.At, h.settings().Cache.TagTTL)) {
		return g.entry(), g.From, nil
	}
	if len(list) == 0 {
		return entry{}, nil, h.untold(req, cause)
	}
	e, who, err := h.agreed(req, k, list)
	if err == nil {
		h.warn(h.shelf.suppose(k, e, who))
		return e, who, nil
	}
	if g.Digest != "" {
		return g.entry(), g.From, nil
	}
	if last, ok := h.shelf.latest(k); ok {
		if _, here := h.stored(last); here {
			return entry{}, nil, cause
		}
		return last, nil, nil
	}
	return entry{}, nil, fmt.Errorf("%w; %w", cause, err)
}

// guess is what mirrors said before, if they may still be believed.
func (h *Handler) guess(req *Request, k tagKey) guess {
	g := h.shelf.guess(k)
	if g.Digest == "" {
		return g
	}
	good := map[string]bool{}
	for _, s := range h.opt.Sources.Standings(req.Registry) {
		good[s.Name] = s.Enabled && s.Expelled == nil
	}
	for _, name := range g.From {
		if !good[name] {
			return guess{}
		}
	}
	return g
}

// inquiryFor is how long mirrors have to say what a tag stands for: the client has
// waited for the origin already.
const inquiryFor = 4 * time.Second

// answer is what a mirror says of a tag.
type answer struct {
	place *source.Place
	entry
}

// agreed asks all mirrors what a tag stands for, and returns the digest that one
// with trust_tags names, or two that are reached by https and independent of each
// other.
func (h *Handler) agreed(req *Request, k tagKey, list []*source.Place) (entry, []string, error) {
	answers := h.inquire(req, k, list)
	if len(answers) == 0 {
		return entry{}, nil, errors.New("no mirror knows the tag")
	}
	for _, a := range answers {
		if a.place.TrustTags() {
			return a.entry, []string{a.place.Name()}, nil
		}
	}
	for i, a := range answers {
		for _, b := range answers[:i] {
			if a.Digest == b.Digest && a.place.Secure() && b.place.Secure() && independent(req.Registry, a.place, b.place) {
				who := []string{a.place.Name(), b.place.Name()}
				slices.Sort(who) // the same words each time
				return a.entry, who, nil
			}
		}
	}
	return entry{}, nil, errNoAgreement
}

// independent says that two mirrors are run by different people, as far as their
// names tell: two hosts of one domain are not, and of an address nobody knows whose
// it is.
func independent(reg *config.Registry, a, b *source.Place) bool {
	x, y := domainOf(a), domainOf(b)
	if x == "" || y == "" || x == y {
		return false
	}
	m, ok := reg.Mirror(a.Name())
	n, also := reg.Mirror(b.Name())
	return !ok || !also || m.About == "" || m.About != n.About
}

// domainOf is the part of a place's name that somebody has registered, "" if it has
// none.
func domainOf(p *source.Place) string {
	host := p.Host()
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if net.ParseIP(host) != nil {
		return ""
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(strings.TrimSuffix(host, "."))
	if err != nil {
		return ""
	}
	return domain
}

// inquire asks mirrors at once, and returns what they said in their order. One that
// could not be reached is left alone for a moment: a pull without a network must not
// wait for them at each step.
func (h *Handler) inquire(req *Request, k tagKey, list []*source.Place) (said []answer) {
	ctx, cancel := context.WithTimeoutCause(h.ctx, min(inquiryFor, h.opt.Waits.Check), source.ErrHeaderTimeout) // which counts against them
	defer cancel()
	all := make([]entry, len(list))
	var wg sync.WaitGroup
	for i, p := range list {
		if h.health.down(mirrorKey(req, p)) {
			continue
		}
		wg.Go(func() {
			e, err := h.tagAt(ctx, req, p, k.tag)
			var status *source.StatusError
			switch {
			case err == nil:
				all[i] = e
				h.health.succeeded(mirrorKey(req, p))
			case h.ctx.Err() == nil && (!errors.As(err, &status) || status.Status == 0):
				h.health.failed(mirrorKey(req, p), err)
			}
		})
	}
	wg.Wait()
	for i, e := range all {
		if e.Digest != "" {
			said = append(said, answer{list[i], e})
		}
	}
	return said
}

// mirrorKey is a mirror's in what is remembered of registries' health.
func mirrorKey(req *Request, p *source.Place) string { return req.called() + " " + p.Name() }

// tagAt asks a mirror what a tag stands for.
func (h *Handler) tagAt(ctx context.Context, req *Request, p *source.Place, tag string) (entry, error) {
	rsp, err := h.askAt(ctx, req, p, http.MethodHead, "manifests/"+tag, manifestHeader(req))
	if err != nil {
		return entry{}, err
	}
	drain(rsp)
	e := entry{
		Digest: digest.Digest(rsp.Header.Get("Docker-Content-Digest")), MediaType: rsp.Header.Get("Content-Type"), Size: rsp.ContentLength,
	}
	if e.Digest.Validate() != nil {
		return entry{}, errors.New(p.Name() + " names no digest")
	}
	return e, nil
}
