package registry_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

// TestMirrorIsReadOnly: nothing but GET and HEAD, and local/ has its own words.
func TestMirrorIsReadOnly(t *testing.T) {
	r := newRoom(t, nil)
	for _, method := range []string{"PUT", "POST", "PATCH", "DELETE", "OPTIONS"} {
		got := r.mirror(method, "library/a/manifests/1")
		if got.StatusCode != http.StatusMethodNotAllowed || got.code() != "UNSUPPORTED" || got.Header.Get("Allow") == "" {
			t.Errorf("%s: %d %s", method, got.StatusCode, got.body)
		}
	}
	wantStatus(t, "local", r.mirror("GET", "local/a/manifests/1").StatusCode, http.StatusNotFound)
	wantStatus(t, "push to local", r.mirror("PUT", "local/a/manifests/1").StatusCode, http.StatusMethodNotAllowed)
	wantStatus(t, "ping", r.mirror("GET", "").StatusCode, http.StatusOK)
	if n := len(r.hub.Requests()); n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
}

// TestUnknownRegistryIsNeverDialled, whichever way it is named.
func TestUnknownRegistryIsNeverDialled(t *testing.T) {
	r := newRoom(t, nil)
	for _, path := range []string{
		"a/b/manifests/1?ns=evil.example", "a/b/manifests/1?ns=127.0.0.1:22", "a/b/manifests/1?ns=http://x",
		"evil.example/a/b/manifests/1", "127.0.0.1:22/a/manifests/1", "localhost:1/a/blobs/" + someDigest,
	} {
		got := r.mirror("GET", path)
		if got.StatusCode != http.StatusNotFound || got.code() != "NAME_UNKNOWN" {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
		}
	}
	if n := len(r.hub.Requests()); n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
}

// TestWildcardFromElsewhere: what "*" stands for is not for somebody on another
// machine to say.
func TestWildcardFromElsewhere(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Sites: []*hubtest.Site{{Host: "x.wild.test"}}})
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	r.hub.Site("x.wild.test").Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	r.set(func(c *config.Config) {
		reg, _ := c.Registry("docker.io")
		reg.Hosts = append(slices.Clone(reg.Hosts), "*.wild.test")
	})
	wild := []string{"library/a/manifests/1?ns=x.wild.test", "x.wild.test/library/a/manifests/1"}
	exact := []string{"library/a/manifests/1?ns=docker.io", "library/a/manifests/1?ns=" + hubHost, hubHost + "/library/a/manifests/1", "library/a/manifests/1"}
	for _, path := range slices.Concat(wild, exact) {
		wantStatus(t, "from here: "+path, r.mirror("GET", path).StatusCode, http.StatusOK)
	}
	r.elsewhere()
	r.pass(time.Hour)
	r.hub.Reset()
	for _, path := range wild {
		if got := r.mirror("GET", path); got.StatusCode != http.StatusNotFound || got.code() != "NAME_UNKNOWN" {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
		}
	}
	if n := len(r.hub.Requests()); n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
	for _, path := range exact {
		wantStatus(t, "from elsewhere: "+path, r.mirror("GET", path).StatusCode, http.StatusOK)
	}
}

// TestNonsenseAtTheMirror is told what is wrong with it in one line.
func TestNonsenseAtTheMirror(t *testing.T) {
	r := newRoom(t, nil)
	for path, want := range map[string]string{
		"library/a/manifests/sha256:abc":   "DIGEST_INVALID",
		"library/a/blobs/sha256:" + "zz":   "DIGEST_INVALID",
		"Library/a/manifests/1":            "NAME_INVALID",
		"library/a/manifests/.1":           "TAG_INVALID",
		"_catalog":                         "UNSUPPORTED",
		"library/a/blobs/uploads/whatever": "UNSUPPORTED",
	} {
		if got := r.mirror("GET", path); got.StatusCode/100 != 4 || got.code() != want {
			t.Errorf("%s: %d %s, want %s", path, got.StatusCode, got.body, want)
		}
	}
	if n := len(r.hub.Requests()); n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
}

// TestBrowsersAreRefused: a page must not reach what a person may pull.
func TestBrowsersAreRefused(t *testing.T) {
	r := newRoom(t, nil)
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	for _, header := range [][]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "none"}} {
		wantStatus(t, header[0], r.mirror("GET", "library/a/manifests/1", header...).StatusCode, http.StatusForbidden)
	}
}

// TestOriginAway: an engine that can go to the origin itself is sent there by
// 404, since containerd gives up on 5xx; one that cannot is told what is wrong.
func TestOriginAway(t *testing.T) {
	r := newRoom(t, nil)
	r.hub.Down()
	for path, want := range map[string]int{
		"library/a/manifests/1":                         http.StatusNotFound,
		"library/a/manifests/1?ns=docker.io":            http.StatusNotFound,
		"docker.io/library/a/manifests/1":               http.StatusBadGateway,
		"library/a/blobs/" + someDigest:                 http.StatusNotFound,
		"library/a/blobs/" + someDigest + "?ns=ghcr.io": http.StatusNotFound,
		"docker.io/library/a/blobs/" + someDigest:       http.StatusBadGateway,
	} {
		for _, method := range []string{"HEAD", "GET"} {
			got := r.mirror(method, path)
			wantStatus(t, method+" "+path, got.StatusCode, want)
			if method == "GET" && got.code() == "" {
				t.Errorf("%s: no error document: %s", path, got.body)
			}
		}
	}
	if err := r.hub.Up(); err != nil {
		t.Fatal(err)
	}
	r.hub.SetFaults(hubtest.Faults{Status: http.StatusInternalServerError})
	r.pass(time.Minute)
	wantStatus(t, "origin fails, registry-mirrors", r.mirror("GET", "library/a/manifests/1").StatusCode, http.StatusNotFound)
	wantStatus(t, "origin fails, explicit", r.mirror("GET", "docker.io/library/a/manifests/1").StatusCode, http.StatusBadGateway)
}

// TestSwitchedOff: engines fall back, explicit names go on, nothing is kept.
func TestSwitchedOff(t *testing.T) {
	r := newRoom(t, nil)
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 2, 1000))
	r.set(func(c *config.Config) { c.Enabled = false })
	wantStatus(t, "registry-mirrors", r.mirror("GET", "library/a/manifests/1").StatusCode, http.StatusNotFound)
	wantStatus(t, "?ns=", r.mirror("GET", "library/a/manifests/1?ns=docker.io").StatusCode, http.StatusNotFound)
	if n := len(r.hub.Requests()); n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
	for range 2 {
		wantStatus(t, "explicit", r.pullMirror("docker.io/", "a", "1"), http.StatusOK)
	}
	if s := r.cache.Stat(); s.Blobs != 0 || s.Partials != 0 {
		t.Errorf("something was kept: %+v", s)
	}
}

// TestPrivateAtTheMirror: not without ?ns= and that registry's own token; Basic
// there is ours and never leaves.
func TestPrivateAtTheMirror(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "secret"}})
	r.hub.Push("alice/app", "1", hubtest.RandomImage(1, 1, 1000))
	r.hub.SetPrivate("alice/app", "alice")
	password := basic("alice", "secret")

	wantStatus(t, "registry-mirrors", r.mirror("GET", "alice/app/manifests/1").StatusCode, http.StatusUnauthorized)
	wantStatus(t, "?ns=", r.mirror("GET", "alice/app/manifests/1?ns=docker.io").StatusCode, http.StatusNotFound)
	wantStatus(t, "explicit", r.mirror("GET", "docker.io/alice/app/manifests/1", "Authorization", password).StatusCode, http.StatusUnauthorized)
	wantStatus(t, "Basic", r.mirror("GET", "alice/app/manifests/1", "Authorization", password).StatusCode, http.StatusUnauthorized)
	wantStatus(t, "Basic with ?ns=", r.mirror("GET", "alice/app/manifests/1?ns=docker.io", "Authorization", password).StatusCode, http.StatusNotFound)

	e := r.engine("alice", "secret")
	e.login("alice/app")
	own := []string{"Authorization", "Bearer " + e.token}
	wantStatus(t, "her token without ?ns=", r.mirror("GET", "alice/app/manifests/1", own...).StatusCode, http.StatusUnauthorized)
	wantStatus(t, "her token", r.mirror("GET", "alice/app/manifests/1?ns=docker.io", own...).StatusCode, http.StatusOK)
	wantStatus(t, "then without", r.mirror("GET", "alice/app/manifests/1?ns=docker.io").StatusCode, http.StatusNotFound)

	for _, q := range r.hub.Requests() {
		if q.Authorization == "Basic" && q.Kind != hubtest.Token {
			t.Errorf("a password went to %s%s", q.Host, q.Path)
		}
	}
}

// TestSilentOrigin: nobody hangs; who can fall back is told to in time, and what
// is held is served.
func TestSilentOrigin(t *testing.T) {
	r := newRoom(t, nil)
	short := 200 * time.Millisecond
	r.wait = registry.Waits{Check: short, Ask: short, Manifest: short, First: short}
	r.restart()
	img := hubtest.RandomImage(1, 1, 100_000)
	r.hub.Push("library/a", "1", img)
	wantStatus(t, "cold", r.pullMirror("", "library/a", "1"), http.StatusOK)
	r.idle()
	r.pass(time.Hour)
	other, _ := bigBlob(r, 7, 1000)
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Manifest, Latency: time.Hour}, hubtest.Faults{Kind: hubtest.Blob, Method: "GET", Latency: time.Hour})
	for path, want := range map[string]int{
		"library/a/manifests/1":                           http.StatusOK,
		"library/a/manifests/2":                           http.StatusNotFound,
		"docker.io/library/a/manifests/2":                 http.StatusGatewayTimeout,
		"library/a/blobs/" + string(other):                http.StatusNotFound,
		"docker.io/library/a/blobs/" + string(other):      http.StatusGatewayTimeout,
		"library/a/blobs/" + string(img.Layers[0].Digest): http.StatusOK,
	} {
		r.pass(time.Minute)
		wantStatus(t, path, r.mirror("GET", path).StatusCode, want)
	}
	r.hub.SetFaults()
}
