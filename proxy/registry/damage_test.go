package registry_test

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"pulley/internal/hubtest"
)

// TestDamagedMemory: what is remembered of a tag and makes no sense any more counts
// as nothing.
func TestDamagedMemory(t *testing.T) {
	r := newRoom(t, nil)
	r.addMirror("one", hubtest.StyleHost, trusting)
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	r.hub.Down()
	wantStatus(t, "by the mirror's word", r.mirror("GET", "library/a/manifests/1").StatusCode, http.StatusOK)
	r.close()
	damaged := 0
	sum := regexp.MustCompile(`sha256:[0-9a-f]{64}`)
	err := filepath.WalkDir(filepath.Join(r.dir, "state", "tags"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		damaged++
		return os.WriteFile(path, sum.ReplaceAll(b, []byte("nonsense")), 0o600)
	})
	if err != nil || damaged == 0 {
		t.Fatalf("%d damaged, %v", damaged, err)
	}
	r.open()
	got := r.mirror("GET", "library/a/manifests/1")
	if got.err != nil || got.StatusCode != http.StatusOK && got.code() == "" {
		t.Errorf("%d %s, %v", got.StatusCode, got.body, got.err)
	}
}
