package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

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
		Method: method, Path: "/v2/" + req.Repository + "/" + path, Header: header, Public: h.public(req),
	})
	if err != nil {
		return nil, err
	}
	if rsp.StatusCode/100 != 2 {
		return nil, p.Fail(rsp)
	}
	return rsp, nil
}

// manifestPlaces are where a manifest may be had from, in turn. A tag is the
// origin's alone. Of a digest, mirrors are asked before the origin only if the
// origin has said that the repository has it: what a mirror gives under a digest
// of its own choosing must not come to be believed as part of the repository
// while the origin can be asked.
func (h *Handler) manifestPlaces(req *Request, d digest.Digest) []*source.Place {
	list := h.places(req)
	i := slices.IndexFunc(list, (*source.Place).Origin)
	if i < 0 {
		return nil
	}
	own := list[i]
	if d.Validate() != nil || d.Algorithm() != digest.SHA256 {
		return []*source.Place{own}
	}
	list = slices.DeleteFunc(list, func(p *source.Place) bool { return !p.Origin() && p.Connections() == 0 })
	vouched := h.cache.References(req.cacheName(), d) || h.ledger.said(req.name(), req.Asker, string(d))
	switch i := slices.Index(list, own); {
	case !vouched:
		list = slices.Insert(slices.Delete(list, i, i+1), 0, own)
	case h.health.down(req.Registry.Name):
		list = append(slices.Delete(list, i, i+1), own)
	}
	return list
}

// limited says that the origin gave nothing because too much was asked of it.
func limited(err error) bool {
	var status *source.StatusError
	return errors.As(err, &status) && status.Status == http.StatusTooManyRequests && !status.Elsewhere
}

// errNotTold is why mirrors are of no help although there are some.
var errNotTold = errors.New("not known to be public, so that no mirror was told of it")

// errNoAgreement is why mirrors that answered are not believed.
var errNoAgreement = errors.New("no two https mirrors agree about the tag, and none has trust_tags")

// supposed is a tag's manifest when the origin cannot be asked: the one that the
// origin named last, or one that mirrors may be believed about. Its error, which
// holds cause, says why there is none.
func (h *Handler) supposed(req *Request, k tagKey, cause error) (*found, error) {
	if req.offline() {
		return nil, cause
	}
	list := h.mirrors(req)
	if len(list) == 0 {
		if h.tempting(req) {
			return nil, fmt.Errorf("%w; %s is %w; try: pulley mirror add … --private, if a mirror of yours may know it", cause, req.name(), errNotTold)
		}
		return nil, cause
	}
	last, held := h.shelf.latest(k)
	e, who, err := h.agreed(req, k, list)
	switch {
	case err == nil:
	case held && last.Digest != "":
		e, who = last, nil // the origin's own last word; mirrors may have what it names
		if _, here := h.stored(last); here {
			return nil, cause
		}
	default:
		return nil, fmt.Errorf("%w; %w", cause, err)
	}
	f, ok := h.stored(e)
	if !ok {
		if f, err = h.getManifest(req, e.Digest.String()); err != nil {
			return nil, fmt.Errorf("%w; %w", cause, err)
		}
	}
	f.stale, f.note = true, "last known tag: "+reason(cause)
	if len(who) > 0 {
		f.note = "tag from " + strings.Join(who, " and ") + ": " + reason(cause)
		h.warn(h.shelf.suppose(k, f.entry, who))
	}
	return f, nil
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
			if a.Digest == b.Digest && a.place.Secure() && b.place.Secure() && a.place.Host() != b.place.Host() {
				return a.entry, []string{b.place.Name(), a.place.Name()}, nil
			}
		}
	}
	return entry{}, nil, errNoAgreement
}

// inquire asks mirrors at once, and returns what they said in their order.
func (h *Handler) inquire(req *Request, k tagKey, list []*source.Place) (said []answer) {
	ctx, cancel := context.WithTimeout(h.ctx, min(inquiryFor, h.opt.Waits.Check))
	defer cancel()
	all := make([]entry, len(list))
	var wg sync.WaitGroup
	for i, p := range list {
		wg.Go(func() { all[i], _ = h.tagAt(ctx, req, p, k.tag) }) // who says nothing has no say
	}
	wg.Wait()
	for i, e := range all {
		if e.Digest != "" {
			said = append(said, answer{list[i], e})
		}
	}
	return said
}

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

// noteTag takes the origin's word for what a tag stands for now, and holds
// against it what mirrors said.
func (h *Handler) noteTag(req *Request, k tagKey, e entry, here bool) {
	if g := h.shelf.guess(k); g.Digest != "" {
		h.warn(h.shelf.forgetGuess(k))
		for _, name := range g.From {
			if g.Digest == e.Digest {
				h.opt.Sources.Agrees(req.Registry, name, req.Repository, k.tag)
			} else {
				h.opt.Sources.Disagrees(req.Registry, name, req.Repository, k.tag, g.Digest, e.Digest)
			}
		}
	}
	h.warn(h.shelf.note(k, e, here))
	h.compare(req, k, e)
}

// compareEvery is how often a mirror is asked about one tag, only to see whether it
// says the same as the origin.
const compareEvery = time.Hour

// compare asks, in the background and seldom, the mirror that would be used what it
// thinks the tag stands for.
func (h *Handler) compare(req *Request, k tagKey, e entry) {
	list := h.mirrors(req)
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

// background runs f beside the requests, unless the handler is being closed.
func (h *Handler) background(f func(context.Context)) {
	h.drives.mu.Lock()
	defer h.drives.mu.Unlock()
	if h.drives.closed {
		return
	}
	h.wg.Go(func() { f(h.ctx) })
}

// seldom says when something was last done.
type seldom struct {
	mu   sync.Mutex
	now  func() time.Time
	last map[string]time.Time
}

func newSeldom(now func() time.Time) *seldom { return &seldom{now: now, last: map[string]time.Time{}} }

const maxSeldom = 4096

// due reports, and takes down, that key was not done for so long.
func (s *seldom) due(key string, every time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if at, ok := s.last[key]; ok && now.Sub(at) < every {
		return false
	}
	if len(s.last) >= maxSeldom {
		clear(s.last)
	}
	s.last[key] = now
	return true
}

// limitAdvice is what a person may do about a pull limit.
func (h *Handler) limitAdvice(req *Request, status *source.StatusError) string {
	when := "later"
	switch l := h.opt.Sources.Limits()[req.Registry.Name]; {
	case status.RetryAfter > 0:
		when = "in " + status.RetryAfter.Round(time.Second).String()
	case l.Window > 0:
		when = "within " + l.Window.String()
	}
	help := "docker login raises the limit"
	if !req.Asker.anonymous() {
		help = "what is cached still pulls"
	}
	if i := slices.IndexFunc(req.Registry.Mirrors, free); i >= 0 && h.public(req) && len(h.mirrors(req)) == 0 {
		help += ", a mirror goes round it: pulley mirror on " + req.Registry.Mirrors[i].Name
	}
	return fmt.Sprintf("%s: pulley: %s's limit is used up; try again %s; %s",
		cmp.Or(status.Message, "too many requests"), req.Registry.Name, when, help)
}

// free says that a mirror is there for whoever switches it on.
func free(m config.Mirror) bool {
	return !m.Enabled && m.Closed == "" && m.Needs == "" && !m.Incomplete() && len(m.Only) == 0
}
