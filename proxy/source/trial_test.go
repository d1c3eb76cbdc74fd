package source_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// TestATrialOfNonsense: what a mirror names in a manifest of its own making is held
// against the grammar before it is used.
func TestATrialOfNonsense(t *testing.T) {
	for _, named := range []string{"latest", "", "../../v2/secret", "sha256:0", "md5:d41d8cd98f00b204e9800998ecf8427e"} {
		index := []byte(`{"manifests":[{"digest":"` + named + `","size":1}]}`)
		d := digest.FromBytes(index).String()
		s := newShop(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/manifests/latest") && r.Method == http.MethodHead:
				w.Header().Set("Docker-Content-Digest", d)
			case !strings.HasSuffix(r.URL.Path, d) && r.URL.Path != "/v2/":
				t.Errorf("%q was asked for as %s", named, r.URL)
			default:
				_, _ = w.Write(index)
			}
		})
		w := newTown(t, &hubtest.Hub{}, s.mirror("m", "host"))
		r, err := w.TestWith(t.Context(), w.reg(), "m", "library/debian:latest", nil)
		if err != nil || !r.Reachable || r.Err == "" {
			t.Errorf("%q: %+v, %v", named, r, err)
		}
	}
}
