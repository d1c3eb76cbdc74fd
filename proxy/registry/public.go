package registry

import (
	"context"
	"net/http"
	"sync"
	"time"

	"pulley/proxy/source"
)

// Whether a repository is public decides what a mirror may be told of: neither
// the name nor a digest of one that is not known to be public goes to any. It is
// known by the catalogue, or because the origin gave something of it to somebody
// without credentials.

// public says that anybody may know of the request's repository, for all that is
// known.
func (h *Handler) public(req *Request) bool {
	s := h.ledger.book.get(req.name())
	return s.openOffline() || !s.Closed && h.opt.Sources.Public(req.Registry, req.Repository)
}

// tellable says that anybody may know of a repository, by what the origin said within
// a day, or last before it could not be asked any more.
func (h *Handler) tellable(of home) bool {
	s := h.ledger.book.get(of.name())
	return s.open(h.now()) || s.openOffline() && h.health.failing(of.registry()) || !s.Closed && h.opt.Sources.Public(of.reg, of.repository)
}

// mayTell says that a place may be told of a repository now.
func (h *Handler) mayTell(p *source.Place, of home) bool {
	return p.MayKnow(h.tellable(of), of.repository)
}

// places are where the request's bytes may come from now, best first: the origin,
// and the mirrors that may know of the repository.
func (h *Handler) places(req *Request) (list []*source.Place) {
	for _, p := range h.opt.Sources.PlacesAt(req.Registry, req.home().host) {
		if h.mayTell(p, req.home()) {
			list = append(list, p)
		}
	}
	return list
}

// mirrors are the places but the origin that can be asked now.
func (h *Handler) mirrors(req *Request) (list []*source.Place) {
	for _, p := range h.places(req) {
		if !p.Origin() && p.Connections() > 0 {
			list = append(list, p)
		}
	}
	return list
}

// wonderFor is how long one request waits to learn whether a repository is public:
// about as long as the question takes. No other one waits for the same answer,
// which counts as soon as it is there.
const wonderFor = time.Second

// wonder finds out, for a client with credentials of its own and once for all who
// ask, whether the repository is public, if a mirror would be asked if it were;
// and again each day, since a public repository may be made private. What is found
// out is in public afterwards. path is of something that the client is asking for:
// "manifests/latest".
func (h *Handler) wonder(req *Request, path string, wait time.Duration) {
	name := req.name()
	if req.Asker.anonymous() || h.ledger.book.get(name).open(h.now()) || h.opt.Sources.Public(req.Registry, req.Repository) ||
		h.secrets.known(name) || h.health.down(req.called()) {
		return
	}
	if _, ok := h.tempting(req); !ok {
		return
	}
	if wait > 0 && !h.awaited.due(name, downFor) {
		wait = 0
	}
	ctx, cancel := context.WithTimeout(req.Context(), wait)
	defer cancel()
	nobody := *req
	nobody.Asker = Asker{}
	nobody.Request = req.Request.WithContext(ctx)
	_, _ = h.share("public", &nobody, tagKey{name: req.cacheName()}, func(ctx context.Context) (*found, error) {
		ctx, cancel := context.WithTimeout(ctx, h.opt.Waits.Check)
		defer cancel()
		rsp, err := h.ask(ctx, &nobody, http.MethodHead, path, manifestHeader(req))
		status, ok := spoken(err)
		switch {
		case err == nil:
			drain(rsp)
			h.letIn(&nobody, "")
		case sentOn(err):
			h.letIn(&nobody, "")
		case ok && status.Status == http.StatusNotFound: // perhaps this was all there is not
			h.secrets.note(name, doubtFor)
		case definite(err):
			h.secrets.note(name, secretFor)
			h.turnedAway(&nobody, err, true)
		}
		return &found{}, err
	})
}

// tempting names a mirror that could be asked if the repository were public.
func (h *Handler) tempting(req *Request) (name string, ok bool) {
	for _, p := range h.opt.Sources.PlacesAt(req.Registry, req.home().host) {
		if p.MayKnow(true, req.Repository) && !p.Origin() && p.Connections() > 0 {
			return p.Name(), true
		}
	}
	return "", false
}

// passedOver says why the mirror that the route names is not asked, for a person:
// its name and the reason, "" if it is.
func (h *Handler) passedOver(of home) (name, why string) {
	reg, ok := h.settings().Registry(of.reg.Name)
	if !ok {
		return "", ""
	}
	lead, ok := reg.Mirror(reg.Route)
	if !ok {
		return "", ""
	}
	for _, s := range h.opt.Sources.Standings(reg) {
		if s.Name == lead.Name && !s.Origin && !s.Usable && s.Why != "" {
			return s.Name, "not asked: " + s.Why
		}
	}
	if !lead.Private && !h.tellable(of) {
		return lead.Name, "not asked: the repository is not known to be public"
	}
	return lead.Name, ""
}

// secrets remembers for a while which repositories turned nobody in particular
// away, so that each of their blobs does not ask again.
type secrets struct {
	mu    sync.Mutex
	now   func() time.Time
	until map[string]time.Time
}

const (
	secretFor  = time.Hour
	doubtFor   = time.Minute
	maxSecrets = 4096
)

func newSecrets(now func() time.Time) *secrets {
	return &secrets{now: now, until: map[string]time.Time{}}
}

func (s *secrets) known(repository string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now().Before(s.until[repository])
}

func (s *secrets) note(repository string, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.until) >= maxSecrets {
		clear(s.until)
	}
	s.until[repository] = s.now().Add(wait)
}
