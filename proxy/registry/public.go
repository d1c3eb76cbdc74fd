package registry

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"pulley/proxy/source"
)

// Whether a repository is public decides what a mirror may be told of: neither
// the name nor a digest of one that is not known to be public goes to any. It is
// known by the catalogue, or because the origin gave something of it to somebody
// without credentials.

// public says that anybody may know of the request's repository.
func (h *Handler) public(req *Request) bool {
	s := h.ledger.book.get(req.name())
	return s.openOffline() || !s.Closed && h.opt.Sources.Public(req.Registry, req.Repository)
}

// hostOf is the registry's host as the request means it.
func (h *Handler) hostOf(req *Request) string {
	for _, host := range req.Registry.Hosts {
		if !strings.HasPrefix(host, "*") {
			return host
		}
	}
	return req.Target.Host
}

// places are where the request's bytes may come from now, best first: the origin,
// and the mirrors that may know of the repository.
func (h *Handler) places(req *Request) (list []*source.Place) {
	public := h.public(req)
	for _, p := range h.opt.Sources.PlacesAt(req.Registry, h.hostOf(req)) {
		if p.MayKnow(public, req.Repository) {
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

// wonder finds out, for a client with credentials of its own and once for all who
// ask, whether the repository is public, if a mirror would be asked if it were.
// What is found out is in public afterwards. path is of something that the client
// is asking for: "manifests/latest".
func (h *Handler) wonder(ctx context.Context, req *Request, path string) {
	if req.Asker.anonymous() || h.public(req) || !h.tempting(req) || h.secrets.known(req.name()) {
		return
	}
	nobody := *req
	nobody.Asker = Asker{}
	nobody.Request = req.Request.WithContext(ctx)
	_, _ = h.share("public", &nobody, tagKey{name: req.cacheName()}, func(ctx context.Context) (*found, error) {
		ctx, cancel := context.WithTimeout(ctx, h.opt.Waits.Check)
		defer cancel()
		rsp, err := h.ask(ctx, &nobody, http.MethodHead, path, manifestHeader(req))
		switch {
		case err == nil:
			drain(rsp)
			h.letIn(&nobody, "")
		case definite(err):
			h.secrets.note(req.name())
		}
		return &found{}, err
	})
}

// tempting says that some mirror could be asked if the repository were public.
func (h *Handler) tempting(req *Request) bool {
	for _, p := range h.opt.Sources.PlacesAt(req.Registry, h.hostOf(req)) {
		if p.MayKnow(true, req.Repository) && !p.Origin() && p.Connections() > 0 {
			return true
		}
	}
	return false
}

// secrets remembers for a while which repositories turned nobody in particular
// away, so that each of their blobs does not ask again.
type secrets struct {
	mu  sync.Mutex
	now func() time.Time
	at  map[string]time.Time
}

const (
	secretFor  = time.Hour
	maxSecrets = 4096
)

func newSecrets(now func() time.Time) *secrets {
	return &secrets{now: now, at: map[string]time.Time{}}
}

func (s *secrets) known(repository string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.at[repository]
	return ok && s.now().Sub(at) < secretFor
}

func (s *secrets) note(repository string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.at) >= maxSecrets {
		clear(s.at)
	}
	s.at[repository] = s.now()
}
