package registry_test

import (
	"net/http"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// TestAProvenMirrorsPage: a mirror that was honest once and sends a page now, for a
// blob whose size nobody has told, is found out and named.
func TestAProvenMirrorsPage(t *testing.T) {
	for _, away := range []bool{true, false} {
		r := newRoom(t, nil)
		one := r.addMirror("one", hubtest.StyleHost)
		r.place("one").Prove()
		l := r.known(1).Layers[0]
		r.restart() // what the manifest says of sizes is not kept
		r.switchTo("one")
		one.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Status: http.StatusOK, Body: "<html>pay here</html>"})
		if away {
			r.hub.Down()
		}
		if got := r.do("GET", blobURL(l.Digest)); got.err == nil && got.StatusCode == http.StatusOK && !same(got.body, content(t, l.Content, 0, l.Content.Size())) {
			t.Errorf("away %v: a page is served as the blob", away)
		}
		r.idle()
		if r.standing("one").Expelled == nil {
			t.Errorf("away %v: it is not blamed", away)
		}
		if away {
			if err := r.hub.Up(); err != nil {
				t.Fatal(err)
			}
			r.pass(time.Minute)
		}
		r.wantBlob("the next try", l.Digest)
	}
}
