package registry_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

// TestPullLimitOfEach: what is left is known for each who asks.
func TestPullLimitOfEach(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{RateLimit: 100, Users: twoUsers()})
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	for i := range 3 {
		r.hub.Push("library/a", "1", hubtest.RandomImage(uint64(i), 1, 1000))
		wantStatus(t, "alice", r.engine("alice", "alice-secret").pull("library/a", "1"), http.StatusOK)
		r.pass(10 * time.Minute)
	}
	r.hub.Push("library/a", "1", hubtest.RandomImage(7, 1, 1000))
	wantStatus(t, "nobody", r.engine("", "").pull("library/a", "1"), http.StatusOK)
	left := map[string]int{}
	for _, l := range r.sources.LimitList() {
		left[l.Identity] = l.Remaining
		if l.Registry != "docker.io" || l.Limit != 100 || l.Window != 6*time.Hour {
			t.Errorf("%+v", l)
		}
	}
	if left["alice"] != 97 || left["anonymous"] != 99 {
		t.Errorf("left: %v", left)
	}
	said := func(n int) {
		t.Helper()
		r.event(func(e registry.Event) bool { return e.PullsLeft != nil && *e.PullsLeft == n })
	}
	said(97)
	said(99)
}

// TestLimitUsedUp: a held tag is served and marked, also when it has moved to what
// can no longer be had; a new image gets an error that says when and what helps.
func TestLimitUsedUp(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{RateLimit: 1, Users: twoUsers()})
	old := r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	e := r.engine("", "")
	wantStatus(t, "cold", e.pull("library/a", "1"), http.StatusOK)
	r.idle()
	r.hub.Push("library/a", "1", hubtest.RandomImage(2, 1, 1000))
	r.pass(10 * time.Minute)
	e.login("library/a")
	for _, method := range []string{"HEAD", "GET"} {
		got := e.ask(method, "library/a/manifests/1")
		if got.StatusCode != http.StatusOK || got.Header.Get("Docker-Content-Digest") != string(old) || !has(got.Header.Get("Warning"), "limit is used up") {
			t.Errorf("%s of a tag that moved: %d %v", method, got.StatusCode, got.Header)
		}
		if n := r.event(func(e registry.Event) bool { return e.Method == method && e.What == "manifest" && e.Note != "" }).Note; !has(n, "last known tag") {
			t.Errorf("note %q", n)
		}
	}
	wantStatus(t, "pull", e.pull("library/a", "1"), http.StatusOK)

	r.hub.Push("library/a", "new", hubtest.RandomImage(3, 1, 1000))
	got := e.ask("GET", "library/a/manifests/new")
	if got.StatusCode != http.StatusTooManyRequests || got.code() != "TOOMANYREQUESTS" {
		t.Fatalf("new: %d %s", got.StatusCode, got.body)
	}
	for _, words := range []string{"within 6h", "docker login", "pulley mirror on "} {
		if !has(string(got.body), words) {
			t.Errorf("the error does not say %q: %s", words, got.body)
		}
	}
	if logged := r.event(func(e registry.Event) bool { return e.Status == http.StatusTooManyRequests }).Err; !has(logged, "answers 429: You have reached") ||
		!has(logged, "try again within 6h") || !has(logged, "pulley mirror on ") || strings.Count(logged, "rate limit") != 1 {
		t.Errorf("the log says %q", logged)
	}
	// The limit is anonymous; somebody logged in has their own.
	wantStatus(t, "alice", r.engine("alice", "alice-secret").pull("library/a", "new"), http.StatusOK)
}

// TestLimitGoneRound: HEAD is free, and a mirror has what it names.
func TestLimitGoneRound(t *testing.T) {
	for _, style := range styles {
		r := newRoom(t, &hubtest.Hub{RateLimit: 1})
		one := r.addMirror("one", style)
		r.hub.Push("library/a", "0", hubtest.RandomImage(9, 1, 1000))
		e := r.engine("", "")
		e.login("library/a")
		wantStatus(t, "the last one", e.ask("GET", "library/a/manifests/0").StatusCode, http.StatusOK)
		wantStatus(t, "one more", e.ask("GET", "library/a/manifests/none").StatusCode, http.StatusNotFound)
		d := r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
		got := e.ask("GET", "library/a/manifests/1")
		if got.StatusCode != http.StatusOK || got.Header.Get("Docker-Content-Digest") != string(d) || got.Header.Get("Warning") != "" {
			t.Errorf("%s: GET by tag: %d %s, warning %q", style, got.StatusCode, got.body, got.Header.Get("Warning"))
		}
		r.hub.Push("library/a", "2", hubtest.RandomImage(2, 1, 1000))
		wantStatus(t, "as dockerd does it", e.pull("library/a", "2"), http.StatusOK)
		if one.Count("GET", "/v2/**/manifests/*") < 2 {
			t.Error("the mirror was not asked")
		}
	}
}

// TestLimitAdviceIsTrue: what is said to help does help whoever it is said to.
func TestLimitAdviceIsTrue(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: twoUsers()})
	r.hub.Push("team/app", "1", hubtest.RandomImage(1, 1, 1000))
	r.hub.SetPrivate("team/app", "alice")
	e := r.engine("alice", "alice-secret")
	wantStatus(t, "cold", e.pull("team/app", "1"), http.StatusOK)
	r.hub.SetFaults(hubtest.PullLimit("alice", "90"))
	r.set(func(c *config.Config) { c.Cache.OfflineStale = false })
	r.hub.Push("team/app", "2", hubtest.RandomImage(2, 1, 1000))
	got := e.ask("GET", "team/app/manifests/2")
	if got.StatusCode != http.StatusTooManyRequests || !has(string(got.body), "in 1m30s") || got.Header.Get("Retry-After") != "90" {
		t.Errorf("%d, Retry-After %q: %s", got.StatusCode, got.Header.Get("Retry-After"), got.body)
	}
	if has(string(got.body), "docker login") || strings.Contains(string(got.body), "mirror") {
		t.Errorf("advice that helps nobody who is logged in and asks for what is private: %s", got.body)
	}
}

// TestTooManyRequestsIsNotUnknown: a refusal that names no code does not come to mean that there is no such image, nor one
// of the token service that there is something wrong with the registry.
func TestTooManyRequestsIsNotUnknown(t *testing.T) {
	for _, host := range []string{"registry-1.docker.io", "auth.docker.io"} {
		r := newRoom(t, nil)
		r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
		f := hubtest.Abuse("60")
		f.Host = host
		r.hub.SetFaults(f)
		got := r.mirror("GET", "docker.io/library/a/manifests/1")
		if got.StatusCode != http.StatusTooManyRequests || got.code() != "TOOMANYREQUESTS" || !has(string(got.body), "in 1m0s") {
			t.Errorf("%s: %d %s", host, got.StatusCode, got.body)
		}
	}
}

// TestNobodyWaitsSilentlyForLong: clients that sleep as long as they are told and say nothing are told little; what they show
// in the end says how long it will be. Others are told all.
func TestNobodyWaitsSilentlyForLong(t *testing.T) {
	for agent, want := range map[string]string{
		"containers/5.23.1 (github.com/containers/image)": "5", "skopeo/1.9.3": "5", "Buildah/1.28": "5", "docker/20.10.24": "5400",
	} {
		r := newRoom(t, nil)
		r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
		r.hub.SetFaults(hubtest.PullLimit("", "5400"))
		got := r.mirror("GET", "docker.io/library/a/manifests/1", "User-Agent", agent)
		if got.StatusCode != http.StatusTooManyRequests || got.Header.Get("Retry-After") != want || !has(string(got.body), "in 1h30m") {
			t.Errorf("%s: %d, Retry-After %q: %s", agent, got.StatusCode, got.Header.Get("Retry-After"), got.body)
		}
	}
}
