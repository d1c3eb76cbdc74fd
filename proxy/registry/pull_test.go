package registry_test

import (
	"net/http"
	"testing"

	"pulley/internal/config"
	"pulley/internal/hubtest"
)

// TestPullThroughEachDoor: cold, each blob is fetched once; warm, nothing is but
// what the tag costs, which is nothing within its time; offline, everything is
// there, ping and token service included.
func TestPullThroughEachDoor(t *testing.T) {
	for name, pull := range map[string]func(*room) int{
		"intercepted": func(r *room) int { return r.engine("", "").pull("library/debian", "12") },
		"mirror":      func(r *room) int { return r.pullMirror("", "library/debian", "12") },
		"explicit":    func(r *room) int { return r.pullMirror("docker.io/", "debian", "12") },
		"short":       func(r *room) int { return r.pullMirror("", "debian", "12") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t, nil)
			img := hubtest.MultiArch(map[string]hubtest.Image{"linux/amd64": hubtest.RandomImage(1, 3, 200<<10), "linux/arm64": hubtest.RandomImage(2, 2, 100<<10)})
			r.hub.Push("library/debian", "12", img)

			wantStatus(t, "cold", pull(r), http.StatusOK)
			r.idle()
			for _, d := range img.Blobs() {
				if n := r.hub.Count("GET", "/v2/library/debian/blobs/"+string(d)); n != 1 {
					t.Errorf("blob %s was fetched %d times", d, n)
				}
			}
			if n := r.hub.Count("GET", "/v2/library/debian/manifests/**"); n != 3 {
				t.Errorf("%d manifests were fetched, want 3", n)
			}
			for _, q := range r.hub.Requests() {
				if q.Kind == hubtest.CDN && (q.Authorization != "" || q.Referer != "") {
					t.Errorf("the CDN was sent %q, referer %q", q.Authorization, q.Referer)
				}
			}

			r.hub.Reset()
			wantStatus(t, "warm", pull(r), http.StatusOK)
			if n := len(r.hub.Requests()); n != 0 {
				t.Errorf("a warm pull made %d requests upstream: %+v", n, r.hub.Requests()[0])
			}

			r.hub.Down()
			r.restart()
			r.pass(3600e9)
			wantStatus(t, "upstream dead", pull(r), http.StatusOK)
			if err := r.hub.Up(); err != nil {
				t.Fatal(err)
			}

			r.hub.Reset()
			r.route("docker.io", config.RouteOffline)
			wantStatus(t, "offline", pull(r), http.StatusOK)
			if n := len(r.hub.Requests()); n != 0 {
				t.Errorf("route offline made %d requests upstream", n)
			}
		})
	}
}

// TestPullByDigestOffline: what was pulled by digest pulls again by digest.
func TestPullByDigestOffline(t *testing.T) {
	r := newRoom(t, nil)
	d := r.hub.Push("library/debian", "", hubtest.RandomImage(1, 2, 100<<10))
	wantStatus(t, "cold", r.engine("", "").pull("library/debian", string(d)), http.StatusOK)
	r.idle()
	r.hub.Down()
	r.restart()
	wantStatus(t, "upstream dead", r.engine("", "").pull("library/debian", string(d)), http.StatusOK)
	wantStatus(t, "at the mirror", r.pullMirror("", "library/debian", string(d)), http.StatusOK)
}
