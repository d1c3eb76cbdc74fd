package registry_test

import (
	"net/http"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/internal/hubtest"
)

// TestClosedAgainstTheCatalogue: a repository that the origin refuses anybody is not
// public, whatever is said about it in general.
func TestClosedAgainstTheCatalogue(t *testing.T) {
	r, mirrors := mirroredRoom(t)
	img := hubtest.RandomImage(1, 2, 100_000)
	r.hub.Push("library/a", "1", img)
	r.hub.SetPrivate("library/a", "alice")
	r.switchTo(config.RouteDirect)
	wantStatus(t, "nobody", r.engine("", "").pull("library/a", "1"), http.StatusUnauthorized)
	for _, m := range mirrors {
		m.Reset()
	}
	for _, route := range []string{config.RouteAuto, "plain", "host", "prefix", "ns"} {
		r.switchTo(route)
		wantStatus(t, "alice", r.engine("alice", "alice-secret").pull("library/a", "1"), http.StatusOK)
		r.idle()
		for _, d := range img.Blobs() {
			_ = r.cache.Delete(d)
		}
		r.pass(time.Minute)
	}
	r.hub.Down()
	r.mirror("GET", "library/a/manifests/1")
	wantSilence(t, "closed", mirrors)
}
