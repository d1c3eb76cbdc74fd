package cache_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

func wantTemps(t *testing.T, c *cache.Cache, want int) {
	t.Helper()
	if entries, err := os.ReadDir(filepath.Join(c.Dir(), "tmp")); err != nil || len(entries) != want {
		t.Fatalf("%v, %v; want %d", entries, err, want)
	}
}

// A temporary file that could not be removed goes when it can be; one that is in use stays.
func TestTemporaryFileThatCannotBeRemoved(t *testing.T) {
	ill := false
	disk := &cache.FaultyDisk{Quick: true, Before: func(op, path string) error {
		if ill && (op == "remove" && strings.Contains(path, "tmp") || op == "rename" && strings.Contains(path, "blobs")) {
			return syscall.EIO
		}
		return nil
	}}
	c := open(t, cache.Options{}.WithDisk(disk).In(t.TempDir()))
	loose := put(t, c, bytesOf(8301, 1000))
	u, err := c.Upload()
	if err != nil {
		t.Fatal(err)
	}
	ill = true
	body := bytesOf(8302, 1000)
	if err := c.Put(digest.FromBytes(body), body); err == nil {
		t.Fatal("it was stored")
	}
	gc(t, c, 0)
	if has(t, c, loose) {
		t.Fatal("it was not evicted")
	}
	wantTemps(t, c, 3)
	ill = false
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	wantTemps(t, c, 1)
	body = bytesOf(8303, 1000)
	if _, err := u.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := u.Commit(digest.FromBytes(body), ""); err != nil {
		t.Fatal(err)
	}
	wantTemps(t, c, 0)
}

// One whose folder went away while it was written goes when the folder is back.
func TestTemporaryFileOfADirectoryThatGoes(t *testing.T) {
	away := ""
	var c *cache.Cache
	disk := &cache.FaultyDisk{Quick: true, Before: func(op, path string) error {
		if away == "" && op == "sync" && strings.Contains(path, "tmp") && c != nil {
			away = c.Dir() + ".aside"
			return os.Rename(c.Dir(), away)
		}
		return nil
	}}
	at := open(t, cache.Options{}.WithDisk(disk).In(t.TempDir()))
	c = at
	body := bytesOf(8310, 1000)
	if err := c.Put(digest.FromBytes(body), body); err == nil || away == "" {
		t.Fatal("it was stored nowhere")
	}
	if err := os.RemoveAll(c.Dir()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(away, c.Dir()); err != nil {
		t.Fatal(err)
	}
	wantTemps(t, c, 1)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	wantTemps(t, c, 0)
}
