package registry_test

import (
	"context"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/internal/hubtest"
)

// TestFalseSizeIsForgotten: an origin that said a blob was longer than it is, and is well again, is believed: whoever asks for the
// blob gets it, also after a restart in between, and nobody is told of a range that he did not ask for.
func TestFalseSizeIsForgotten(t *testing.T) {
	for name, between := range map[string]func(*room){"while it runs": func(*room) {}, "over a restart": (*room).restart} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t, nil)
			d, blob := bigBlob(r, 1, 300_000)
			r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Length: 10})
			q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, blobURL(d), nil)
			if err != nil {
				t.Fatal(err)
			}
			rsp, err := r.client.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, rsp.Body)
			_ = rsp.Body.Close()
			if err == nil || rsp.ContentLength != blob.Size()+10 {
				t.Fatalf("%d bytes are announced, %d came, %v", rsp.ContentLength, n, err)
			}
			between(r)
			r.hub.SetFaults()
			got := r.mirror("GET", "library/a/blobs/"+string(d))
			wantStatus(t, "the origin is well again", got.StatusCode, http.StatusOK)
			if !same(got.body, content(t, blob, 0, blob.Size())) {
				t.Errorf("%d bytes", len(got.body))
			}
		})
	}
}

// TestFalseSizeOfEveryAnswer: an origin whose every answer announces more than comes costs its clients no more than the usual
// waits: they are broken off, or told.
func TestFalseSizeOfEveryAnswer(t *testing.T) {
	r := newRoom(t, nil)
	r.set(func(c *config.Config) { c.Fetch.RangeMin, c.Fetch.Connections = 256<<10, 4 })
	d, blob := bigBlob(r, 1, 1_500_000)
	r.hub.SetFaults(hubtest.Faults{Length: 50})
	var work sync.WaitGroup
	for range 3 {
		work.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			q, err := http.NewRequestWithContext(ctx, http.MethodGet, blobURL(d), nil)
			if err != nil {
				t.Error(err)
				return
			}
			rsp, err := r.client.Do(q)
			if err == nil {
				_, err = io.Copy(io.Discard, rsp.Body)
				_ = rsp.Body.Close()
			}
			if ctx.Err() != nil || err == nil && rsp.StatusCode == http.StatusOK {
				t.Errorf("%v %v", rsp, err)
			}
		})
	}
	work.Wait()
	r.hub.SetFaults()
	if got := r.mirror("GET", "library/a/blobs/"+string(d)); got.StatusCode != http.StatusOK || !same(got.body, content(t, blob, 0, blob.Size())) {
		t.Errorf("the origin is well again: %d, %d bytes", got.StatusCode, len(got.body))
	}
}
