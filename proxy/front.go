package proxy

import (
	"net"
	"net/http"
	"strings"

	"pulley/proxy/registry"
)

// The doors, as Target and TunnelEvent name them.
const (
	doorHTTP  = "http"
	doorSOCKS = "socks5"
	doorTLS   = "tls"
)

// aboutPage answers whoever looks at the port with a browser.
const aboutPage = `pulley: nothing is here under this address

This port is an HTTP and SOCKS5 proxy and a registry mirror:
  docker pull <this address>/library/alpine
  docker pull <this address>/ghcr.io/org/app
/healthz and /metrics say how it does.
`

// serveHTTP is given every request of every door.
func (r *run) serveHTTP(w http.ResponseWriter, req *http.Request) {
	r.crew.enter()
	defer r.crew.leave()
	defer func() {
		if p := recover(); p != nil {
			r.s.tellPanic(p)
			panic(http.ErrAbortHandler) //nolint:forbidigo // the http.Server ends the connection, and has nothing to say
		}
	}()
	if r.leaving.Load() {
		w.Header().Set("Connection", "close")
		w = &lastAnswer{ResponseWriter: w}
	}
	c := peerOf(req)
	if req.Body != nil && req.Body != http.NoBody {
		var done func()
		req, done = r.withWholeBody(w, req, c)
		defer done()
	}
	switch {
	case c.site != nil:
		r.serveSite(w, req, c)
	case req.Method == http.MethodConnect:
		r.serveConnect(w, req)
	case req.URL.Scheme != "" && req.URL.Host != "":
		r.serveAbsolute(w, req)
	default:
		r.serveOrigin(w, req)
	}
}

// serveSite answers a request on an intercepted connection. The settings may
// have changed since it was opened: then it ends with this request, and the next
// one finds its way anew.
func (r *run) serveSite(w http.ResponseWriter, req *http.Request, c *conn) {
	cfg, st := r.s.opt.Settings(), c.site
	target := registry.Target{Registry: st.registry, Scheme: st.scheme, Host: st.host, Door: st.door}
	if reg, _ := registryFor(cfg, c.client, st.hostport); reg != nil {
		target.Registry = reg
		if !cfg.Enabled {
			w.Header().Set("Connection", "close")
		}
	} else {
		w.Header().Set("Connection", "close")
	}
	switch {
	case req.Method == http.MethodConnect:
		http.Error(w, "pulley: "+st.host+" is a registry, not a proxy", http.StatusMethodNotAllowed)
		return
	case req.URL.Host != "" && !st.is(req.URL.Scheme, req.URL.Host):
		http.Error(w, "pulley: this connection is to "+st.host, http.StatusMisdirectedRequest)
		return
	case req.URL.Host != "": // absolute form, as RFC 9112, section 3.2.2 lets clients do
		toOriginForm(req)
	}
	r.s.opt.Registry.ServeHost(w, req, target)
}

// serveOrigin answers what is meant for this port itself.
func (r *run) serveOrigin(w http.ResponseWriter, req *http.Request) {
	if c := peerOf(req); c.state != nil {
		state := c.state.ConnectionState()
		req.TLS = &state
	}
	path := req.URL.Path
	switch {
	case path == "/healthz":
		if r.refuseForeign(w, req) {
			return
		}
		r.s.opt.Own.ServeHTTP(w, req)
	case path == "/metrics":
		r.serveMetrics(w, req)
	case !r.s.authorized(w, req, false):
	case isRegistryPath(path):
		if !r.s.isOwnHost(req.Host) {
			registry.RefuseForeign(w, req)
			return
		}
		r.s.opt.Registry.ServeMirror(w, req)
	case r.refuseForeign(w, req):
	default:
		http.Error(w, aboutPage, http.StatusNotFound)
	}
}

func isRegistryPath(path string) bool { return path == "/v2" || strings.HasPrefix(path, "/v2/") }

// serveMetrics answers clients on this machine, and those elsewhere that are one of
// [access] users: an address alone is no proof of who asks. A page in a browser is
// neither.
func (r *run) serveMetrics(w http.ResponseWriter, req *http.Request) {
	switch c := peerOf(req); {
	case r.refuseForeign(w, req):
	case registry.IsBrowser(req):
		http.Error(w, "pulley: metrics are not for pages in browsers", http.StatusForbidden)
	case req.Method != http.MethodGet && req.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "pulley: metrics are read only", http.StatusMethodNotAllowed)
	case !isLocal(c.client) && len(r.s.opt.Settings().Access.Users) == 0:
		http.Error(w, "pulley: metrics are for this machine, and from elsewhere for [access] users; there are none", http.StatusForbidden)
	case isLocal(c.client) || r.s.authorized(w, req, false):
		r.s.opt.Own.ServeHTTP(w, req)
	}
}

// refuseForeign refuses a request that names another host than this machine.
func (r *run) refuseForeign(w http.ResponseWriter, req *http.Request) bool {
	if r.s.isOwnHost(req.Host) {
		return false
	}
	http.Error(w, "pulley: this is not "+strings.ToValidUTF8(req.Host, "?")+"; use this machine's address", http.StatusForbidden)
	return true
}

// serveConnect opens a tunnel, or what looks like one to the client.
func (r *run) serveConnect(w http.ResponseWriter, req *http.Request) {
	host, port, err := splitTarget(req.URL.Host)
	switch {
	case err != nil:
		http.Error(w, "pulley: CONNECT: "+err.Error(), http.StatusBadRequest)
	case !r.s.authorized(w, req, true):
	case r.isSelf(host, port):
		http.Error(w, "pulley: "+req.URL.Host+" is pulley itself; connect to it directly", http.StatusForbidden)
	default:
		r.s.proxy.ServeHTTP(hijackable{w}, req)
	}
}

// serveAbsolute proxies a plain HTTP request.
func (r *run) serveAbsolute(w http.ResponseWriter, req *http.Request) {
	hostport, err := absoluteTarget(req)
	if err != nil {
		http.Error(w, "pulley: "+err.Error(), http.StatusBadRequest)
		return
	}
	if host, port, _ := net.SplitHostPort(hostport); r.isSelf(host, port) {
		// A client that was not told to leave this machine out. No need to dial
		// ourselves for that.
		toOriginForm(req)
		r.serveOrigin(w, req)
		return
	}
	if !r.s.authorized(w, req, true) {
		return
	}
	c := peerOf(req)
	if st, _ := r.s.siteOf(c, hostport); st != nil && (req.URL.Scheme == "https" || st.registry.Insecure) {
		st.setScheme(req.URL.Scheme)
		toOriginForm(req)
		r.s.opt.Registry.ServeHost(w, req, registry.Target{Registry: st.registry, Scheme: st.scheme, Host: st.host, Door: st.door})
		return
	}
	if isUpgrade(req.Header) && req.URL.Scheme == "http" {
		r.upgrade(w, req, c, hostport)
		return
	}
	r.s.proxy.ServeHTTP(w, req)
}

// absoluteTarget returns the host:port that an absolute-form request is for.
func absoluteTarget(req *http.Request) (string, error) {
	port := req.URL.Port()
	if port == "" {
		switch req.URL.Scheme {
		case "http":
			port = "80"
		case "https":
			port = "443"
		}
	}
	hostport := net.JoinHostPort(req.URL.Hostname(), port)
	_, _, err := splitTarget(hostport)
	return hostport, err
}

// toOriginForm makes an absolute-form request one in origin form, for handlers
// that should not see the difference, and takes out what was meant for a proxy.
func toOriginForm(req *http.Request) {
	req.Host = req.URL.Host
	u := *req.URL
	u.Scheme, u.Host, u.User = "", "", nil
	if u.Path == "" {
		u.Path = "/"
	}
	req.URL = &u
	req.RequestURI = u.RequestURI()
	req.Header.Del("Proxy-Connection")
	req.Header.Del("Proxy-Authorization")
}
