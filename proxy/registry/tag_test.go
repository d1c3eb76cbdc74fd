package registry_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

func twoArch() hubtest.Image {
	return hubtest.MultiArch(map[string]hubtest.Image{
		"linux/amd64": hubtest.RandomImage(1, 1, 1000), "linux/arm64": hubtest.RandomImage(2, 1, 1000),
	})
}

// TestHosts: ghcr.io/a/b:1 and quay.io/a/b:1 are two images.
func TestHostsAreNotMixed(t *testing.T) {
	ghcr, quay := &hubtest.Site{Host: "ghcr.io"}, &hubtest.Site{Host: "quay.io"}
	r := newRoom(t, &hubtest.Hub{Sites: []*hubtest.Site{ghcr, quay}})
	one := ghcr.Push("a/b", "1", hubtest.RandomImage(1, 1, 1000))
	two := quay.Push("a/b", "1", hubtest.RandomImage(2, 1, 1000))
	for range 2 {
		for prefix, want := range map[string]digest.Digest{"ghcr.io/": one, "quay.io/": two} {
			got := r.mirror("GET", prefix+"a/b/manifests/1")
			wantStatus(t, prefix, got.StatusCode, http.StatusOK)
			if digest.FromBytes(got.body) != want {
				t.Errorf("%sa/b:1 is another registry's image", prefix)
			}
			ns := r.mirror("GET", "a/b/manifests/1?ns="+strings.TrimSuffix(prefix, "/"))
			if digest.FromBytes(ns.body) != want {
				t.Errorf("?ns= %sa/b:1 is another registry's image", prefix)
			}
		}
	}
}

// TestAcceptDecidesWhatATagIs: a client that takes no index never gets one out of
// the cache, and one that does is not given one platform's manifest.
func TestAcceptDecidesWhatATagIs(t *testing.T) {
	r := newRoom(t, nil)
	img := twoArch()
	r.hub.Push("library/a", "1", img)
	plain := "application/vnd.oci.image.manifest.v1+json"
	for i := range 3 {
		for _, c := range []struct {
			accept string
			want   digest.Digest
		}{{plain, img.Children[0].Digest()}, {accepts, img.Digest()}, {"*/*", img.Digest()}, {plain + ", text/html", img.Children[0].Digest()}} {
			for _, method := range []string{"HEAD", "GET"} {
				got := r.do(method, "http://127.0.0.1/v2/library/a/manifests/1", "Accept", c.accept)
				if d := got.Header.Get("Docker-Content-Digest"); d != string(c.want) {
					t.Errorf("round %d, %s, Accept %q: %s, want %s", i, method, c.accept, d, c.want)
				}
				if got.Header.Get("Etag") != `"`+string(c.want)+`"` || got.ContentLength <= 0 {
					t.Errorf("%s: headers %v", method, got.Header)
				}
			}
		}
	}
	if n := r.hub.Count("", "/v2/library/a/manifests/1"); n > 4 {
		t.Errorf("the tag was asked for %d times upstream: the raw Accept header must be no key", n)
	}
}

// TestHeadIsHead: HEAD of a tag costs nothing of the pull limit.
func TestHeadIsHead(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{RateLimit: 100})
	d := r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	for range 3 {
		got := r.mirror("HEAD", "library/a/manifests/1")
		if got.StatusCode != http.StatusOK || got.Header.Get("Docker-Content-Digest") != string(d) || len(got.body) != 0 {
			t.Fatalf("%d %v", got.StatusCode, got.Header)
		}
	}
	if get, head := r.hub.Count("GET", "/v2/library/**"), r.hub.Count("HEAD", "/v2/library/**"); get != 0 || head > 2 {
		t.Errorf("%d GET and %d HEAD upstream for a HEAD asked three times", get, head)
	}
	if l := r.sources.Limits()["docker.io"]; !l.Known || l.Limit != 100 {
		t.Errorf("limit %+v", l)
	}
}

// TestTagTTL: within it nothing is asked, past it a HEAD, and a tag that moved is
// seen.
func TestTagTTL(t *testing.T) {
	r := newRoom(t, nil)
	one := r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	get := func() digest.Digest { return digest.FromBytes(r.mirror("GET", "library/a/manifests/1").body) }
	if get() != one {
		t.Fatal("cold")
	}
	two := r.hub.Push("library/a", "1", hubtest.RandomImage(2, 1, 1000))
	if get() != one {
		t.Error("asked upstream within tag_ttl")
	}
	r.pass(2 * time.Minute)
	if get() != two {
		t.Error("the tag moved and nobody noticed")
	}
	r.hub.Reset()
	r.pass(2 * time.Minute)
	if get() != two {
		t.Error("wrong manifest")
	}
	if g, h := r.hub.Count("GET", "/v2/library/**"), r.hub.Count("HEAD", "/v2/library/**"); g != 0 || h != 1 {
		t.Errorf("revalidation: %d GET, %d HEAD", g, h)
	}
	r.set(func(c *config.Config) { c.Cache.TagTTL = 0 })
	r.hub.Reset()
	get()
	get()
	if h := r.hub.Count("HEAD", "/v2/library/**"); h != 2 {
		t.Errorf("tag_ttl 0: %d checks for 2 requests", h)
	}
}

// TestClockSetBack: what was checked later than now was checked at some other time; it
// is not believed until the clock has come there again.
func TestClockSetBack(t *testing.T) {
	r := newRoom(t, nil)
	get := func() digest.Digest { return digest.FromBytes(r.mirror("GET", "library/a/manifests/1").body) }
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	get()
	two := r.hub.Push("library/a", "1", hubtest.RandomImage(2, 1, 1000))
	r.pass(-24 * time.Hour)
	if get() != two {
		t.Error("the tag moved and nobody noticed")
	}
	r.hub.Reset()
	if get() != two || len(r.hub.Requests()) != 0 {
		t.Errorf("asked again within tag_ttl: %d", len(r.hub.Requests()))
	}
}

// heardAndStored is a room in which HEAD said that library/a:1 is an image whose
// manifest came by another way.
func heardAndStored(t *testing.T, img hubtest.Image) *room {
	t.Helper()
	r := newRoom(t, nil)
	r.hub.Push("library/a", "1", img)
	r.hub.Push("library/a", "2", hubtest.RandomImage(2, 1, 1000))
	wantStatus(t, "to know that it is public", r.pullMirror("", "library/a", "2"), http.StatusOK)
	wantStatus(t, "HEAD", r.mirror("HEAD", "library/a/manifests/1").StatusCode, http.StatusOK)
	if err := r.cache.Put(img.Digest(), img.Manifest); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestHeardAndStored: the origin said what a tag stands for, and its manifest came by
// another way than through it: the tag can be had without the origin.
func TestHeardAndStored(t *testing.T) {
	img := hubtest.RandomImage(1, 1, 1000)
	r := heardAndStored(t, img)
	r.hub.Down()
	r.pass(5 * time.Minute)
	if got := r.mirror("GET", "library/a/manifests/1"); digest.FromBytes(got.body) != img.Digest() || got.Header.Get("Warning") == "" {
		t.Errorf("%d, warning %q", got.StatusCode, got.Header.Get("Warning"))
	}
}

// TestHeardAndServed: once its manifest was served, whatever it was asked for by, what
// the origin said that a tag stands for outlives the process.
func TestHeardAndServed(t *testing.T) {
	img := hubtest.RandomImage(1, 1, 1000)
	for _, then := range []string{"GET 1", "HEAD 1", "GET " + img.Digest().String()} {
		r := heardAndStored(t, img)
		method, reference, _ := strings.Cut(then, " ")
		wantStatus(t, then, r.mirror(method, "library/a/manifests/"+reference).StatusCode, http.StatusOK)
		r.hub.Down()
		r.restart()
		if got := r.mirror("GET", "library/a/manifests/1"); digest.FromBytes(got.body) != img.Digest() {
			t.Errorf("%s, and after a restart: %d %s", then, got.StatusCode, got.body)
		}
	}
}

// TestUnknownIsNotGone: 429, 5xx and silence say nothing about a tag; the last
// known one is served, and says so.
func TestUnknownIsNotGone(t *testing.T) {
	for name, fault := range map[string]hubtest.Faults{
		"pull limit": {Kind: hubtest.Manifest, Status: http.StatusTooManyRequests},
		"abuse":      hubtest.Abuse("3600"),
		"500":        {Kind: hubtest.Manifest, Status: http.StatusInternalServerError},
		"503":        {Kind: hubtest.Manifest, Status: http.StatusServiceUnavailable},
		"away":       {},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t, nil)
			d := r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
			e := r.engine("", "")
			wantStatus(t, "cold", e.pull("library/a", "1"), http.StatusOK)
			r.idle()
			r.pass(time.Hour)
			if r.hub.SetFaults(fault); name == "away" {
				r.hub.Down()
			}
			for _, method := range []string{"HEAD", "GET"} {
				e.login("library/a")
				got := e.ask(method, "library/a/manifests/1")
				if got.StatusCode != http.StatusOK || got.Header.Get("Docker-Content-Digest") != string(d) {
					t.Fatalf("%s: %d", method, got.StatusCode)
				}
				if got.Header.Get("Warning") == "" {
					t.Errorf("%s: not marked as stale", method)
				}
				answered := r.event(func(e registry.Event) bool { return e.What == "manifest" && strings.Contains(e.Note, "last known tag") })
				if f := answered.Failed; len(f) != 1 || f[0].Source != "origin" || f[0].Err == "" || f[0].After > answered.Duration {
					t.Errorf("%s: failed %+v", method, f)
				}
			}
			if r.hub.SetFaults(); name == "away" {
				if err := r.hub.Up(); err != nil {
					t.Fatal(err)
				}
			}
			r.pass(time.Minute)
			e.login("library/a")
			if got := e.ask("GET", "library/a/manifests/1"); got.StatusCode != http.StatusOK || got.Header.Get("Warning") != "" {
				t.Errorf("after the fault: %d, warning %q", got.StatusCode, got.Header.Get("Warning"))
			}
		})
	}
}

// TestStaleCanBeSwitchedOff: then no answer is an error, as the door needs it.
func TestStaleCanBeSwitchedOff(t *testing.T) {
	r := newRoom(t, nil)
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	r.pullMirror("", "library/a", "1")
	r.set(func(c *config.Config) { c.Cache.OfflineStale = false })
	r.pass(time.Hour)
	r.hub.Down()
	wantStatus(t, "registry-mirrors", r.mirror("GET", "library/a/manifests/1").StatusCode, http.StatusNotFound)
	wantStatus(t, "explicit", r.mirror("GET", "docker.io/library/a/manifests/1").StatusCode, http.StatusBadGateway)
}

// TestGoneIsGone: a definite no is an answer, and the tag does not come back
// when the origin is away later.
func TestGoneIsGone(t *testing.T) {
	r := newRoom(t, nil)
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	r.hub.Push("library/a", "2", hubtest.RandomImage(2, 1, 1000))
	wantStatus(t, "cold", r.pullMirror("", "library/a", "1"), http.StatusOK)
	r.hub.Delete("library/a", "1")
	r.pass(time.Hour)
	got := r.mirror("GET", "library/a/manifests/1")
	if got.StatusCode != http.StatusNotFound || got.code() != "MANIFEST_UNKNOWN" {
		t.Fatalf("deleted: %d %s", got.StatusCode, got.body)
	}
	r.hub.Down()
	wantStatus(t, "deleted, offline", r.mirror("GET", "library/a/manifests/1").StatusCode, http.StatusNotFound)
}

// TestAPinOutlivesItsTag: what a person pinned is kept though the registry has it no
// more, and its no is passed on all the same; when the tag is back it is pinned still.
func TestAPinOutlivesItsTag(t *testing.T) {
	r := newRoom(t, nil)
	old := hubtest.RandomImage(1, 1, 1000)
	r.hub.Push("library/a", "1", old)
	r.hub.Push("library/a", "2", hubtest.RandomImage(2, 1, 1000))
	wantStatus(t, "cold", r.pullMirror("", "library/a", "1"), http.StatusOK)
	name := cache.Name{Registry: "docker.io", Repository: "library/a"}
	if err := r.cache.Pin(name, "1", true); err != nil {
		t.Fatal(err)
	}
	r.hub.Delete("library/a", "1")
	wantGone := func(when string) {
		t.Helper()
		wantStatus(t, when, r.mirror("GET", "library/a/manifests/1").StatusCode, http.StatusNotFound)
	}
	r.pass(time.Hour)
	wantGone("deleted")
	wantStatus(t, "another tag", r.pullMirror("", "library/a", "2"), http.StatusOK)
	r.set(func(c *config.Config) { c.Cache.TagTTL = 24 * time.Hour })
	wantGone("deleted, while tags need not be asked about for a day")

	if _, err := r.cache.GC(0); err != nil {
		t.Fatal(err)
	}
	r.restart()
	if tag, err := r.cache.Tag(name, "1"); err != nil || !tag.Pinned || tag.Digest != old.Digest() {
		t.Errorf("what was pinned: %+v, %v", tag, err)
	}
	if i, err := r.cache.Image(name, "1"); err != nil || !i.Pinned || !i.Complete {
		t.Errorf("its image: %+v, %v", i, err)
	}
	wantGone("deleted, after a restart")

	back := r.hub.Push("library/a", "1", hubtest.RandomImage(3, 1, 1000))
	wantStatus(t, "back", r.pullMirror("", "library/a", "1"), http.StatusOK)
	if tag, err := r.cache.Tag(name, "1"); err != nil || !tag.Pinned || tag.Digest != back {
		t.Errorf("back: %+v, %v", tag, err)
	}
}

// TestAWrongTagCostsNothing: asking for what never was takes no right away.
func TestAWrongTagCostsNothing(t *testing.T) {
	r := newRoom(t, nil)
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	wantStatus(t, "cold", r.pullMirror("", "library/a", "1"), http.StatusOK)
	wantStatus(t, "wrong tag", r.mirror("GET", "library/a/manifests/nonesuch").StatusCode, http.StatusNotFound)
	wantStatus(t, "wrong blob", r.mirror("GET", "library/a/blobs/"+someDigest).StatusCode, http.StatusNotFound)
	r.hub.Down()
	r.pass(time.Hour)
	wantStatus(t, "offline", r.pullMirror("", "library/a", "1"), http.StatusOK)
}

// TestPullLimitPassesOn: nothing held, the limit is told as it is.
func TestPullLimitPassesOn(t *testing.T) {
	r := newRoom(t, nil)
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Manifest, Status: 429, Header: http.Header{"Retry-After": {"77"}}})
	for _, prefix := range []string{"", "docker.io/"} {
		got := r.mirror("GET", prefix+"library/a/manifests/1")
		if got.StatusCode != http.StatusTooManyRequests || got.Header.Get("Retry-After") != "77" || got.code() != "TOOMANYREQUESTS" {
			t.Errorf("%d, Retry-After %q, %s", got.StatusCode, got.Header.Get("Retry-After"), got.body)
		}
	}
}

// TestWrongManifestIsNotServed: what does not hash to what it was asked for by is
// nobody's manifest.
func TestWrongManifestIsNotServed(t *testing.T) {
	r := newRoom(t, nil)
	d := r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Manifest, WrongByte: hubtest.At(10)})
	for _, ref := range []string{"1", string(d)} {
		if got := r.mirror("GET", "docker.io/library/a/manifests/"+ref); got.StatusCode != http.StatusBadGateway {
			t.Errorf("%s: %d %s", ref, got.StatusCode, got.body)
		}
	}
	r.hub.SetFaults()
	wantStatus(t, "healed", r.pullMirror("", "library/a", "1"), http.StatusOK)
}

// TestHugeManifest: larger than the cache keeps, and still proved.
func TestHugeManifest(t *testing.T) {
	r := newRoom(t, nil)
	body := []byte(`{"schemaVersion":2,"mediaType":"` + indexType + `","manifests":[],"annotations":{"x":"` + strings.Repeat("y", 5<<20) + `"}}`)
	d := r.hub.Site("").AddManifest("library/a", "huge", indexType, body)
	for _, ref := range []string{"huge", string(d)} {
		got := r.mirror("GET", "library/a/manifests/"+ref)
		if got.StatusCode != http.StatusOK || digest.FromBytes(got.body) != d {
			t.Fatalf("%s: %d, %d bytes, %v", ref, got.StatusCode, len(got.body), got.err)
		}
	}
}

// TestTagsAndReferrers: lists are the origin's, in the client's words; GHCR's 404
// at the referrers API is passed on so that clients fall back to tags.
func TestTagsAndReferrers(t *testing.T) {
	ghcr := &hubtest.Site{Host: "ghcr.io", NoReferrers: true}
	r := newRoom(t, &hubtest.Hub{Sites: []*hubtest.Site{ghcr}})
	d := ghcr.Push("a/b", "1", hubtest.RandomImage(1, 1, 1000))
	ghcr.Push("a/b", "2", hubtest.RandomImage(2, 1, 1000))
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))

	got := r.mirror("GET", "ghcr.io/a/b/tags/list?n=1")
	if got.StatusCode != http.StatusOK || !has(string(got.body), `"1"`) {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	if link := got.Header.Get("Link"); !strings.HasPrefix(link, "</v2/ghcr.io/a/b/tags/list?") {
		t.Errorf("Link %q leads elsewhere", link)
	}
	wantStatus(t, "GHCR referrers", r.mirror("GET", "ghcr.io/a/b/referrers/"+string(d)).StatusCode, http.StatusNotFound)
	e := r.engine("", "")
	e.login("library/a")
	got = e.ask("GET", "library/a/referrers/"+string(d))
	if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != indexType {
		t.Errorf("referrers: %d %s", got.StatusCode, got.Header.Get("Content-Type"))
	}

	wantStatus(t, "pull", r.pullMirror("ghcr.io/", "a/b", "2"), http.StatusOK)
	r.hub.Down()
	got = r.mirror("GET", "ghcr.io/a/b/tags/list")
	if got.StatusCode != http.StatusOK || !has(string(got.body), `["2"]`) {
		t.Errorf("offline: %d %s", got.StatusCode, got.body)
	}
	wantStatus(t, "offline, unknown", r.mirror("GET", "x/y/tags/list?ns=ghcr.io").StatusCode, http.StatusNotFound)
}
