package registry

import (
	"net/http"
	"net/url"
	"strings"

	"pulley/cache"
)

// serveOwn hands a request for the person's own images to Options.Own. They are a
// person's to have also while pulley is switched off.
func (h *Handler) serveOwn(x *exchange, r *http.Request) {
	p := ParsePath(r.URL.Path)
	e := &x.event
	e.What, e.Registry, e.Repository = string(p.What), ownName, strings.TrimPrefix(p.Repository, ownName+"/")
	e.Reference, e.Digest = p.Reference, p.Digest
	if p.What == Upload {
		e.Reference = "" // an upload's URL is a secret of its own
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case h.opt.Own != nil:
		h.opt.Own.ServeHTTP(x, r)
	case reads:
		refuse(http.StatusNotFound, NameUnknown, "there are no own images under local/ here").write(x, r)
	default:
		notAllowed("there is no place for own images under local/ here").write(x, r)
	}
	if reads && e.Status/100 == 2 {
		e.Source = fromCache
	}
}

// MayOwn says what a client at the mirror door may do with the person's own images.
// Whoever the port lets in may read them. Writing is for this machine, and for
// those who have shown a password: an address alone is no proof of who asks.
func (h *Handler) MayOwn(r *http.Request) (read, write bool) {
	return true, isHere(r) || len(h.settings().Access.Users) > 0
}

// Published reads the name of a repository as the mirror door does, and says
// whether anybody may have what is in it, as far as is known without asking.
func (h *Handler) Published(r *http.Request, name string) (cache.Name, bool) {
	probe := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/v2/" + name + "/tags/list"}, RemoteAddr: r.RemoteAddr}
	req, no := h.mirrorRequest(h.settings(), probe)
	if no != nil || req.What != Tags || req.Registry == nil {
		return cache.Name{}, false
	}
	return req.cacheName(), h.tellable(req.home())
}
