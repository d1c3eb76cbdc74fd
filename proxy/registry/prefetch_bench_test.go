package registry_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// BenchmarkThousandLayers is an image of a thousand small layers: prefetched, and as
// a client pulls it with as many requests at once as we make.
func BenchmarkThousandLayers(b *testing.B) {
	img := hubtest.RandomImage(1, 1000, 2000).WithPlatform(own())
	for name, pull := range map[string]func(*room){
		"prefetch": func(r *room) { r.mustPrefetch("a:1") },
		"client":   func(r *room) { r.pullAtOnce("library/a", "1", img.Blobs(), 8) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				r := newRoom(b, nil)
				r.hub.Push("library/a", "1", img)
				b.StartTimer()
				pull(r)
				b.StopTimer()
				r.idle()
				b.StartTimer()
			}
		})
	}
}

// pullAtOnce pulls at the mirror door with several requests at once.
func (r *room) pullAtOnce(repository, tag string, blobs []digest.Digest, atOnce int) {
	wantStatus(r.t, "manifest", r.mirror("GET", repository+"/manifests/"+tag).StatusCode, http.StatusOK)
	var wg sync.WaitGroup
	todo := make(chan digest.Digest)
	for range atOnce {
		wg.Go(func() {
			for d := range todo {
				if got := r.mirror("GET", repository+"/blobs/"+string(d)); got.StatusCode != http.StatusOK || got.err != nil {
					r.t.Errorf("%s: %d %v", d, got.StatusCode, got.err)
				}
			}
		})
	}
	for _, d := range blobs {
		todo <- d
	}
	close(todo)
	wg.Wait()
}
