package registry_test

import (
	"net/http"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// A registry that could not be reached a moment ago is spared questions that the cache has an answer to. What the cache does
// not have is asked for all the same: it may be back.

// away takes the origin down until somebody has seen that, and has it back.
func (r *room) away(t *testing.T, path string) {
	t.Helper()
	r.hub.Down()
	if got := r.mirror("GET", path); got.StatusCode == http.StatusOK {
		t.Fatalf("%s without an origin: %d", path, got.StatusCode)
	}
	if err := r.hub.Up(); err != nil {
		t.Fatal(err)
	}
}

// TestBlobOfAnOriginThatIsBack: of a public repository, but of no manifest that is here.
func TestBlobOfAnOriginThatIsBack(t *testing.T) {
	r := newRoom(t, nil)
	known, other := hubtest.RandomImage(1, 1, 1000), hubtest.RandomImage(2, 1, 1000)
	r.hub.Push("library/a", "1", known)
	r.hub.Push("library/a", "2", other)
	wantStatus(t, "to know that it is public", r.engine("", "").pull("library/a", "1"), http.StatusOK)
	r.idle()
	path := "docker.io/library/a/blobs/" + string(other.Layers[0].Digest)
	r.away(t, path)
	wantStatus(t, "the origin is back", r.mirror("GET", path).StatusCode, http.StatusOK)
}

// TestTagOfAnOriginThatIsBack: its digest was heard and its manifest never came.
func TestTagOfAnOriginThatIsBack(t *testing.T) {
	r := newRoom(t, nil)
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	wantStatus(t, "to know that it is public", r.engine("", "").pull("library/a", "1"), http.StatusOK)
	r.hub.Push("library/a", "2", hubtest.RandomImage(2, 1, 1000))
	path := "docker.io/library/a/manifests/2"
	wantStatus(t, "HEAD", r.mirror("HEAD", path).StatusCode, http.StatusOK)
	r.pass(r.settings().Cache.TagTTL)
	r.away(t, path)
	for _, method := range []string{"HEAD", "GET"} {
		wantStatus(t, "the origin is back: "+method, r.mirror(method, path).StatusCode, http.StatusOK)
	}
}

// TestRightOfAnOriginThatIsBack: whoever showed his password while the origin was away has a token that the origin is not
// shown. Its no to nobody in particular is no word about him: he is served what is here as long as the token holds, and
// keeps his right.
func TestRightOfAnOriginThatIsBack(t *testing.T) {
	r, alice := privateRoom(t)
	d := alice.ask("GET", "alice/app/manifests/1").Header.Get("Docker-Content-Digest")
	r.hub.Down()
	r.restart()
	alice.login("alice/app")
	if err := r.hub.Up(); err != nil {
		t.Fatal(err)
	}
	r.pass(time.Minute) // until nobody thinks that it is away
	wantStatus(t, "alice, with the token of then", alice.ask("GET", "alice/app/manifests/"+d).StatusCode, http.StatusOK)
	// The origin is asked what the tag stands for, and knows nobody.
	if got := alice.ask("GET", "alice/app/manifests/1"); got.StatusCode != http.StatusOK || got.Header.Get("Warning") == "" {
		t.Errorf("the tag: %d, warning %q", got.StatusCode, got.Header.Get("Warning"))
	}
	r.hub.Down()
	r.restart()
	wantStatus(t, "alice, away again", alice.pull("alice/app", "1"), http.StatusOK)
	wantStatus(t, "nobody", r.engine("", "").pull("alice/app", "1"), http.StatusUnauthorized)
}
