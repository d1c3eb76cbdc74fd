package hubtest_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// clock is a clock that tests set forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

const registry = "https://registry-1.docker.io"

func TestChallenges(t *testing.T) {
	var cl clock
	h := start(t, &hubtest.Hub{Now: cl.now, Users: map[string]string{"alice": "a"}})
	h.Push("library/alpine", "1", hubtest.RandomImage(1, 1, 10))
	c := client(t, h)
	expect := func(res answer, status int, challenge string) {
		t.Helper()
		if got := res.Header.Get("WWW-Authenticate"); res.StatusCode != status || got != challenge {
			t.Errorf("%s %q, want %d %q", res.Status, got, status, challenge)
		}
	}
	const bearer = `Bearer realm="https://auth.docker.io/token",service="registry.docker.io"`
	const manifest = registry + "/v2/library/alpine/manifests/1"
	const scoped = bearer + `,scope="repository:library/alpine:pull"`
	expect(do(t, c, "GET", registry+"/v2/", ""), 401, bearer)
	expect(do(t, c, "HEAD", manifest, ""), 401, scoped)
	res := do(t, c, "GET", manifest, "")
	expect(res, 401, scoped)
	e := decode[struct{ Errors []struct{ Code string } }](t, res.body)
	if len(e.Errors) != 1 || e.Errors[0].Code != "UNAUTHORIZED" {
		t.Errorf("body %s", res.body)
	}
	expect(do(t, c, "POST", registry+"/v2/library/alpine/blobs/uploads/?mount=sha256:1&from=library/other", ""), 401,
		bearer+`,scope="repository:library/alpine:pull,push repository:library/other:pull"`)

	token := fetchToken(t, c, "library/alpine")
	expect(do(t, c, "GET", manifest, token), 200, "")
	expect(do(t, c, "GET", registry+"/v2/", token), 200, "")
	expect(do(t, c, "GET", registry+"/v2/library/other/manifests/1", token), 401,
		bearer+`,scope="repository:library/other:pull",error="insufficient_scope"`)
	expect(do(t, c, "GET", manifest, token+"x"), 401, scoped+`,error="invalid_token"`)
	cl.forward(299 * time.Second)
	expect(do(t, c, "GET", manifest, token), 200, "")
	cl.forward(2 * time.Second)
	expect(do(t, c, "GET", manifest, token), 401, scoped+`,error="invalid_token"`)

	h.Site("").SetRealm("http://169.254.169.254/token")
	expect(do(t, c, "GET", registry+"/v2/", ""), 401, `Bearer realm="http://169.254.169.254/token",service="registry.docker.io"`)
	h.Site("").SetRealm("")
	expect(do(t, c, "GET", "https://registry-1.docker.io:8443/v2/", ""), 401, `Bearer realm="https://auth.docker.io:8443/token",service="registry.docker.io"`)
}

type tokens struct {
	Token        string `json:"token"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int    `json:"expires_in"`
	Scope        string `json:"scope"`
}

func post(t *testing.T, c *http.Client, url string, form url.Values) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader(form.Encode()))
	must(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := c.Do(req)
	must(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res, body, err}
}

func TestGrants(t *testing.T) {
	h := start(t, &hubtest.Hub{
		Users: map[string]string{"alice": "a"},
		Sites: []*hubtest.Site{{Host: "ghcr.io", NoPostToken: true, DenyToken: true}},
	})
	h.Push("alice/app", "1", hubtest.RandomImage(1, 1, 10))
	h.SetPrivate("alice/app", "alice")
	c := client(t, h)
	const service = "https://auth.docker.io/token"
	works := func(token string, want int) {
		t.Helper()
		if got := do(t, c, "GET", registry+"/v2/alice/app/manifests/1", token).StatusCode; got != want {
			t.Errorf("manifest: %d, want %d", got, want)
		}
	}
	scope := "repository:alice/app:pull,push"

	// Nobody gets a token, but one without access.
	res := do(t, c, "GET", service+"?service=registry.docker.io&scope="+scope, "")
	works(decode[tokens](t, res.body).Token, 401)

	// Password.
	form := url.Values{
		"grant_type": {"password"}, "username": {"alice"}, "password": {"a"}, "service": {"registry.docker.io"},
		"client_id": {"test"}, "access_type": {"offline"}, "scope": {scope},
	}
	got := decode[tokens](t, post(t, c, service, form).body)
	if got.RefreshToken == "" || got.Scope != scope || got.ExpiresIn != 300 {
		t.Errorf("password grant: %+v", got)
	}
	works(got.AccessToken, 200)
	works(got.RefreshToken, 401)

	// Refresh token; from GET with Basic too.
	req, err := http.NewRequestWithContext(t.Context(), "GET", service+"?offline_token=true&account=alice&scope="+scope, nil)
	must(t, err)
	req.SetBasicAuth("alice", "a")
	basic, err := c.Do(req)
	must(t, err)
	body, err := io.ReadAll(basic.Body)
	must(t, err)
	basic.Body.Close()
	for _, refresh := range []string{got.RefreshToken, decode[tokens](t, body).RefreshToken} {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "scope": {scope}}
		works(decode[tokens](t, post(t, c, service, form).body).AccessToken, 200)
	}

	for _, bad := range []struct {
		url    string
		form   url.Values
		status int
	}{
		{service, url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"b"}}, 401},
		{service, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.AccessToken}}, 401},
		{service, url.Values{"grant_type": {"magic"}}, 400},
		{"https://ghcr.io/token", form, 404},
	} {
		if res := post(t, c, bad.url, bad.form); res.StatusCode != bad.status {
			t.Errorf("%v: %s, want %d", bad.form, res.Status, bad.status)
		}
	}
	if res := do(t, c, "GET", "https://ghcr.io/token?scope=repository:o/secret:pull", ""); res.StatusCode != 403 {
		t.Errorf("ghcr.io: %s, want 403", res.Status)
	}
	for _, r := range h.Requests() {
		if r.Kind == hubtest.Token && r.Authorization == "Basic" && r.User != "alice" {
			t.Errorf("record of a login: %+v", r)
		}
	}
}

// ECR: Basic for everything, with a password for twelve hours.
func TestPasswordsThatEnd(t *testing.T) {
	var cl clock
	const host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
	h := start(t, &hubtest.Hub{Now: cl.now, Sites: []*hubtest.Site{{Host: host, Auth: hubtest.Basic, Service: "ecr.amazonaws.com"}}})
	img := hubtest.RandomImage(1, 1, 10)
	h.Site(host).Push("app", "1", img)
	c := client(t, h)
	ask := func(user, password string) answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+host+"/v2/app/manifests/1", nil)
		must(t, err)
		if user != "" {
			req.SetBasicAuth(user, password)
		}
		res, err := c.Do(req)
		must(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return answer{res, body, err}
	}
	if a := ask("", ""); a.StatusCode != 401 || a.Header.Get("WWW-Authenticate") != `Basic realm="ecr.amazonaws.com"` {
		t.Errorf("nobody: %s %v", a.Status, a.Header)
	}
	password := h.Site(host).Password("AWS", 12*time.Hour)
	for _, wrong := range [][2]string{{"AWS", "guess"}, {"AWS", ""}, {"other", password}} {
		if a := ask(wrong[0], wrong[1]); a.StatusCode != 401 {
			t.Errorf("%q: %s", wrong, a.Status)
		}
	}
	cl.forward(12*time.Hour - time.Minute)
	if a := ask("AWS", password); !bytes.Equal(a.body, img.Manifest) {
		t.Errorf("within its hours: %s", a.Status)
	}
	next := h.Site(host).Password("AWS", 12*time.Hour)
	cl.forward(time.Minute)
	if a := ask("AWS", password); a.StatusCode != 403 || !strings.Contains(string(a.body), "Reauthenticate") {
		t.Errorf("after them: %s %s", a.Status, a.body)
	}
	if a := ask("AWS", next); !bytes.Equal(a.body, img.Manifest) {
		t.Errorf("the next one: %s", a.Status)
	}
}

// The token service may be down while its registry works, on a host of its own or on the registry's.
func TestTokenServiceDown(t *testing.T) {
	h := start(t, &hubtest.Hub{Sites: []*hubtest.Site{{Host: "ghcr.io"}}})
	img := hubtest.RandomImage(1, 1, 10)
	for registry, down := range map[string][]hubtest.Faults{
		"registry-1.docker.io": {{Host: "auth.docker.io", ResetHandshake: true}, {Host: "auth.docker.io", Reset: true}, {Host: "auth.docker.io", Status: 503}},
		"ghcr.io":              {{Host: "ghcr.io", Kind: hubtest.Token, Reset: true}, {Host: "ghcr.io", Kind: hubtest.Token, Status: 503}},
	} {
		h.Site(registry).Push("org/app", "1", img)
		c := client(t, h)
		service := h.Site(registry).TokenHost
		at := "https://" + service + "/token?service=" + h.Site(registry).Service + "&scope=repository:org/app:pull"
		token := decode[tokens](t, do(t, c, "GET", at, "").body).Token
		for _, fault := range down {
			h.SetFaults(fault)
			req, err := http.NewRequestWithContext(t.Context(), "GET", at, nil)
			must(t, err)
			fresh := client(t, h)
			if res, err := fresh.Do(req); err == nil {
				if res.Body.Close(); res.StatusCode != fault.Status {
					t.Errorf("%s: %s", service, res.Status)
				}
			} else if fault.Status > 0 || !wasReset(err) {
				t.Errorf("%s: %v", service, err)
			}
			if a := do(t, fresh, "GET", "https://"+registry+"/v2/org/app/manifests/1", token); !bytes.Equal(a.body, img.Manifest) {
				t.Errorf("%s while %s is down: %s", registry, service, a.Status)
			}
		}
		h.SetFaults()
	}
}

func TestRateLimit(t *testing.T) {
	var cl clock
	h := start(t, &hubtest.Hub{Now: cl.now, RateLimit: 2, TokenTTL: 24 * time.Hour, Users: map[string]string{"alice": "a"}})
	h.Push("library/alpine", "1", hubtest.RandomImage(1, 1, 10))
	c := client(t, h)
	token := fetchToken(t, c, "library/alpine")
	ask := func(method string, status int, remaining string) answer {
		t.Helper()
		res := do(t, c, method, registry+"/v2/library/alpine/manifests/1", token)
		limit, left := res.Header.Get("ratelimit-limit"), res.Header.Get("ratelimit-remaining")
		if res.StatusCode != status || limit != "2;w=21600" || left != remaining+";w=21600" {
			t.Errorf("%s: %s limit %q remaining %q, want %d and %s", method, res.Status, limit, left, status, remaining)
		}
		return res
	}
	ask("HEAD", 200, "2")
	ask("GET", 200, "1")
	ask("GET", 200, "0")
	ask("HEAD", 200, "0")
	spent := ask("GET", 429, "0")
	e := decode[struct {
		Errors []struct{ Code, Message string }
	}](t, spent.body).Errors
	if len(e) != 1 || e[0].Code != "TOOMANYREQUESTS" || !strings.HasPrefix(e[0].Message, "You have reached your unauthenticated pull rate limit.") {
		t.Errorf("body %s", spent.body)
	}
	anonymous := token
	form := url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"a"}, "scope": {"repository:library/alpine:pull"}}
	token = decode[tokens](t, post(t, c, "https://auth.docker.io/token", form).body).AccessToken
	ask("GET", 200, "1")
	ask("GET", 200, "0")
	if res := ask("GET", 429, "0"); !strings.Contains(string(res.body), "pull rate limit as 'alice'") {
		t.Errorf("body %s", res.body)
	}
	token = anonymous
	cl.forward(6 * time.Hour)
	ask("GET", 200, "1")
	h.SetRateLimit(0)
	if res := do(t, c, "GET", registry+"/v2/library/alpine/manifests/1", token); res.Header.Get("ratelimit-limit") != "" {
		t.Error("a limit where there is none")
	}
	h.SetFaults(hubtest.PullLimit("", "60"))
	res := do(t, c, "GET", registry+"/v2/library/alpine/manifests/1", token)
	if res.StatusCode != 429 || !bytes.Equal(res.body, spent.body) || res.Header.Get("Retry-After") != "60" {
		t.Errorf("by a rule: %s %s, counted: %s", res.Status, res.body, spent.body)
	}
	if res := do(t, c, "HEAD", registry+"/v2/library/alpine/manifests/1", token); res.StatusCode != 200 {
		t.Errorf("HEAD is free: %s", res.Status)
	}
}
