package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pulley/internal/hubtest"
	"pulley/proxy/token"
)

const scope = "repository:library/debian:pull"

func TestTokensAreKept(t *testing.T) {
	r := newRig(t, &hubtest.Hub{Users: map[string]string{"ann": "s3cret"}})
	if h, _ := r.authorize(t, scope, token.Credentials{}); h != "" {
		t.Fatalf("authorised as %q before anything is known", h)
	}
	r.discovered(t)
	r.hub.Reset()
	first, fresh := r.authorize(t, scope, token.Credentials{})
	if !strings.HasPrefix(first, "Bearer ") || !fresh {
		t.Fatalf("got %q, fresh %v", first, fresh)
	}
	if again, fresh := r.authorize(t, scope, token.Credentials{}); again != first || fresh {
		t.Error("a held token was not used")
	}
	ann := token.Credentials{Username: "ann", Password: "s3cret"}
	if h, _ := r.authorize(t, scope, ann); h == first {
		t.Error("one identity got the token of another")
	}
	if h, _ := r.authorize(t, "repository:library/alpine:pull", token.Credentials{}); h == first {
		t.Error("one scope got the token of another")
	}
	if n := r.hub.Count("GET", "/token"); n != 3 {
		t.Errorf("%d token calls, want 3", n)
	}
	for _, q := range r.hub.Requests() {
		v, err := url.ParseQuery(q.Query)
		if err != nil || v.Get("service") != "registry.docker.io" || !strings.HasSuffix(v.Get("scope"), ":pull") {
			t.Errorf("query %q", q.Query)
		}
	}
	if !r.Forget(r.site, scope, token.Credentials{}) || r.Forget(r.site, scope, token.Credentials{}) {
		t.Error("Forget does not tell whether there was one")
	}
}

func TestWrongPassword(t *testing.T) {
	r := newRig(t, &hubtest.Hub{Users: map[string]string{"ann": "s3cret"}}).discovered(t)
	_, _, err := r.Authorize(t.Context(), r.site, scope, token.Credentials{Username: "ann", Password: "hunter22"})
	var s *token.ServiceError
	if !errors.As(err, &s) || !s.Definite() || s.Status != http.StatusUnauthorized {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(err.Error(), "hunter22") {
		t.Errorf("the error shows the password: %v", err)
	}
}

func TestTokenServiceTroubleIsNotAVerdict(t *testing.T) {
	r := newRig(t, &hubtest.Hub{}).discovered(t)
	for _, f := range []hubtest.Faults{
		{Kind: hubtest.Token, Status: 503},
		hubtest.Abuse("17"),
		{},
	} {
		if r.hub.SetFaults(f); f.Kind == "" && f.Status == 0 {
			r.hub.Down()
		}
		_, _, err := r.Authorize(t.Context(), r.site, fmt.Sprintf("repository:x/y%d:pull", f.Status), token.Credentials{})
		var s *token.ServiceError
		if !errors.As(err, &s) || s.Definite() || s.Status != f.Status {
			t.Errorf("%+v gave %v", f, err)
		}
		if f.Status == 429 && s.Retry != 17*time.Second {
			t.Errorf("Retry-After of 17 s read as %v", s.Retry)
		}
	}
}

func TestOneCallForManyWhoWait(t *testing.T) {
	r := newRig(t, &hubtest.Hub{}).discovered(t)
	r.hub.Reset()
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Token, Latency: 50 * time.Millisecond})
	gone, leave := context.WithCancel(t.Context())
	leave() // the first to ask leaves at once; the others get theirs
	if _, _, err := r.Authorize(gone, r.site, scope, token.Credentials{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that left got %v", err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, _, err := r.Authorize(t.Context(), r.site, scope, token.Credentials{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := r.hub.Count("GET", "/token"); n != 1 {
		t.Errorf("%d token calls, want 1", n)
	}
}

func TestTokenLives(t *testing.T) {
	now := time.Now()
	date := now.UTC().Format(http.TimeFormat)
	for name, tt := range map[string]struct {
		answer map[string]any
		after  time.Duration // when a new one is wanted
	}{
		"said":         {map[string]any{"token": "t", "expires_in": 300}, 291 * time.Second},
		"not said":     {map[string]any{"token": "t"}, 51 * time.Second},
		"access_token": {map[string]any{"access_token": "t", "expires_in": 300}, 291 * time.Second},
		"half gone":    {map[string]any{"token": "t", "expires_in": 300, "issued_at": now.Add(-150 * time.Second).UTC().Format(time.RFC3339)}, 142 * time.Second},
		"for ever":     {map[string]any{"token": "t", "expires_in": 1e18}, 12*time.Hour - 5*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			clock := now
			k, s := insecure(t, func() time.Time { return clock }, func(w http.ResponseWriter, _ *http.Request) {
				calls.Add(1)
				w.Header().Set("Date", date)
				_ = json.NewEncoder(w).Encode(tt.answer)
			})
			for range 2 {
				if h, _, err := k.Authorize(t.Context(), s, scope, token.Credentials{}); err != nil || h != "Bearer t" {
					t.Fatalf("%q, %v", h, err)
				}
				clock = clock.Add(tt.after - 20*time.Second)
			}
			if calls.Load() != 1 {
				t.Errorf("asked again too early (%d calls)", calls.Load())
			}
			clock = now.Add(tt.after)
			if _, _, err := k.Authorize(t.Context(), s, scope, token.Credentials{}); err != nil || calls.Load() != 2 {
				t.Errorf("used past its life (%d calls, %v)", calls.Load(), err)
			}
		})
	}
}

func TestRefusedAnswers(t *testing.T) {
	for name, service := range map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"no json":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) },
		"no token": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) },
		"a header in the token": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"token":"a\r\nX-Evil: 1"}`))
		},
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			for range 64 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			k, s := insecure(t, nil, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				service(w, r)
			})
			_, _, err := k.Authorize(t.Context(), s, scope, token.Credentials{Username: "ann", Password: "s3cret"})
			var se *token.ServiceError
			if !errors.As(err, &se) || se.Definite() {
				t.Fatalf("got %v", err)
			}
			if calls.Load() != 1 {
				t.Errorf("%d calls", calls.Load())
			}
			// Nor is a client told to go there with its password.
			a, err := k.Forward(t.Context(), s, token.ForwardRequest{Method: http.MethodGet, Header: basic("ann", "s3cret")})
			if err == nil && a.Status/100 == 3 {
				t.Errorf("handed on a redirect to %s", a.Header.Get("Location"))
			}
		})
	}
}

func TestRefreshTokenGoesByPost(t *testing.T) {
	k, s := insecure(t, nil, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.URL.RawQuery != "" ||
			r.PostForm.Get("grant_type") != "refresh_token" || r.PostForm.Get("refresh_token") != "rrr" ||
			r.PostForm.Get("service") != "lab" || r.PostForm.Get("scope") != scope {
			t.Errorf("asked %s %v %v", r.Method, r.URL, r.PostForm)
		}
		_, _ = w.Write([]byte(`{"access_token":"t"}`))
	})
	if h, _, err := k.Authorize(t.Context(), s, scope, token.Credentials{RefreshToken: "rrr"}); err != nil || h != "Bearer t" {
		t.Errorf("%q, %v", h, err)
	}
}

func TestForeignRealmGetsNothing(t *testing.T) {
	r := newRig(t, &hubtest.Hub{Users: map[string]string{"ann": "s3cret"}})
	for _, realm := range []string{"https://evil.example/token", "https://169.254.169.254/token", "http://auth.docker.io/token", "https://127.0.0.1/token"} {
		r.hub.Site("").SetRealm(realm)
		_, err := r.Discover(t.Context(), r.site)
		var re *token.RealmError
		if !errors.As(err, &re) {
			t.Errorf("%s: %v", realm, err)
		}
		if _, err := r.Forward(t.Context(), r.site, token.ForwardRequest{Method: "GET", Header: basic("ann", "s3cret")}); !errors.As(err, &re) {
			t.Errorf("forwarded to %s: %v", realm, err)
		}
	}
	for _, q := range r.hub.Requests() {
		if q.Authorization != "" {
			t.Errorf("%s %s%s got credentials", q.Method, q.Host, q.Path)
		}
	}
}

// A name that may be a realm, but leads to an address that only this machine
// reaches, is not dialled.
func TestRealmOnLoopbackIsNotDialled(t *testing.T) {
	r := newRig(t, &hubtest.Hub{})
	for i := range r.cfg.Addresses {
		if r.cfg.Addresses[i].Host == "auth.docker.io" {
			r.cfg.Addresses[i].Host = "unused.example"
		}
	}
	// The hub is pinned to loopback, so a realm on loopback is where the registry
	// itself is.
	r.Keeper = keeperAt(t, r.cfg, names{"auth.docker.io": "127.0.0.1"}, nil)
	r.discovered(t)
	k := keeperAt(t, r.cfg, names{"auth.docker.io": "169.254.169.254"}, nil)
	if _, err := k.Discover(t.Context(), r.site); err != nil {
		t.Fatal(err)
	}
	_, _, err := k.Authorize(t.Context(), r.site, scope, token.Credentials{})
	if err == nil || !strings.Contains(err.Error(), "link-local") {
		t.Errorf("got %v", err)
	}
}

func TestForward(t *testing.T) {
	r := newRig(t, &hubtest.Hub{Users: map[string]string{"ann": "s3cret"}})
	a, err := r.Forward(t.Context(), r.site, token.ForwardRequest{
		Method: "GET", Query: url.Values{"service": {"something else"}, "scope": {scope}, "account": {"ann"}}, Header: basic("ann", "s3cret"),
	})
	if err != nil || a.Status != http.StatusOK || !strings.Contains(string(a.Body), "token") {
		t.Fatalf("%+v, %v", a, err)
	}
	a, err = r.Forward(t.Context(), r.site, token.ForwardRequest{Method: "GET", Query: url.Values{"scope": {scope}}, Header: basic("ann", "wrong")})
	if err != nil || a.Status != http.StatusUnauthorized {
		t.Errorf("a wrong password: %+v, %v", a, err)
	}
	a, err = r.Forward(t.Context(), r.site, token.ForwardRequest{
		Method: "POST", Header: http.Header{},
		Body: []byte("grant_type=password&username=ann&password=s3cret&service=other&client_id=docker&access_type=offline&scope=" + url.QueryEscape(scope)),
	})
	if err != nil || a.Status != http.StatusOK || !strings.Contains(string(a.Body), "refresh_token") {
		t.Errorf("a password grant: %+v, %v", a, err)
	}
	for _, q := range r.hub.Requests() {
		if v, _ := url.ParseQuery(q.Query); q.Kind == hubtest.Token && q.Method == "GET" && v.Get("service") != "registry.docker.io" {
			t.Errorf("asked for service %q", v.Get("service"))
		}
	}
	if _, err := r.Forward(t.Context(), r.site, token.ForwardRequest{Method: "PUT"}); !errors.Is(err, token.ErrForm) {
		t.Errorf("PUT: %v", err)
	}
	if _, err := r.Forward(t.Context(), r.site, token.ForwardRequest{Method: "GET", Header: http.Header{"Authorization": {"Bearer pulley.1.x.y"}}}); !errors.Is(err, token.ErrForm) {
		t.Errorf("a bearer token at the token service: %v", err)
	}
}

func TestHintsOutliveTheKeeper(t *testing.T) {
	r := newRig(t, &hubtest.Hub{}).discovered(t)
	hints := r.Hints()
	k := keeper(t, r.cfg)
	k.Restore(append(hints, token.Hint{Registry: "gone.example", Host: "gone.example", Scheme: token.Bearer}))
	if got := k.Hints(); len(got) != 1 || got[0] != hints[0] {
		t.Errorf("restored %+v", got)
	}
	r.hub.Reset()
	if h, _, err := k.Authorize(t.Context(), r.site, scope, token.Credentials{}); err != nil || !strings.HasPrefix(h, "Bearer ") {
		t.Errorf("%q, %v", h, err)
	}
	if n := len(r.hub.Requests()); n != 1 {
		t.Errorf("%d requests, want the token call alone", n)
	}
	// The same host with its port spelled out is the same host.
	if _, ok := k.Hint(token.Site{Registry: r.site.Registry, Host: "Registry-1.docker.io:443"}); !ok {
		t.Error("the default port makes another host")
	}
	// What speaks TLS there and what does not are two: a mirror's URL can change from one to the other.
	plain := *r.site.Registry
	plain.Insecure = true
	if h, ok := k.Hint(token.Site{Registry: &plain, Host: "registry-1.docker.io"}); ok {
		t.Errorf("without TLS too, %+v is believed", h)
	}
}

// A hint is not trusted more than a challenge: a forged one, and one that was right while the registry was marked
// insecure, are not kept, and the registry is asked.
func TestHintsAreChecked(t *testing.T) {
	for _, realm := range []string{"https://evil.example/", "http://registry-1.docker.io/token"} {
		r := newRig(t, &hubtest.Hub{})
		r.Restore([]token.Hint{{Registry: "docker.io", Host: "registry-1.docker.io", Scheme: token.Bearer, Realm: realm}})
		if list := r.Hints(); len(list) > 0 {
			t.Errorf("restored %+v", list)
		}
		r.discovered(t)
		if h, _, err := r.Authorize(t.Context(), r.site, scope, token.Credentials{}); err != nil || !strings.HasPrefix(h, "Bearer ") {
			t.Errorf("%s: %q, %v", realm, h, err)
		}
	}
}

func TestBasicRegistry(t *testing.T) {
	r := newRig(t, &hubtest.Hub{})
	if _, err := r.Learn(r.site, 401, http.Header{"Www-Authenticate": {`Basic realm="x"`}}); err != nil {
		t.Fatal(err)
	}
	c, ok := token.FromBasic(basic("ann", "s3:cret").Get("Authorization"))
	if !ok || c.Password != "s3:cret" {
		t.Fatalf("%+v", c)
	}
	if h, _ := r.authorize(t, scope, c); h != basic("ann", "s3:cret").Get("Authorization") {
		t.Errorf("authorised as %q", h)
	}
	if h, _ := r.authorize(t, scope, token.Credentials{}); h != "" {
		t.Errorf("nobody authorised as %q", h)
	}
}

func basic(user, pass string) http.Header {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, pass)
	return r.Header
}
