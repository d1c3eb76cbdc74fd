package registry

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"pulley/proxy/token"
)

// tokenPath is our token service on a registry's own host. No registry has
// anything below a dot there.
const tokenPath = "/.pulley/token"

// site is where the request goes: to the host that its client speaks to, or, if
// that is retired and is only read from, to the one that answers in its stead.
func (r *Request) site() token.Site {
	if r.reads() || r.What == Token {
		return token.SiteOf(r.Registry, r.Target.Host)
	}
	return token.Site{Registry: r.Registry, Host: r.Target.Host}
}

// greeting is how the registry wants to be spoken to: what is remembered of its
// /v2/, or what it says now. A registry that cannot be asked is taken for one
// with tokens, as nearly all are; ours do for what is cached.
func (h *Handler) greeting(ctx context.Context, req *Request) token.Hint {
	s := req.site()
	if hint, ok := h.tokens.Hint(s); ok {
		return hint
	}
	unknown := token.Hint{Scheme: token.Bearer, Service: s.Host}
	if h.reachable(req) != nil || h.health.down(req.called()) {
		return unknown
	}
	ctx, cancel := context.WithTimeout(ctx, h.opt.Waits.Check)
	defer cancel()
	hint, err := h.tokens.Discover(ctx, s)
	if err != nil {
		var gone *token.ServiceError
		if errors.As(err, &gone) && gone.Status == 0 {
			h.health.failed(req.called(), err)
		}
		h.log.Info("registry does not say how it wants to be spoken to", "registry", req.Registry.Name, "host", s.Host, "err", err)
		return unknown
	}
	h.saveHints()
	return hint
}

// challenge is the WWW-Authenticate value that leads the client to our token
// service; fault is an error code of RFC 6750, or empty.
func (r *Request) challenge(hint token.Hint, fault string) string {
	if hint.Scheme == token.Basic {
		return `Basic realm="` + r.Registry.Name + `"`
	}
	service := hint.Service
	if service == "" {
		service = r.Target.Host
	}
	var b strings.Builder
	b.WriteString(`Bearer realm="` + r.Target.origin() + tokenPath + `",service="` + quoted(service) + `"`)
	if scope := r.scope(); scope != "" {
		b.WriteString(`,scope="` + scope + `"`)
	}
	if fault != "" {
		b.WriteString(`,error="` + fault + `"`)
	}
	return b.String()
}

// scope is what the request needs a token for, in the form token services
// know; the repository is valid, so nothing needs quoting.
func (r *Request) scope() string {
	if r.Repository == "" || r.Problem == NameInvalid {
		return ""
	}
	switch {
	case r.reads():
		return "repository:" + r.Repository + ":pull"
	case r.Method == http.MethodDelete && r.What != Upload:
		return "repository:" + r.Repository + ":delete"
	}
	scope := "repository:" + r.Repository + ":pull,push"
	if from := r.URL.Query().Get("from"); from != "" && ValidRepository(from) {
		scope += " repository:" + from + ":pull"
	}
	return scope
}

func quoted(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '"' || r == '\\' || r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}

// ourChallenge replaces the realm in a challenge of the origin's, so that the
// client comes to us for its token. What is no Bearer challenge stays.
func (h *Handler) ourChallenge(req *Request, header http.Header) {
	list, err := token.ParseChallenges(header)
	if err != nil {
		header.Del("Www-Authenticate") // whatever it is, no client should act on it
		return
	}
	c, ok := token.Find(list, token.Bearer)
	if !ok {
		return
	}
	hint, _ := h.tokens.Hint(req.site())
	hint.Scheme = token.Bearer
	if s := c.Params["service"]; s != "" {
		hint.Service = s
	}
	fault := quoted(c.Params["error"])
	if fault == "" && req.Asker.Own {
		// The origin saw no token; the client sent ours, and dockerd tries again for 50 s unless told that it is the wrong one.
		fault = "insufficient_scope"
	}
	ours := req.challenge(hint, fault)
	if scope := quoted(c.Params["scope"]); scope != "" && req.scope() == "" {
		ours += `,scope="` + scope + `"`
	}
	header.Set("Www-Authenticate", ours)
}

// unauthorized is the answer to an asker that has no right, as its door wants
// it: a challenge for a client that can answer one, 404 for one that then goes
// to the origin itself.
func (h *Handler) unauthorized(req *Request, fault, message string) *refusalError {
	switch req.Named {
	case ByNS:
		return refuse(http.StatusNotFound, NameUnknown, message)
	case Bare, Explicit:
		// No challenge: credentials for the registry have no business here.
		return refuse(http.StatusUnauthorized, Unauthorized, message)
	case NotMirror:
	}
	no := refuse(http.StatusUnauthorized, Unauthorized, message)
	hint, ok := h.tokens.Hint(req.site())
	if !ok {
		hint = token.Hint{Scheme: token.Bearer}
	}
	no.header = http.Header{"Www-Authenticate": {req.challenge(hint, fault)}}
	return no
}

// servePing answers /v2/ on an intercepted host. Engines ask it before anything
// else, so it must not need the origin.
func (h *Handler) servePing(x *exchange, req *Request) {
	if !req.reads() {
		h.forward(x, req)
		return
	}
	if req.Asker.Own {
		ping(x, req.Request)
		return
	}
	if !req.Asker.anonymous() {
		h.forward(x, req) // docker login: the origin judges
		return
	}
	hint := h.greeting(req.Context(), req)
	if hint.Scheme == token.None {
		ping(x, req.Request)
		return
	}
	no := refuse(http.StatusUnauthorized, Unauthorized, "authentication required")
	no.header = http.Header{
		"Www-Authenticate":                {req.challenge(hint, "")},
		"Docker-Distribution-Api-Version": {"registry/2.0"},
	}
	no.write(x, req.Request)
}
