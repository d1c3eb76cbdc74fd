package registry_test

import (
	"net/http"
	"strings"
	"testing"

	"pulley/internal/config"
	"pulley/internal/hubtest"
)

// TestPrivatePlaceGivesNothingAway: a place that may know of private repositories
// has a manifest that the repository is known to have. Who has no right at the
// origin does not get it from there either, not even its name.
func TestPrivatePlaceGivesNothingAway(t *testing.T) {
	r := newRoom(t, &hubtest.Hub{Users: map[string]string{"alice": "a", "mallory": "m"}})
	img := hubtest.MultiArch(map[string]hubtest.Image{"linux/amd64": hubtest.RandomImage(1, 1, 1000), "linux/arm64": hubtest.RandomImage(2, 1, 1000)})
	r.hub.Push("alice/app", "1", img)
	r.hub.SetPrivate("alice/app", "alice")
	company := r.addMirror("company", hubtest.StyleHost, private)
	company.Push("alice/app", "1", img)
	r.switchTo("company")
	alice, mallory := r.engine("alice", "a"), r.engine("mallory", "m")
	alice.login("alice/app")
	// The index lists both; neither is here.
	wantStatus(t, "the index", alice.ask("GET", "alice/app/manifests/1").StatusCode, http.StatusOK)
	child := "alice/app/manifests/" + string(img.Children[0].Digest())
	asked := func() (n int) { // in the background it may be asked about the tag
		for _, q := range company.Requests() {
			if strings.HasSuffix(q.Path, string(img.Children[0].Digest())) {
				n++
			}
		}
		return n
	}
	mallory.login("alice/app")
	if got := mallory.ask("GET", child); got.StatusCode == http.StatusOK || got.StatusCode >= 500 {
		t.Errorf("mallory: %d", got.StatusCode)
	}
	if n := asked(); n != 0 {
		t.Errorf("the mirror was asked %d times on her behalf", n)
	}
	wantStatus(t, "alice", alice.ask("GET", child).StatusCode, http.StatusOK)
	if asked() == 0 {
		t.Error("nor was it on alice's: the test shows nothing")
	}
	r.switchTo(config.RouteAuto)
}
