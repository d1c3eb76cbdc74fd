package source_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"pulley/internal/hubtest"
	"pulley/proxy/source"
)

const repo = "library/debian"

func manifest(ref string, id source.Identity) source.Req {
	return source.Req{Method: http.MethodGet, Path: "/v2/" + repo + "/manifests/" + ref, Header: http.Header{"Accept": {"*/*"}}, Auth: id}
}

func TestManifestWithoutExtraRoundTrips(t *testing.T) {
	r := newRig(t, &hubtest.Hub{})
	img := hubtest.RandomImage(1, 1, 1000)
	d := r.hub.Push(repo, "latest", img)
	for i, want := range []int{3, 1, 1} { // 401, token, manifest; then the manifest alone
		r.hub.Reset()
		resp, err := r.Do(t.Context(), manifest("latest", source.Anonymous()))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || string(body) != string(img.Manifest) || resp.Header.Get("Docker-Content-Digest") != d.String() {
			t.Fatalf("%d, %v", resp.StatusCode, err)
		}
		if n := len(r.hub.Requests()); n != want {
			t.Errorf("pull %d took %d requests, want %d", i, n, want)
		}
	}
}

func TestHeadStaysHead(t *testing.T) {
	r := newRig(t, &hubtest.Hub{})
	img := hubtest.RandomImage(1, 1, 1000)
	r.hub.Push(repo, "latest", img)
	for _, path := range []string{"/manifests/latest", "/blobs/" + img.Blobs()[0].String()} {
		resp, err := r.Do(t.Context(), source.Req{Method: http.MethodHead, Path: "/v2/" + repo + path})
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %v, %v", path, resp, err)
		}
		_ = resp.Body.Close()
	}
	for _, q := range r.hub.Requests() {
		if q.Method != http.MethodHead && q.Kind != hubtest.Token {
			t.Errorf("%s %s", q.Method, q.Path)
		}
	}
}

func TestDefiniteAndUnknown(t *testing.T) {
	r := newRig(t, &hubtest.Hub{})
	r.hub.Push(repo, "latest", hubtest.RandomImage(1, 1, 1000))
	for name, tt := range map[string]struct {
		fault             hubtest.Faults
		definite, unknown bool
		code              string
		retry             time.Duration
	}{
		"401":        {hubtest.Faults{Kind: hubtest.Manifest, Status: 401}, true, false, "UNAUTHORIZED", 0},
		"403":        {hubtest.Faults{Kind: hubtest.Manifest, Status: 403}, true, false, "DENIED", 0},
		"404":        {hubtest.Faults{Kind: hubtest.Manifest, Status: 404}, true, false, "", 0},
		"400":        {hubtest.Faults{Kind: hubtest.Manifest, Status: 400}, false, false, "", 0},
		"429":        {hubtest.Faults{Kind: hubtest.Manifest, Status: 429, Header: http.Header{"Retry-After": {"60"}}}, false, true, "TOOMANYREQUESTS", time.Minute},
		"abuse":      {hubtest.Abuse("7"), false, true, "", 7 * time.Second},
		"500":        {hubtest.Faults{Kind: hubtest.Manifest, Status: 500}, false, true, "", 0},
		"503 date":   {hubtest.Faults{Kind: hubtest.Manifest, Status: 503, Header: http.Header{"Retry-After": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}}, false, true, "", time.Hour},
		"503 token":  {hubtest.Faults{Kind: hubtest.Token, Status: 503}, false, true, "", 0},
		"400 token":  {hubtest.Faults{Kind: hubtest.Token, Status: 400}, false, true, "", 0},
		"403 token":  {hubtest.Faults{Kind: hubtest.Token, Status: 403}, true, false, "", 0},
		"wrong cert": {hubtest.Faults{WrongCert: true}, false, true, "", 0},
		"refused":    {hubtest.Faults{Refuse: true}, false, true, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			r.hub.SetFaults(tt.fault)
			reg, _ := r.cfg.Registry("docker.io")
			o := newSet(t, r.cfg, nil).Of(reg) // no tokens, no connections yet
			var failure *source.StatusError
			resp, err := o.Do(t.Context(), manifest("latest", source.Anonymous()))
			if err == nil {
				failure = o.Fail(resp)
				err = failure
			} else if !errors.As(err, &failure) {
				t.Fatalf("%T %v", err, err)
			}
			if source.Definite(err) != tt.definite || source.Unknown(err) != tt.unknown {
				t.Errorf("%v: definite %v, unknown %v", err, source.Definite(err), source.Unknown(err))
			}
			if tt.code != "" && failure.Code != tt.code {
				t.Errorf("code %q, want %q", failure.Code, tt.code)
			}
			if d := failure.RetryAfter - tt.retry; d > 2*time.Second || d < -2*time.Second {
				t.Errorf("to be tried again in %v, want %v", failure.RetryAfter, tt.retry)
			}
		})
	}
}

func TestPrivateRepositories(t *testing.T) {
	r := newRig(t, &hubtest.Hub{Users: map[string]string{"ann": "s3cret", "bob": "b0b"}})
	r.hub.Push(repo, "latest", hubtest.RandomImage(1, 1, 1000))
	r.hub.SetPrivate(repo, "ann")
	status := func(id source.Identity) int {
		t.Helper()
		resp, err := r.Do(t.Context(), manifest("latest", id))
		if err != nil {
			var s *source.StatusError
			if errors.As(err, &s) {
				return s.Status
			}
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	ann := source.Client(basic("ann", "s3cret"))
	for range 2 {
		if got := status(ann); got != 200 {
			t.Errorf("ann gets %d", got)
		}
		if got := status(source.Anonymous()); got != 401 && got != 404 {
			t.Errorf("nobody gets %d", got)
		}
		if got := status(source.Client(basic("bob", "b0b"))); got != 401 && got != 404 && got != 403 {
			t.Errorf("bob gets %d", got)
		}
		if got := status(source.Client(basic("ann", "wrong"))); got != 401 {
			t.Errorf("a wrong password gets %d", got)
		}
	}
	// A client's own token goes as it is, and is not renewed for it.
	r.hub.Reset()
	if got := status(source.Client("Bearer nonsense")); got != 401 {
		t.Errorf("nonsense gets %d", got)
	}
	if n := len(r.hub.Requests()); n != 1 {
		t.Errorf("%d requests for a client's own token", n)
	}
	// Ours mean nothing upstream and do not go there.
	r.hub.Reset()
	status(source.Client("Bearer pulley.1.abc.def"))
	for _, q := range r.hub.Requests() {
		if strings.Contains(q.Header.Get("Authorization"), "pulley.1") {
			t.Errorf("our own token went to %s", q.Host)
		}
	}
	if s := fmt.Sprint(ann); strings.Contains(s, "Basic ") || s != "basic credentials" {
		t.Errorf("an identity prints as %q", s)
	}
}

// A token that ran out on the way, or that the registry no longer likes, is
// replaced without the asker noticing.
func TestExpiredTokenIsReplaced(t *testing.T) {
	r := newRig(t, &hubtest.Hub{})
	r.hub.Push(repo, "latest", hubtest.RandomImage(1, 1, 1000))
	get := func() int {
		t.Helper()
		resp, err := r.Do(t.Context(), manifest("latest", source.Anonymous()))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	get()
	r.hub.Reset()
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Manifest, Status: 401, First: 1})
	if got := get(); got != 200 {
		t.Errorf("got %d", got)
	}
	if n := r.hub.Count("GET", "/token"); n != 1 {
		t.Errorf("%d token calls", n)
	}
	// One that stays refused is asked for once more and no further.
	r.hub.Reset()
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Manifest, Status: 401})
	if got := get(); got != 401 {
		t.Errorf("got %d", got)
	}
	if n := len(r.hub.Requests()); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

// What a registry gives to anybody does not say that it has no logins.
func TestPublicThingsProveNoOpenRegistry(t *testing.T) {
	var host string
	o, tokens, srv := labWithTokens(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token":
			_, _ = io.WriteString(w, `{"token":"t"}`)
		case r.URL.Path == "/v2/open/manifests/1" || r.Header.Get("Authorization") == "Bearer t":
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+host+`/token"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	host = strings.TrimPrefix(srv.URL, "http://")
	for _, path := range []string{"/v2/open/manifests/1", "/v2/closed/manifests/1", "/v2/"} {
		resp, err := o.Do(t.Context(), source.Req{Method: http.MethodPost, Path: path, Body: http.NoBody})
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%s: %v, %v", path, resp, err)
		}
		_ = resp.Body.Close()
		if path == "/v2/open/manifests/1" {
			if h := tokens.Hints(); len(h) != 0 {
				t.Errorf("learned %+v from it", h)
			}
		}
	}
}

func TestLimitsAreRemembered(t *testing.T) {
	r := newRig(t, &hubtest.Hub{RateLimit: 100})
	r.hub.Push(repo, "latest", hubtest.RandomImage(1, 1, 1000))
	if r.set.Limits()["docker.io"].Known {
		t.Error("a limit is known before anything was asked")
	}
	for i := range 2 {
		resp, err := r.Do(t.Context(), manifest("latest", source.Anonymous()))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if l := r.set.Limits()["docker.io"]; !l.Known || l.Limit != 100 || l.Remaining != 99-i || l.Window != 6*time.Hour {
			t.Errorf("after %d: %+v", i+1, l)
		}
	}
	if l := r.set.Limits(); len(l) != 1 || !l["docker.io"].Known {
		t.Errorf("all limits: %+v", l)
	}
}

// When pulls are left again is not put off by asking once more, and Retry-After
// knows better than the window does.
func TestWhenPullsAreLeftAgain(t *testing.T) {
	r := newRig(t, &hubtest.Hub{RateLimit: 2})
	r.hub.Push(repo, "latest", hubtest.RandomImage(1, 1, 1000))
	ask := func() source.RateLimit {
		t.Helper()
		resp, err := r.Do(t.Context(), manifest("latest", source.Anonymous()))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return r.set.Limits()["docker.io"]
	}
	if l := ask(); !l.Again.IsZero() {
		t.Errorf("one is left, and %+v", l)
	}
	last := ask()
	if !last.Again.Equal(last.At.Add(6 * time.Hour)) {
		t.Errorf("the last is gone: %+v", last)
	}
	if l := ask(); !l.Again.Equal(last.Again) || !l.At.After(last.At) {
		t.Errorf("asked once more: %+v, want %v", l, last.Again)
	}
	spent := http.Header{"Retry-After": {"90"}, "Ratelimit-Limit": {"2;w=21600"}, "Ratelimit-Remaining": {"0;w=21600"}}
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Manifest, Status: http.StatusTooManyRequests, Header: spent})
	if l := ask(); !l.Again.Equal(l.At.Add(90 * time.Second)) {
		t.Errorf("Retry-After: 90 gives %+v", l)
	}
	r.hub.SetFaults()
	r.hub.SetRateLimit(2)
	if l := ask(); !l.Again.IsZero() {
		t.Errorf("pulls are left again, and %+v", l)
	}
}

func TestUntrustedUpstreamIsRefused(t *testing.T) {
	r := newRig(t, &hubtest.Hub{})
	r.hub.Push(repo, "latest", hubtest.RandomImage(1, 1, 1000))
	cfg := *r.cfg
	cfg.Fetch.ExtraRoots = nil
	reg, _ := cfg.Registry("docker.io")
	_, err := newSet(t, &cfg, nil).Of(reg).Do(t.Context(), manifest("latest", source.Anonymous()))
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
	if n := len(r.hub.Requests()); n != 0 {
		t.Errorf("%d requests reached it", n)
	}
}

// Uploads are streamed: the registry has the first bytes before the client has
// sent the last.
func TestUploadStreams(t *testing.T) {
	got := make(chan int64, 1)
	o, _ := lab(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		buf := make([]byte, 1000)
		_, err := io.ReadFull(r.Body, buf)
		if err != nil || r.Header.Get("Content-Type") != "application/octet-stream" || r.Header.Get("Proxy-Authorization") != "" {
			t.Errorf("%v, %v", err, r.Header)
		}
		got <- 1000
		n, _ := io.Copy(io.Discard, r.Body)
		got <- n
		w.WriteHeader(http.StatusAccepted)
	})
	pr, pw := io.Pipe()
	go func() {
		_, _ = pw.Write(make([]byte, 1000))
		<-got
		_, _ = pw.Write(make([]byte, 500))
		_ = pw.Close()
	}()
	resp, err := o.Do(t.Context(), source.Req{
		Method: http.MethodPatch, Path: "/v2/a/blobs/uploads/1", Body: pr, ContentLength: -1,
		Header: http.Header{"Content-Type": {"application/octet-stream"}, "Proxy-Authorization": {"Basic x"}, "Connection": {"X-Hop"}, "X-Hop": {"1"}},
	})
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%v, %v", resp, err)
	}
	_ = resp.Body.Close()
	if n := <-got; n != 500 {
		t.Errorf("%d more bytes", n)
	}
}

// With Expect: 100-continue a refusal comes before the body goes out.
func TestExpectContinue(t *testing.T) {
	o, _ := lab(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		w.WriteHeader(http.StatusUnauthorized) // without reading: no 100 is sent
	})
	read := false
	resp, err := o.Do(t.Context(), source.Req{
		Method: http.MethodPatch, Path: "/v2/a/blobs/uploads/1", ContentLength: 10, Header: http.Header{"Expect": {"100-continue"}},
		Body: readerFunc(func([]byte) (int, error) { read = true; return 0, io.EOF }), Auth: source.Client("Bearer x"),
	})
	if err != nil || resp.StatusCode != http.StatusUnauthorized || read {
		t.Fatalf("%v, %v, body read: %v", resp, err, read)
	}
	_ = resp.Body.Close()
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestOriginWithoutHost(t *testing.T) {
	r := newRig(t, &hubtest.Hub{})
	reg, _ := r.cfg.Registry("docker.io")
	only := *reg
	only.Hosts = []string{"*.example.com"}
	if _, err := r.set.Of(&only).Do(t.Context(), manifest("latest", source.Anonymous())); err == nil {
		t.Error("a registry of *.example.com was asked somewhere")
	}
	for _, path := range []string{"v2/", "@evil.example/v2/", ".evil.example/v2/"} {
		if _, err := r.Do(t.Context(), source.Req{Method: "GET", Path: path}); err == nil {
			t.Errorf("path %q went out", path)
		}
	}
}

func TestScopeOf(t *testing.T) {
	for in, want := range map[string]string{
		"GET /v2/": "",
		"GET /v2/library/debian/manifests/latest":          "repository:library/debian:pull",
		"HEAD /v2/a/blobs/sha256:0":                        "repository:a:pull",
		"GET /v2/manifests/manifests/x":                    "repository:manifests:pull",
		"GET /v2/a/tags/list":                              "repository:a:pull",
		"GET /v2/a/referrers/sha256:0":                     "repository:a:pull",
		"POST /v2/a/b/blobs/uploads/?mount=x&from=c/d":     "repository:a/b:pull,push repository:c/d:pull",
		"PATCH /v2/a/b/blobs/uploads/uuid":                 "repository:a/b:pull,push",
		"PUT /v2/a/b/manifests/1":                          "repository:a/b:pull,push",
		"DELETE /v2/a/b/manifests/sha256:0":                "repository:a/b:delete",
		"GET /v2/_catalog":                                 "registry:catalog:*",
		"GET /token":                                       "",
		"GET /v2/a/blobs/b/manifests/latest":               "repository:a/blobs/b:pull",
		"GET /v2/org%2Fapp/manifests/latest":               "repository:org/app:pull",
		"GET /v2/library/debian/blobs/uploads/uuid?_state": "repository:library/debian:pull,push",
	} {
		method, target, _ := strings.Cut(in, " ")
		path, query, _ := strings.Cut(target, "?")
		if got := source.ScopeOf(method, path, query); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestSilentRegistryEndsWithItsClient(t *testing.T) {
	r := newRig(t, &hubtest.Hub{})
	r.hub.SetFaults(hubtest.Faults{Silent: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := r.Do(ctx, manifest("latest", source.Anonymous()))
	if !errors.Is(err, context.DeadlineExceeded) || source.Definite(err) {
		t.Errorf("got %v", err)
	}
}
