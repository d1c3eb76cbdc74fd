package cache_test

import (
	"os"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// A disk that fails to read what an own image is made of, the only copy there is, is no reason to remove it; what was
// pulled is fetched again.
func TestUnreadableOwnBlobStays(t *testing.T) {
	c := open(t, cache.Options{})
	own, pulled := bytesOf(7150, 500), bytesOf(7151, 500)
	small(t, c, cache.Name{Registry: cache.Local, Repository: "my/app"}, "1", own)
	small(t, c, debian, "one", pulled)
	for _, layer := range [][]byte{own, pulled} {
		path := blobPath(c, digest.FromBytes(layer))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/proc/self/mem", path); err != nil { // opens, and the first read fails
			t.Fatal(err)
		}
		wantMiss(t, c, digest.FromBytes(layer), cache.Unreadable)
	}
	if _, err := os.Lstat(blobPath(c, digest.FromBytes(own))); err != nil {
		t.Errorf("the only copy was removed: %v", err)
	}
	if _, err := os.Lstat(blobPath(c, digest.FromBytes(pulled))); err == nil {
		t.Error("what can be fetched again is still in the way")
	}
}
