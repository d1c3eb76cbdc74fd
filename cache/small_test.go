package cache_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// A small blob is read at once when nothing speaks against its file, and never when
// something does.
func TestReadSmall(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(1, 5000)
	d := put(t, c, body)
	room := make([]byte, 5000)
	read := func(why string, d digest.Digest, room []byte, want bool) {
		t.Helper()
		n, ok := c.ReadSmall(d, room)
		if ok != want || ok && !bytes.Equal(room[:n], body) {
			t.Errorf("%s: %d bytes, %v", why, n, ok)
		}
	}
	read("not hashed yet", d, room, false)
	get(t, c, d)
	read("hashed", d, room, true)
	read("more room", d, make([]byte, 9000), true)
	read("too little room", d, room[:4999], false)
	read("not stored", digest.FromString("other"), room, false)
	read("not one of ours", digest.Digest("sha512:"+strings.Repeat("ab", 64)), room, false)

	path := blobPath(c, d)
	aside := filepath.Join(t.TempDir(), "aside")
	for why, change := range map[string]func() error{
		"gone": func() error { return nil },
		"another file": func() error {
			return os.WriteFile(path, bytesOf(2, 5000), 0o600)
		},
		"cut":      func() error { return os.WriteFile(path, body[:4000], 0o600) },
		"a folder": func() error { return os.Mkdir(path, 0o700) },
	} {
		if err := os.Rename(path, aside); err != nil {
			t.Fatal(err)
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		read(why, d, room, false)
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(aside, path); err != nil {
			t.Fatal(err)
		}
	}
	get(t, c, d) // its inode has changed since: hashed again
	read("back", d, room, true)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	read("closed", d, room, false)
}
