package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"pulley/internal/config"
	"pulley/proxy/token"
)

// headerTimeout is how long a request without a body may wait for the first
// byte of its answer. Registries that are merely slow answer within a few
// seconds; uploads are not bound by it, since committing one can take minutes.
const headerTimeout = 30 * time.Second

// ErrHeaderTimeout is the cause of a request given up for that reason.
var ErrHeaderTimeout = fmt.Errorf("no answer within %v", headerTimeout)

const userAgent = "pulley"

// Origin is a registry itself, at one of its hosts; within this package also a
// mirror, which is a registry like any other, under its own name.
type Origin struct {
	set    *Set
	reg    *config.Registry
	host   string
	mirror bool
}

// repeats tells that the host is asked once more than the caller knows of.
func (o *Origin) repeats() {
	if o.mirror {
		o.set.manners.charge("mirror " + o.reg.Name)
	}
}

// Registry returns the registry's name.
func (o *Origin) Registry() string { return o.reg.Name }

// Host returns host[:port] that requests go to.
func (o *Origin) Host() string { return o.host }

// String names it for a log.
func (o *Origin) String() string { return o.host }

func (o *Origin) site() token.Site { return token.Site{Registry: o.reg, Host: o.host} }

// Req is a request to an origin.
type Req struct {
	Method   string
	Path     string      // escaped, as on the wire: "/v2/library/debian/manifests/latest"
	RawQuery string      // without "?"
	Header   http.Header // end-to-end headers; Authorization in it is ignored. May be nil, is not changed
	Auth     Identity
	Public   bool   // the repository is known to be public: a mirror may be told its name
	Scope    string // of the token needed; "" derives it from method and path

	// Body is streamed as it is, once. ContentLength -1 means unknown. A
	// request with a body is not sent a second time: a 401 to it is handed back.
	Body          io.Reader
	ContentLength int64
}

// Do sends a request and returns the registry's answer, whatever its status; the
// caller closes the body. It authorises the request for the identity, once more
// with a fresh token if a held one is refused, and follows redirects of GET and
// HEAD. A client's own Bearer token is sent as it is and the answer, 401
// included, is that client's.
//
// An error is a *StatusError: with Status 0 when no answer came, otherwise the
// token service's.
func (o *Origin) Do(ctx context.Context, r Req) (*http.Response, error) {
	if o.host == "" {
		return nil, o.unreached("", false, errors.New("the registry has no host of its own; name one in its hosts"))
	}
	scope := r.Scope
	if scope == "" {
		scope = ScopeOf(r.Method, r.Path, r.RawQuery)
	}
	r.Auth = o.own(r.Auth)
	creds, exchange := r.Auth.credentials()
	once := r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
	if exchange && once {
		// A body goes out once: find out beforehand what it needs. A failure
		// shows again in what follows.
		_, _ = o.set.tokens.Discover(ctx, o.site())
	}
	for asked := 0; ; asked++ {
		auth, fresh := r.Auth.authorization, true
		if exchange {
			var err error
			if auth, fresh, err = o.set.tokens.Authorize(ctx, o.site(), scope, creds); err != nil {
				return nil, o.tokenError(err)
			}
		}
		resp, err := o.send(ctx, r, auth)
		if err != nil {
			return nil, err
		}
		again, err := o.learn(r, resp, &scope, creds, auth, fresh)
		if err != nil && exchange {
			_ = resp.Body.Close()
			return nil, o.tokenError(err)
		}
		if !again || !exchange || once || asked >= 2 {
			return resp, nil
		}
		drain(resp)
		o.repeats()
	}
}

// own is an identity as far as it was meant for this host: credentials for a
// retired registry are not shown to the one that answers in its stead.
func (o *Origin) own(id Identity) Identity {
	if o.site().StandsIn() {
		return Anonymous()
	}
	return id
}

// learn takes from an answer how the registry wants to be spoken to, and says
// whether asking again can help.
func (o *Origin) learn(r Req, resp *http.Response, scope *string, creds token.Credentials, auth string, fresh bool) (again bool, err error) {
	if left(resp.Request) {
		return false, nil
	}
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		changed, err := o.set.tokens.Learn(o.site(), resp.StatusCode, resp.Header)
		if err != nil {
			return false, err
		}
		renamed := false
		if *scope == "" || o.mirror {
			// A mirror may call what it is asked for in its tokens by another
			// name than in its paths.
			if asks := scopeAsked(resp.Header); asks != *scope && (!o.mirror || strings.HasSuffix(asks, ":pull")) {
				*scope, renamed = asks, o.mirror
			}
		}
		h, known := o.set.tokens.Hint(o.site())
		if !known || h.Scheme != token.Bearer {
			return changed && auth == "" && !creds.Anonymous(), nil
		}
		had := o.set.tokens.Forget(o.site(), *scope, creds)
		return changed || renamed || !strings.HasPrefix(auth, "Bearer ") || had && !fresh, nil
	case resp.StatusCode == http.StatusOK && auth == "" && r.Path == "/v2/":
		// Elsewhere a success proves nothing: some registries give public things
		// to anybody and still have logins.
		_, err := o.set.tokens.Learn(o.site(), resp.StatusCode, resp.Header)
		return false, err
	}
	return false, nil
}

// scopeAsked is the scope of a Bearer challenge, "" if there is none.
func scopeAsked(h http.Header) string {
	list, err := token.ParseChallenges(h)
	if err != nil {
		return ""
	}
	c, _ := token.Find(list, token.Bearer)
	return c.Params["scope"]
}

func (o *Origin) request(ctx context.Context, r Req, auth string) (*http.Request, error) {
	if !strings.HasPrefix(r.Path, "/") {
		return nil, errors.New("malformed request path")
	}
	target := o.site().URL() + r.Path
	if r.RawQuery != "" {
		target += "?" + r.RawQuery
	}
	u, err := url.Parse(target)
	if err != nil || u.Host != o.host {
		return nil, errors.New("malformed request path")
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, u.String(), nil)
	if err != nil {
		return nil, errors.New("malformed request")
	}
	req.URL = u
	req.Header = endToEnd(r.Header)
	if r.Body != nil {
		req.Body, req.ContentLength = io.NopCloser(r.Body), r.ContentLength
		if r.ContentLength == 0 {
			req.Body = http.NoBody
		}
	}
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", userAgent)
	}
	return req, nil
}

// endToEnd copies headers without those of the connection (RFC 9110, 7.6.1),
// without Authorization, which only an Identity sets, and without
// Accept-Encoding: a body is wanted as the bytes that were hashed.
func endToEnd(h http.Header) http.Header {
	out := make(http.Header, len(h)+2)
	for name, v := range h {
		out[name] = v
	}
	for _, v := range h.Values("Connection") {
		for name := range strings.SplitSeq(v, ",") {
			out.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range []string{
		"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Authorization", "Accept-Encoding", "Content-Length", "Host",
	} {
		out.Del(name)
	}
	return out
}

// ScopeOf derives the scope that a request to the distribution API needs, ""
// for one that needs none or that has no repository in its path.
func ScopeOf(method, path, rawQuery string) string {
	rest, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		return ""
	}
	if rest == "_catalog" {
		return "registry:catalog:*"
	}
	repo := ""
	for _, part := range []string{"/manifests/", "/blobs/", "/tags/", "/referrers/"} {
		if i := strings.LastIndex(rest, part); i > 0 && (repo == "" || i > len(repo)) {
			repo = rest[:i]
		}
	}
	if repo == "" {
		return ""
	}
	if un, err := url.PathUnescape(repo); err == nil {
		repo = un
	}
	actions := "pull"
	switch method {
	case http.MethodGet, http.MethodHead:
		if strings.Contains(rest, "/blobs/uploads/") {
			actions = "pull,push"
		}
	case http.MethodDelete:
		actions = "delete"
	default:
		actions = "pull,push"
	}
	scope := "repository:" + repo + ":" + actions
	if q, err := url.ParseQuery(rawQuery); err == nil && method == http.MethodPost && q.Get("from") != "" {
		scope += " repository:" + q.Get("from") + ":pull"
	}
	return scope
}

// drainTimeout bounds reading what is thrown away or shown in an error.
const drainTimeout = 5 * time.Second

// drain reads what little is left so that the connection can be used again.
func drain(resp *http.Response) { _ = readCapped(resp) }

// readCapped reads at most maxErrorBody bytes for at most drainTimeout, and
// closes the body.
func readCapped(resp *http.Response) []byte {
	t := time.AfterFunc(drainTimeout, func() { _ = resp.Body.Close() })
	defer t.Stop()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	_ = resp.Body.Close()
	return b
}
