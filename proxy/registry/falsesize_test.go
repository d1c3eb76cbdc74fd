package registry_test

import (
	"io"
	"net/http"
	"testing"

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
