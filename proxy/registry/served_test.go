package registry_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
	"pulley/internal/hubtest"
)

// What is served of an image, at every door, is its last use, and what need not be
// fetched again is saved; who brought it is known.
func TestServedAndSaved(t *testing.T) {
	r := newRoom(t, nil)
	img := hubtest.RandomImage(1, 2, 300<<10)
	r.hub.Push("library/a", "1", img)
	n := cache.Name{Registry: "docker.io", Repository: "library/a"}
	held := func() cache.Image {
		t.Helper()
		i, err := r.cache.Image(n, "1")
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	e := r.engine("", "")
	wantStatus(t, "cold", e.pull("library/a", "1"), http.StatusOK)
	r.idle()
	cold := held()
	if cold.Saved != 0 || cold.Sources["origin"] != cold.Size {
		t.Errorf("cold: saved %d, %v of %d", cold.Saved, cold.Sources, cold.Size)
	}
	for i, pull := range []func() int{
		func() int { return e.pull("library/a", "1") },
		func() int { return r.pullMirror("", "library/a", "1") },
		func() int { return r.pullMirror("docker.io/", "library/a", "1") },
	} {
		r.pass(30e9)
		before := held()
		wantStatus(t, "warm", pull(), http.StatusOK)
		if after := held(); after.Saved-before.Saved != after.Size || !after.Used.After(before.Used) {
			t.Errorf("door %d: saved %d of %d, used %v, then %v", i, after.Saved-before.Saved, after.Size, before.Used, after.Used)
		}
	}
	r.pass(30e9)
	before := held()
	wantStatus(t, "a look at the tag", e.ask("HEAD", "library/a/manifests/1").StatusCode, http.StatusOK)
	if after := held(); !after.Used.After(before.Used) || after.Saved != before.Saved {
		t.Errorf("HEAD: %+v", after)
	}
}

// Whatever comes into the cache from a registry is told of, with whether it is
// public; what a client pushed is not.
func TestStoredIsTold(t *testing.T) {
	type key struct {
		name cache.Name
		d    digest.Digest
	}
	var mu sync.Mutex
	told := map[key]bool{}
	r := newRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "secret"}})
	r.close()
	r.stored = func(n cache.Name, d digest.Digest, public bool) {
		mu.Lock()
		defer mu.Unlock()
		told[key{n, d}] = public
	}
	r.open()
	public, private := hubtest.RandomImage(1, 2, 300<<10).WithPlatform(own()), hubtest.RandomImage(2, 2, 300<<10)
	r.hub.Push("library/a", "1", public)
	r.hub.Push("alice/app", "1", private)
	r.hub.SetPrivate("alice/app", "alice")
	r.mustPrefetch("a:1")
	wantStatus(t, "alice", r.engine("alice", "secret").pull("alice/app", "1"), http.StatusOK)
	r.idle()
	mu.Lock()
	defer mu.Unlock()
	want := map[key]bool{}
	for _, d := range append(public.Blobs(), public.Digest()) {
		want[key{cache.Name{Registry: "docker.io", Repository: "library/a"}, d}] = true
	}
	for _, d := range append(private.Blobs(), private.Digest()) {
		want[key{cache.Name{Registry: "docker.io", Repository: "alice/app"}, d}] = false
	}
	for k, public := range want {
		if got, ok := told[k]; !ok || got != public {
			t.Errorf("%v: told %v, public %v; want %v", k, ok, got, public)
		}
	}
	if len(told) != len(want) {
		t.Errorf("%d told, want %d", len(told), len(want))
	}
}
