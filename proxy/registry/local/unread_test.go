package local

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// An image that is here and cannot be read now is not said to be none: a person would push it anew, or take it for lost.
func TestWhatCannotBeReadIsNotMissing(t *testing.T) {
	s := newSite(t)
	m := s.image(repo, "layer")
	s.pushManifest(repo, "1", m)
	tag, layer := "/v2/"+repo+"/manifests/1", "/v2/"+repo+"/blobs/"+m.Layers[0].Digest.String()
	s.want(http.StatusOK, "", "GET", tag, nil)
	s.want(http.StatusOK, "", "GET", layer, nil)
	s.close()

	refs, err := filepath.Glob(filepath.Join(s.dir, "refs", "local", filepath.Base(filepath.Dir(repo)), filepath.Base(repo), "*"))
	if err != nil || len(refs) != 1 {
		t.Fatal(refs, err)
	}
	files := append(refs, filepath.Join(s.dir, "blobs", "sha256", m.Layers[0].Digest.Encoded()))
	each := func(f func(file string) error) {
		t.Helper()
		for _, file := range files {
			if err := f(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	each(func(file string) error { return os.Rename(file, file+".aside") })
	each(func(file string) error { return os.Symlink(filepath.Base(file), file) }) // leads to itself: neither there nor not there
	s.open()
	for _, path := range []string{tag, layer} {
		s.want(http.StatusInternalServerError, "UNKNOWN", "GET", path, nil)
	}
	s.want(http.StatusInternalServerError, "", "HEAD", tag, nil) // a client that is told 404 pulls no further
	s.want(http.StatusNotFound, "", "HEAD", layer, nil)          // one that pushes sends it again, which mends it
	s.pushBlob(repo, []byte("layer"))
	s.want(http.StatusOK, "", "GET", layer, nil)
	each(func(file string) error { return os.Rename(file+".aside", file) })
	s.want(http.StatusOK, "", "GET", tag, nil)
	s.want(http.StatusOK, "", "GET", layer, nil)
}
