package registry_test

import (
	"net/http"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// TestNoTokenIsNoRight: a token service that fails says nothing about who may have
// what; it is not the storage that a registry sends those to whom it let in.
func TestNoTokenIsNoRight(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusTeapot} {
		r := newRoom(t, &hubtest.Hub{Users: twoUsers()})
		img := hubtest.RandomImage(1, 1, 1000)
		r.hub.Push("team/app", "1", img)
		r.hub.SetPrivate("team/app", "alice")
		wantStatus(t, "alice", r.engine("alice", "alice-secret").pull("team/app", "1"), http.StatusOK)
		r.idle()
		r.pass(time.Hour)
		nobody := r.engine("", "")
		nobody.login("team/app")
		r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Token, Status: status})
		for _, path := range []string{
			"team/app/blobs/" + string(img.Layers[0].Digest), "team/app/manifests/" + string(img.Digest()), "team/app/manifests/1",
		} {
			for _, method := range []string{"HEAD", "GET"} {
				if got := nobody.ask(method, path).StatusCode; got == http.StatusOK {
					t.Errorf("the token service answers %d: %s %s: served", status, method, path)
				}
				if got := r.mirror(method, path).StatusCode; got == http.StatusOK {
					t.Errorf("the token service answers %d: %s %s at the mirror door: served", status, method, path)
				}
			}
		}
	}
}
