package registry

import (
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"pulley/proxy/token"
)

// forward passes a request on to the host it was meant for, as it came, and the
// answer back as it is: streaming, upgrades included, redirects not followed.
// Under /v2/ two things are changed on the way back: a challenge leads to our
// token service, and a Location on the origin's host stays on the host the
// client sees. A token of ours does not leave.
func (h *Handler) forward(x *exchange, req *Request) { h.forwardThen(x, req, func() {}) }

// forwardThen calls settled when the answer says that it was done (2xx), before
// the client hears of it.
func (h *Handler) forwardThen(x *exchange, req *Request, settled func()) {
	if req.offline() {
		no := refuse(http.StatusServiceUnavailable, Unavailable, req.Registry.Name+" is switched to offline; try: pulley route "+req.Registry.Name+" auto")
		no.write(x, req.Request)
		return
	}
	x.event.Source, x.event.Passed = fromOrigin, true
	counted := &countedBody{x: x}
	proxy := &httputil.ReverseProxy{
		Transport:     h.opt.Network.Transport(req.Registry.Name),
		FlushInterval: -1,
		ErrorLog:      h.silent,
		Rewrite:       func(p *httputil.ProxyRequest) { outward(p, req) },
		ModifyResponse: func(rsp *http.Response) error {
			h.homeward(x, req, rsp)
			if rsp.StatusCode/100 == 2 {
				settled()
			}
			if rsp.StatusCode != http.StatusSwitchingProtocols {
				counted.ReadCloser, rsp.Body = rsp.Body, counted
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			x.fail(err)
			if r.Context().Err() != nil {
				cutOff()
			}
			why := req.site().Host + " cannot be reached: " + reason(err)
			if req.What == Other && !strings.HasPrefix(r.URL.Path, "/v2/") {
				http.Error(w, "pulley: "+why, http.StatusBadGateway)
				return
			}
			refuse(http.StatusBadGateway, Unavailable, why).write(w, r)
		},
	}
	proxy.ServeHTTP(x, req.Request)
}

// outward makes the request that leaves: the client's own, but for the headers
// that concern one connection only.
func outward(p *httputil.ProxyRequest, req *Request) {
	to := req.site()
	site, err := url.Parse(to.URL())
	if err != nil { // the host came out of a dialled address; the transport will say so
		site = &url.URL{Scheme: "https", Host: to.Host}
	}
	out := p.Out
	out.URL.Scheme, out.URL.Host = site.Scheme, site.Host
	out.URL.RawQuery = p.In.URL.RawQuery // ReverseProxy drops what it cannot parse
	out.URL.ForceQuery = p.In.URL.ForceQuery
	out.Host = p.In.Host
	for _, name := range [...]string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if v, ok := p.In.Header[name]; ok {
			out.Header[name] = v
		}
	}
	for _, v := range p.In.Header.Values("Authorization") {
		if token.IsOwn(v) {
			out.Header.Del("Authorization")
		}
	}
	if to.StandsIn() {
		out.Host = to.Host
		out.Header.Del("Authorization")
		out.Header.Del("Cookie")
	}
}

// homeward readies an answer for the client.
func (h *Handler) homeward(x *exchange, req *Request, rsp *http.Response) {
	if req.What == Other && !strings.HasPrefix(req.URL.Path, "/v2/") {
		return
	}
	if rsp.StatusCode == http.StatusUnauthorized {
		if _, err := h.tokens.Learn(req.site(), rsp.StatusCode, rsp.Header); err != nil {
			x.note(err.Error())
		}
		h.saveHints()
		h.ourChallenge(req, rsp.Header)
	}
	for _, name := range [...]string{"Location", "Content-Location"} {
		if v := rsp.Header.Get(name); v != "" {
			rsp.Header.Set(name, req.homeURL(v))
		}
	}
}

// homeURL keeps a URL on the origin's host on the host, scheme and port that
// the client sees. URLs elsewhere, and relative ones, stay as they are.
func (r *Request) homeURL(location string) string {
	u, err := url.Parse(location)
	if err != nil || u.Host == "" {
		return location
	}
	own := func(host string) bool {
		return strings.EqualFold(stripPort(u), stripPort(&url.URL{Scheme: u.Scheme, Host: host}))
	}
	if !own(r.Target.Host) && !own(r.site().Host) {
		return location
	}
	u.Host = r.Target.Host
	if u.Scheme != "" {
		u.Scheme = r.Target.Scheme
	}
	return u.String()
}

// stripPort is a URL's host without the default port of its scheme.
func stripPort(u *url.URL) string {
	if p := u.Port(); p == "443" && u.Scheme != "http" || p == "80" && u.Scheme == "http" {
		return u.Hostname()
	}
	return u.Host
}

// countedBody counts an answer that is passed on as fetched for its client.
type countedBody struct {
	io.ReadCloser
	x *exchange
}

func (c *countedBody) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.x.fetched(fromOrigin, int64(n))
	return n, err
}
