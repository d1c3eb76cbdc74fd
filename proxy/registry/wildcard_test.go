package registry_test

import (
	"net/http"
	"testing"

	"pulley/cache"
	"pulley/internal/config"
	"pulley/internal/hubtest"
)

// wildRoom has two registries under one "*.domain", and no host of its name.
func wildRoom(t *testing.T) *room {
	t.Helper()
	users := map[string]string{"ann": "s3cret"}
	r := newRoom(t, &hubtest.Hub{Sites: []*hubtest.Site{{Host: "a.wild.test", Users: users}, {Host: "b.wild.test", Users: users}}})
	r.set(func(c *config.Config) {
		c.Registries = append(c.Registries, config.Registry{Name: "corp", Hosts: []string{"*.wild.test"}, Route: config.RouteAuto})
	})
	return r
}

// TestWildcardAtTheMirror: what stands under a "*" is named by ?ns= as well, and by
// a first component.
func TestWildcardAtTheMirror(t *testing.T) {
	r := wildRoom(t)
	img := hubtest.RandomImage(1, 2, 10_000)
	r.hub.Site("a.wild.test").Push("team/app", "1", img)
	ns := func(host string) func(method, path string, header ...string) answer {
		return func(method, path string, header ...string) answer {
			return r.mirror(method, path+"?ns="+host, header...)
		}
	}
	for _, host := range []string{"a.wild.test", "A.Wild.Test", "a.wild.test:443", "a.wild.test."} {
		wantStatus(t, host, pull(t, "team/app", "1", ns(host)), http.StatusOK)
	}
	wantStatus(t, "explicit", r.pullMirror("a.wild.test/", "team/app", "1"), http.StatusOK)
	r.idle()
	if tags, err := r.cache.Tags(cache.Name{Registry: "a.wild.test", Repository: "team/app"}); err != nil || len(tags) != 1 {
		t.Errorf("the cache knows %v of it, %v", tags, err)
	}
	r.hub.Down()
	wantStatus(t, "offline", pull(t, "team/app", "1", ns("a.wild.test")), http.StatusOK)
	if err := r.hub.Up(); err != nil {
		t.Fatal(err)
	}
	r.hub.Reset()
	for _, host := range []string{
		"wild.test", "corp.example", "127.0.0.1:22%23.wild.test", "http://a.wild.test", "evil.example/.wild.test", "ann@a.wild.test",
		"..wild.test", "a%20b.wild.test", "a.wild.test:x", "a.wild.test:99999",
	} {
		got := r.mirror("GET", "team/app/manifests/1?ns="+host)
		if got.StatusCode != http.StatusNotFound || got.code() != "NAME_UNKNOWN" {
			t.Errorf("%s: %d %s", host, got.StatusCode, got.body)
		}
	}
	r.elsewhere()
	wantStatus(t, "from elsewhere", r.mirror("GET", "team/app/manifests/1?ns=a.wild.test").StatusCode, http.StatusNotFound)
	wantStatus(t, "explicit from elsewhere", r.mirror("GET", "a.wild.test/team/app/manifests/1").StatusCode, http.StatusNotFound)
	if n := len(r.hub.Requests()); n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
}

// TestHostsUnderAWildcardAreNotMixed: each is a registry of its own, whichever door
// it is asked through: what is known, or allowed, at one says nothing about another.
func TestHostsUnderAWildcardAreNotMixed(t *testing.T) {
	r := wildRoom(t)
	one, two := hubtest.RandomImage(1, 1, 10_000), hubtest.RandomImage(2, 1, 10_000)
	r.hub.Site("a.wild.test").Push("team/app", "1", one)
	r.hub.Site("b.wild.test").Push("team/app", "1", two)
	r.hub.Site("b.wild.test").SetPrivate("team/app", "ann")
	at := func(host, user string) *engine {
		e := &engine{room: r, host: host}
		if user != "" {
			e.user, e.password = user, "s3cret"
		}
		return e
	}
	wantStatus(t, "ann at b", at("b.wild.test", "ann").pull("team/app", "1"), http.StatusOK)
	wantStatus(t, "anybody at a", at("a.wild.test", "").pull("team/app", "1"), http.StatusOK)
	wantStatus(t, "nobody at b", at("b.wild.test", "").pull("team/app", "1"), http.StatusUnauthorized)
	wantStatus(t, "nobody at b, ?ns=", r.mirror("GET", "team/app/manifests/1?ns=b.wild.test").StatusCode, http.StatusNotFound)
	r.idle()
	r.hub.Down()
	wantStatus(t, "nobody at b, offline", r.mirror("GET", "team/app/manifests/1?ns=b.wild.test").StatusCode, http.StatusNotFound)
	d := two.Layers[0].Digest
	wantStatus(t, "b's layer at a", r.mirror("GET", "team/app/blobs/"+string(d)+"?ns=a.wild.test").StatusCode, http.StatusNotFound)
	got := r.mirror("HEAD", "team/app/manifests/1?ns=a.wild.test")
	if got.Header.Get("Docker-Content-Digest") != string(one.Digest()) {
		t.Errorf("a's tag is %s", got.Header.Get("Docker-Content-Digest"))
	}
}

// TestOneHostUnderAWildcardIsDown, and the others are asked as ever.
func TestOneHostUnderAWildcardIsDown(t *testing.T) {
	r := wildRoom(t)
	for _, host := range []string{"a.wild.test", "b.wild.test"} {
		r.hub.Site(host).Push("team/app", "1", hubtest.RandomImage(1, 1, 10_000))
	}
	r.set(func(c *config.Config) {
		for i, a := range c.Addresses {
			if a.Host == "b.wild.test" {
				c.Addresses[i].Use = []string{"127.0.0.1:1"}
			}
		}
	})
	wantStatus(t, "a", r.mirror("GET", "team/app/manifests/1?ns=a.wild.test").StatusCode, http.StatusOK)
	wantStatus(t, "b", r.mirror("GET", "team/app/manifests/1?ns=b.wild.test").StatusCode, http.StatusNotFound)
	r.hub.Site("a.wild.test").Push("team/app", "2", hubtest.RandomImage(2, 1, 10_000))
	wantStatus(t, "a's new tag", r.pullMirror("a.wild.test/", "team/app", "2"), http.StatusOK)
}
