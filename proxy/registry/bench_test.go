package registry_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

// BenchmarkWarm is what a warm request costs us besides the connection.
func BenchmarkWarm(b *testing.B) {
	r := newRoom(b, nil)
	img := hubtest.RandomImage(1, 1, 1000)
	r.hub.Push("library/a", "1", img)
	e := r.engine("", "")
	wantStatus(b, "cold", e.pull("library/a", "1"), http.StatusOK)
	reg, _ := r.settings().Registry("docker.io")
	for name, ask := range map[string][2]string{
		"tag":      {"HEAD", "/v2/library/a/manifests/1"},
		"manifest": {"GET", "/v2/library/a/manifests/" + string(img.Digest())},
		"blob":     {"GET", "/v2/library/a/blobs/" + string(img.Layers[0].Digest)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				q := httptest.NewRequest(ask[0], "http://"+hubHost+ask[1], nil)
				q.Header.Set("Accept", accepts)
				q.Header.Set("Authorization", "Bearer "+e.token)
				w := httptest.NewRecorder()
				r.handler.ServeHost(w, q, registry.Target{Registry: reg, Scheme: "http", Host: hubHost, Door: "http"})
				if w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
