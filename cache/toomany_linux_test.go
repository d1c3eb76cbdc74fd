package cache_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"pulley/cache"
)

// withoutFiles calls f while the process cannot open another file.
func withoutFiles(t *testing.T, f func()) {
	t.Helper()
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 1, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}

// With too many files open a folder of tags cannot be read: that is no reason to
// forget a pinned image.
func TestTagsThatCannotBeReadNow(t *testing.T) {
	c := open(t, cache.Options{})
	small(t, c, debian, "one", bytesOf(7200, 5000))
	if err := c.Pin(debian, "one", true); err != nil {
		t.Fatal(err)
	}
	// Somebody else was there.
	if err := os.WriteFile(filepath.Join(c.Dir(), "refs", "docker.io", "library", "debian", "other"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	withoutFiles(t, func() {
		if _, err := c.Image(debian, "one"); err != nil {
			t.Error(err)
		}
	})
	gc(t, c, 0)
	if i := imageOf(t, c, debian, "one"); !i.Pinned || !i.Complete || i.Size < 5000 {
		t.Fatalf("%+v", i)
	}
}

// Nor is what stands in it nobody's from then on.
func TestReferencesThatCannotBeReadNow(t *testing.T) {
	c := open(t, cache.Options{})
	image := small(t, c, debian, "one", bytesOf(7210, 5000))
	withoutFiles(t, func() { c.References(debian, image) })
	if !c.References(debian, image) {
		t.Error("the image of a tag is not the repository's")
	}
}
