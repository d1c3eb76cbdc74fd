package source_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/source"
)

// guestbook is all that reached a server.
type guestbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (g *guestbook) write(where string, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, _ = fmt.Fprintf(&g.text, "%s: %s %s %s\n", where, r.Method, r.Host, r.URL)
	for name, v := range r.Header {
		_, _ = fmt.Fprintf(&g.text, "%s:  %s: %s\n", where, name, v)
	}
	if user, pass, ok := r.BasicAuth(); ok {
		_, _ = fmt.Fprintf(&g.text, "%s:  Basic %s %s\n", where, user, pass)
	}
}

func (g *guestbook) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.String()
}

// Whatever a mirror answers and wherever it sends us, in every style: the
// client's credentials and headers end at the origin, the mirror's own end at
// the mirror, and no private name or digest gets to any of them, nor into a log
// or an error.
func TestNothingPrivateReachesAMirror(t *testing.T) {
	const (
		clients = "cl1entpass" // in all the client sends
		mirrors = "m1rrorpass"
		hidden  = "h1dden" // in the private repository's name
		secret  = "5ec0000000000000000000000000000000000000000000000000000000000000"
	)
	data := blobOf(3000)
	for _, style := range []string{config.StyleHost, config.StylePrefix, config.StyleNS} {
		for _, behave := range []string{"plain", "bearer", "basic", "elsewhere", "home", "hops", "realm elsewhere", "realm of the origin", "refuse", "limit"} {
			for _, auth := range []string{"", "env:PASS", "env:TOKEN"} {
				t.Run(style+" "+behave+" "+auth, func(t *testing.T) {
					book := &guestbook{}
					other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						book.write("other", r)
						if behave == "hops" && r.URL.Path == "/1" {
							http.Redirect(w, r, "/2", http.StatusFound)
							return
						}
						serve(data)(w, r)
					}))
					defer other.Close()
					away := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
					hub := &hubtest.Hub{Users: map[string]string{"ann": clients}}
					var shop *httptest.Server
					shop = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						book.write("mirror", r)
						behaves(behave, w, r, data, shop.URL, away, hub)
					}))
					defer shop.Close()
					w := newTown(t, hub, config.Mirror{Name: "m", URL: shop.URL, Style: style, Enabled: true, Auth: auth})
					w.env["PASS"], w.env["TOKEN"] = "me:"+mirrors, mirrors
					w.hub.Site("").AddContentAs(hidden+"/app", "sha256:"+secret, hubtest.Bytes(data))
					w.hub.SetPrivate(hidden+"/app", "ann")

					ann := source.Client(basic("ann", clients))
					header := http.Header{
						"Authorization": {"Bearer " + clients}, "Cookie": {clients}, "X-Registry-Auth": {clients}, "Referer": {clients},
						"Proxy-Authorization": {clients}, "Accept": {"application/json"}, "Range": {"bytes=0-9"},
					}
					var said strings.Builder
					place := w.place("m")
					for range 2 {
						for _, repo := range []string{"library/debian", hidden + "/app"} {
							public := repo == "library/debian"
							digest := "sha256:" + strings.Repeat("a", 64)
							if !public {
								digest = "sha256:" + secret
							}
							ref := place.Blob(source.Want{Repository: repo, Digest: digest, Public: public, As: ann})
							for _, span := range [][2]int64{{0, -1}, {10, 20}, {100, -1}} {
								_, err := read(t, ref, span[0], span[1])
								_, _ = fmt.Fprintln(&said, err)
								var u *source.UnusableError
								if !public && !errors.As(err, &u) {
									t.Errorf("a private blob: %v", err)
								}
							}
							for _, path := range []string{"/manifests/" + digest, "/manifests/latest", "/tags/list", "/blobs/" + digest} {
								resp, err := place.Do(t.Context(), source.Req{Method: "GET", Path: "/v2/" + repo + path, Header: header, Auth: ann, Public: public})
								_, _ = fmt.Fprintln(&said, err)
								if err == nil {
									_ = resp.Body.Close()
								}
							}
						}
					}
					for _, st := range w.Standings(w.reg()) {
						_, _ = fmt.Fprintf(&said, "%+v\n", st)
					}
					_, _ = w.Test(t.Context(), w.reg(), "m")
					// The origin does get what is its own.
					got, err := read(t, w.place("origin").Blob(source.Want{Repository: hidden + "/app", Digest: "sha256:" + secret, As: ann}), 0, -1)
					if err != nil || !bytes.Equal(got, data) {
						t.Errorf("the origin: %v", err)
					}

					reached := book.String()
					if behave == "plain" && !strings.Contains(reached, "library/debian/blobs/sha256:aaa") {
						t.Errorf("nothing reached the mirror:\n%s", reached)
					}
					for _, line := range strings.Split(reached, "\n") {
						for _, bad := range []string{clients, hidden, secret[:8], "ann"} {
							if strings.Contains(line, bad) {
								t.Errorf("%q in %s", bad, line)
							}
						}
						if strings.HasPrefix(line, "other") && (strings.Contains(line, mirrors) || strings.Contains(line, "Authorization")) {
							t.Errorf("the mirror's own: %s", line)
						}
					}
					for _, q := range hub.Requests() {
						if strings.Contains(fmt.Sprint(q.Header), mirrors) || strings.Contains(q.Authorization, mirrors) {
							t.Errorf("the origin got the mirror's: %v", q.Header)
						}
					}
					for _, bad := range []string{clients, mirrors, hidden, secret[:8]} {
						if text := said.String() + w.log.String(); strings.Contains(text, bad) {
							t.Errorf("%q is told:\n%s", bad, text)
						}
					}
				})
			}
		}
	}
}

// behaves is a mirror's way to answer.
func behaves(how string, w http.ResponseWriter, r *http.Request, data []byte, self, away string, hub *hubtest.Hub) {
	challenge := func(v string) {
		w.Header().Set("WWW-Authenticate", v)
		w.WriteHeader(http.StatusUnauthorized)
	}
	switch {
	case r.URL.Path == "/token":
		_, _ = w.Write([]byte(`{"token":"t"}`))
	case how == "bearer" && r.Header.Get("Authorization") == "":
		challenge(`Bearer realm="` + self + `/token",service="m",scope="repository:other/name:pull"`)
	case how == "basic" && r.Header.Get("Authorization") == "":
		challenge(`Basic realm="m"`)
	case how == "realm elsewhere":
		challenge(`Bearer realm="` + away + `/token",service="m"`)
	case how == "realm of the origin":
		challenge(`Bearer realm="https://auth.docker.io/token",service="registry.docker.io"`)
	case how == "elsewhere":
		http.Redirect(w, r, away+"/x", http.StatusTemporaryRedirect)
	case how == "hops":
		http.Redirect(w, r, away+"/1", http.StatusFound)
	case how == "home":
		http.Redirect(w, r, "http://registry-1.docker.io"+r.URL.Path, http.StatusFound)
	case how == "refuse":
		w.WriteHeader(http.StatusForbidden)
	case how == "limit":
		w.WriteHeader(http.StatusTooManyRequests)
	default:
		serve(data)(w, r)
	}
}

// Who may be told what.
func TestMayKnow(t *testing.T) {
	s := newShop(t, serve(nil))
	open, own, some := s.mirror("open", "host"), s.mirror("own", "host"), s.mirror("some", "host")
	own.Private = true
	some.Only = []string{"library/*"}
	w := newTown(t, &hubtest.Hub{}, open, own, some)
	for _, c := range []struct {
		place  string
		public bool
		repo   string
		want   bool
	}{
		{"open", false, "org/app", false}, {"open", true, "org/app", true}, {"open", false, "library/debian", false},
		{"own", false, "org/app", true}, {"some", true, "org/app", false}, {"some", true, "library/debian", true},
		{"origin", false, "org/app", true},
	} {
		if got := w.place(c.place).MayKnow(c.public, c.repo); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	cfg := w.cfg.Load()
	for _, c := range []struct {
		registry, repo string
		want           bool
	}{
		{"docker.io", "library/debian", true}, {"docker.io", "librarian/debian", false}, {"registry.k8s.io", "pause", true},
		{"mcr.microsoft.com", "dotnet/sdk", true}, {"docker.elastic.co", "beats/filebeat", true}, {"quay.io", "library/x", false},
		{"ghcr.io", "org/app", false}, {"gcr.io", "distroless/static", true}, {"gcr.io", "my-project/app", false},
	} {
		reg, _ := cfg.Registry(c.registry)
		if got := w.Public(reg, c.repo); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
