package proxy

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"testing"
)

// TestUsualLinesAreThoseOfNetHTTP: for whatever header, or it is left to net/http.
func TestUsualLinesAreThoseOfNetHTTP(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	values := []string{"bytes", "12", "application/vnd.oci.image.index.v1+json; a=b", `"sha256:00"`, " a", "a\r\nX: b", "é", ""}
	usually := 0
	for range 5000 {
		header := http.Header{}
		for _, name := range append([]string{"Warning"}, usual[:]...) {
			switch r.IntN(20) {
			case 0:
				header[name] = values[:r.IntN(3)]
			case 1:
				header[name] = []string{values[r.IntN(len(values))]}
			case 2, 3, 4, 5, 6, 7, 8, 9:
				header[name] = []string{values[r.IntN(4)]}
			}
		}
		var want bytes.Buffer
		if err := header.Write(&want); err != nil {
			t.Fatal(err)
		}
		lines, ok := usualLines(nil, header)
		if ok && string(lines) != want.String() {
			t.Fatalf("%q instead of %q", lines, want.String())
		}
		if ok && len(header) > 0 {
			usually++
		}
	}
	if usually < 500 {
		t.Errorf("%d headers were written", usually)
	}
}
