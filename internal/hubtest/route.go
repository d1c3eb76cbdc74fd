package hubtest

import (
	"cmp"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/go-digest"
)

// target is what a request's host and path mean.
type target struct {
	site   *Site
	kind   Kind
	repo   string
	key    string // what the site calls that repository
	ref    string // tag, digest, or an upload's id
	digest digest.Digest
	cdn    bool // it came to the CDN's own host, which takes no Authorization
}

// route never fails: what it does not know is Other.
func (h *Hub) route(r *http.Request) target {
	host := hostname(r.Host)
	t := target{kind: Other}
	for _, s := range h.sites {
		known := []string{s.Host, s.TokenHost, s.CDN}
		if names := append(known, s.Aliases...); slices.Contains(names, r.Host) || slices.Contains(names, host) {
			t.site = s
			t.cdn = host == s.CDN && s.CDN != s.Host
			break
		}
	}
	if t.site == nil {
		t.site = h.primary
	}
	path := r.URL.Path
	switch {
	case path == "/token":
		t.kind = Token
		for _, s := range h.sites { // several may share a token service
			if s.TokenHost == t.site.TokenHost && s.Service == r.URL.Query().Get("service") {
				t.site = s
			}
		}
	case strings.HasPrefix(path, cdnPrefix), strings.HasPrefix(path, hopPrefix):
		t.kind = CDN
		if q := r.URL.Query(); q.Has("site") { // several registries may share a CDN
			t.site = h.siteOf(q.Get("site"), t.site)
		}
		if parts := strings.Split(path, "/"); len(parts) > 2 { // …/sha256/ab/abcd…/data
			if d := digest.NewDigestFromEncoded(digest.SHA256, parts[len(parts)-2]); d.Validate() == nil {
				t.digest = d
			}
		}
	case path == "/v2/" || path == "/v2":
		t.kind = Ping
	case strings.HasPrefix(path, "/v2/"):
		t.api(strings.TrimPrefix(path, "/v2/"))
		t.key = t.site.key(t.repo, r.URL.Query().Get("ns"))
	}
	return t
}

func (h *Hub) siteOf(host string, otherwise *Site) *Site {
	for _, s := range h.sites {
		if s.Host == host {
			return s
		}
	}
	return otherwise
}

// api finds the noun in <repository>/<noun>/<rest>; a repository may have a component of that name, so the last one counts.
func (t *target) api(path string) {
	nouns := []struct {
		sep  string
		kind Kind
	}{{"/blobs/uploads/", Upload}, {"/blobs/", Blob}, {"/manifests/", Manifest}, {"/referrers/", Referrers}, {"/tags/list", Tags}}
	for _, n := range nouns {
		i := strings.LastIndex(path, n.sep)
		if i < 0 || n.kind == Tags && !strings.HasSuffix(path, n.sep) {
			continue
		}
		rest := path[i+len(n.sep):]
		if strings.Contains(rest, "/") {
			continue
		}
		t.kind, t.repo, t.ref = n.kind, path[:i], rest
		if d := digest.Digest(rest); d.Validate() == nil {
			t.digest = d
		}
		return
	}
	if repo, ok := strings.CutSuffix(path, "/blobs/uploads"); ok {
		t.kind, t.repo = Upload, repo
	}
}

// handle serves one request: record, faults, then the noun.
func (h *Hub) handle(rw http.ResponseWriter, r *http.Request) {
	t, c := h.route(r), connOf(r)
	h.meet(c, hostname(r.Host))
	w := &response{
		ResponseWriter: rw, rc: http.NewResponseController(rw), hub: h, req: r, conn: c, target: t,
		entry: h.begin(r, t), limit: -1,
		query: query{c.addr, hostname(r.Host), r.Method, r.URL.EscapedPath(), t.kind, t.digest},
	}
	defer h.record.end(w.entry)
	defer w.leavePaces()
	r = r.WithContext(r.Context()) // net/http looks at its own request's Body to know whether 100 Continue was sent
	r.Body = &counted{r.Body, w}
	w.Header().Set("Date", h.Now().UTC().Format(http.TimeFormat))
	f, _ := h.faults.match(atRequest, w.query, false)
	if f.Latency > 0 {
		w.note("latency")
		w.wait(f.Latency)
	}
	if f.Reset {
		w.note("reset")
		c.reset()
		panic(http.ErrAbortHandler)
	}
	if f.Status > 0 {
		w.note("status")
		h.faulty(w, r, t, &f.Faults)
		return
	}
	h.dispatch(w, r, t)
}

func (h *Hub) dispatch(w *response, r *http.Request, t target) {
	if t.kind != CDN && t.kind != Token && t.kind != Other {
		w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
		if t.kind != Ping && !h.names.MatchString(t.repo) {
			fail(w, http.StatusBadRequest, "NAME_INVALID", "invalid repository name")
			return
		}
		if t.site.of != nil && r.Method != http.MethodGet && r.Method != http.MethodHead {
			fail(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "a mirror takes no pushes")
			return
		}
	}
	switch serve := handlers[t.kind]; {
	case serve != nil:
		serve(h, w, r, t)
	case h.Other != nil:
		h.Other.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

var handlers = map[Kind]func(*Hub, *response, *http.Request, target){
	Ping:      (*Hub).servePing,
	Token:     (*Hub).serveToken,
	Manifest:  (*Hub).serveManifest,
	Blob:      (*Hub).serveBlob,
	CDN:       (*Hub).serveCDN,
	Tags:      (*Hub).serveTags,
	Referrers: (*Hub).serveReferrers,
	Upload:    (*Hub).serveUpload,
}

// repoName is <name> of the OCI distribution specification, "Pulling manifests".
const repoName = `^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`

// faulty answers with a rule's status.
func (h *Hub) faulty(w *response, r *http.Request, t target, f *Faults) {
	if f.StatusAfter > 0 {
		_, _ = copyN(r.Body, f.StatusAfter)
	}
	if f.Status == http.StatusUnauthorized && t.site.Auth == Bearer {
		w.Header().Set("WWW-Authenticate", t.site.challenge(r, t.repo, scopeActions(r), ""))
	}
	for k, v := range f.Header {
		w.Header()[http.CanonicalHeaderKey(k)] = v
	}
	if f.Body != "" {
		reply(w, f.Status, "", []byte(f.Body))
		return
	}
	code := map[int]string{401: "UNAUTHORIZED", 403: "DENIED", 404: "NOT_FOUND", 429: "TOOMANYREQUESTS"}[f.Status]
	if code == "" {
		code = "UNKNOWN"
	}
	fail(w, f.Status, code, cmp.Or(f.Message, strings.ToLower(http.StatusText(f.Status))))
}

// fail answers with an error in the form of the OCI distribution specification, "Error codes".
func fail(w http.ResponseWriter, status int, code, message string) {
	body, _ := json.Marshal(map[string]any{"errors": []any{map[string]any{"code": code, "message": message, "detail": nil}}})
	reply(w, status, "application/json", append(body, '\n'))
}

// reply sends a small body with its length; a media type in the header already wins.
func reply(w http.ResponseWriter, status int, mediaType string, body []byte) {
	if w.Header().Get("Content-Type") == "" && mediaType != "" {
		w.Header().Set("Content-Type", mediaType)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// base is scheme://host of one of the site's hosts, with the port the client used. A client that came by address or as
// localhost cannot resolve our names and stays where it is.
func base(r *http.Request, host string) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	name := hostname(r.Host)
	if net.ParseIP(name) != nil || name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return scheme + "://" + r.Host
	}
	if _, port, err := net.SplitHostPort(r.Host); err == nil && !strings.Contains(host, ":") {
		host = net.JoinHostPort(host, port)
	}
	return scheme + "://" + host
}

func (h *Hub) servePing(w *response, r *http.Request, t target) {
	if _, ok := h.authorize(w, r, t, ""); !ok {
		return
	}
	reply(w, http.StatusOK, "application/json", []byte("{}\n"))
}
