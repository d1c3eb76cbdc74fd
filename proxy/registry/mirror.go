package registry

import (
	"net/http"
	"net/netip"
	"regexp"
	"strings"

	"pulley/cache"
	"pulley/internal/config"
)

// hub is the registry that the mirror door answers for when none is named, and
// the only one whose official images live in a namespace nobody types.
const (
	hub      = "docker.io"
	official = "library/"
	ownName  = cache.Local // the person's own images
)

// ServeMirror answers origin-form requests on our own port: the registry mirror
// that engines are configured with, and explicit names. The caller has made sure
// that Host is a name of ours.
func (h *Handler) ServeMirror(w http.ResponseWriter, r *http.Request) {
	x := h.begin(w, r, "mirror")
	defer x.end()
	cfg := h.settings()
	if IsBrowser(r) {
		refuse(http.StatusForbidden, Denied, "this is a registry for container engines, not for browsers").write(x, r)
		return
	}
	if first, _ := firstComponent(r.URL.Path); first == ownName && r.URL.Query().Get("ns") == "" {
		h.serveOwn(x, r)
		return
	}
	req, no := h.mirrorRequest(cfg, r)
	if req != nil {
		x.about(req)
	}
	if no != nil {
		no.write(x, r)
		return
	}
	if req.What == Ping {
		ping(x, r)
		return
	}
	h.serve(x, req) //nolint:contextcheck // req holds r, and with it the context
}

// RefuseForeign answers a request for the mirror that names a host which is none
// of ours (DNS rebinding).
func RefuseForeign(w http.ResponseWriter, r *http.Request) {
	refuse(http.StatusForbidden, Denied, "this is not "+strings.ToValidUTF8(r.Host, "?")+"; use this machine's address").write(w, r)
}

// Refuse answers a request that the port does not let in, in the format that
// registry clients read.
func Refuse(w http.ResponseWriter, r *http.Request, status int, code Code, message string) {
	refuse(status, code, message).write(w, r)
}

// mirrorRequest finds out which registry and repository are meant. Nothing that
// it refuses is dialled. The Request comes back with a refusal too when enough
// of it is known to record.
func (h *Handler) mirrorRequest(cfg *config.Config, r *http.Request) (*Request, *refusalError) {
	req := &Request{Door: "mirror", Request: r, Uncached: !cfg.Enabled}
	path := r.URL.Path
	ns := ""
	if r.URL.RawQuery != "" {
		ns = r.URL.Query().Get("ns")
	}
	switch first, rest := firstComponent(path); {
	case ns != "":
		req.Named = ByNS
		req.Registry, req.Target.Host = lookup(cfg, ns, isHere(r))
		if req.Registry == nil {
			return nil, refuse(http.StatusNotFound, NameUnknown, ns+" is not a configured registry")
		}
	case strings.ContainsAny(first, ".:"):
		req.Named, req.Prefix = Explicit, first+"/"
		req.Registry, req.Target.Host = lookup(cfg, first, isHere(r))
		if req.Registry == nil {
			return nil, refuse(http.StatusNotFound, NameUnknown, first+" is not a configured registry; add it to config.toml")
		}
		path = "/v2/" + rest
	default:
		req.Named = Bare
		req.Registry, _ = lookup(cfg, hub, true)
	}
	req.Path = ParsePath(path)
	if req.Registry == nil && req.What != Ping {
		return req, refuse(http.StatusNotFound, NameUnknown, hub+" is not a configured registry")
	}
	return req, h.mirrorRules(cfg, req)
}

func (h *Handler) mirrorRules(cfg *config.Config, req *Request) *refusalError {
	if !req.reads() {
		return notAllowed("the mirror is read-only; push to the registry itself")
	}
	if req.What == Ping {
		return nil
	}
	if !cfg.Enabled && req.Named != Explicit {
		return refuse(http.StatusNotFound, NameUnknown, "pulley is switched off; go to the registry itself")
	}
	if req.Registry.Name == hub && req.Repository != "" && !strings.Contains(req.Repository, "/") {
		req.Repository = official + req.Repository
	}
	switch {
	case req.What == Other, req.What == Upload:
		return refuse(http.StatusNotFound, Unsupported, "the mirror serves manifests, blobs, tags and referrers only")
	case req.Problem != "":
		return refuse(http.StatusBadRequest, req.Problem, "the path is not valid: "+problemText[req.Problem])
	}
	// Basic here means our own door; only a registry's own token, sent to a
	// mirror that was chosen for that registry by name, is that registry's.
	if value, ok := authorization(req.Request); ok && req.Named == ByNS && bearer(value) != "" {
		who, no := h.askerOf(req.Registry.Name, "", value)
		if no == nil {
			req.Asker = who
		}
	}
	return nil
}

var problemText = map[Code]string{
	NameInvalid:   "a repository's name is lower case, with single separators",
	TagInvalid:    "a tag has letters, digits, dots, dashes and underscores, 128 at most",
	DigestInvalid: "a digest is sha256: and 64 hexadecimal digits",
}

// lookup finds a registry by its name or one of its hosts; host is what is meant by
// a "*", else "". What that stands for is for clients on this machine alone to say:
// it is the host that is asked.
func lookup(cfg *config.Config, name string, here bool) (reg *config.Registry, host string) {
	if r, ok := cfg.Registry(name); ok {
		return r, ""
	}
	r, ok := cfg.RegistryByHost(name)
	switch {
	case !ok:
		return nil, ""
	case r.Spells(name):
		return r, ""
	case here && wildHost.MatchString(name):
		return r, plainHost(r, name)
	}
	return nil, ""
}

// wildHost is what a "*.domain" may stand for: a name, and perhaps a port. Anything
// else might be read as another host once it is part of a URL.
var wildHost = regexp.MustCompile(`^(?i)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+\.?(:[0-9]{1,5})?$`)

// plainHost is a host in the one way it is remembered: lower case, without final
// dot and without the port that is meant anyway.
func plainHost(reg *config.Registry, hostport string) string {
	name, port, _ := strings.Cut(strings.ToLower(hostport), ":")
	name = strings.TrimSuffix(name, ".")
	if port == "" || port == "443" && !reg.Insecure || port == "80" && reg.Insecure {
		return name
	}
	return name + ":" + port
}

// isHere reports whether a request's client is on this machine. One without an
// IP address, as over a pipe, can be nowhere else.
func isHere(r *http.Request) bool {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	return err != nil || a.Addr().Unmap().IsLoopback()
}

// firstComponent splits the component behind /v2/ from what follows it.
func firstComponent(path string) (first, rest string) {
	tail, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		return "", ""
	}
	first, rest, _ = strings.Cut(tail, "/")
	return first, rest
}

func notAllowed(message string) *refusalError {
	no := refuse(http.StatusMethodNotAllowed, Unsupported, message)
	no.header = http.Header{"Allow": {"GET, HEAD"}}
	return no
}

func ping(x *exchange, r *http.Request) {
	x.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	x.Header().Set("Content-Type", "application/json")
	x.Header().Set("Content-Length", "2")
	x.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = x.Write([]byte("{}"))
	}
}
