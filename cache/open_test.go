package cache_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

func TestSecondProcessIsToldWhoHoldsIt(t *testing.T) {
	c := open(t, cache.Options{})
	_, err := cache.Open(cache.Options{Dir: c.Dir()})
	var held *cache.HeldError
	if !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, cache.Options{Dir: c.Dir()})
}

func TestDirectoryThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	denied := &cache.FaultyDisk{Before: func(op, path string) error {
		return &os.PathError{Op: op, Path: path, Err: os.ErrPermission}
	}}
	for name, o := range map[string]cache.Options{
		"no name":        {},
		"a file":         {Dir: file},
		"below a file":   {Dir: filepath.Join(file, "cache")},
		"not writable":   cache.Options{Dir: filepath.Join(dir, "denied")}.WithDisk(denied),
		"blobs a file":   {Dir: prepared(t, func(d string) error { return os.WriteFile(filepath.Join(d, "blobs"), nil, 0o600) })},
		"partial a file": {Dir: prepared(t, func(d string) error { return os.WriteFile(filepath.Join(d, "partial"), nil, 0o600) })},
	} {
		c, err := cache.Open(o)
		if err == nil {
			_ = c.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if msg := err.Error(); strings.Contains(msg, "\n") || !strings.HasPrefix(msg, "cache: ") || !strings.Contains(msg, "cache.dir") {
			t.Errorf("%s: %q", name, msg)
		}
	}
}

func prepared(t *testing.T, f func(dir string) error) string {
	t.Helper()
	dir := t.TempDir()
	if err := f(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestModes(t *testing.T) {
	c := open(t, cache.Options{})
	d := put(t, c, []byte("x"))
	if err := c.SetTag(cache.Tag{Name: cache.Name{Registry: "r.io", Repository: "a/b"}, Tag: "t", Digest: d}); err != nil {
		t.Fatal(err)
	}
	f := join(t, c, digest.FromString("half"))
	defer f.Fail(nil)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	err := filepath.Walk(c.Dir(), func(path string, fi os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		want := os.FileMode(0o600)
		if fi.IsDir() {
			want = 0o700
		}
		if fi.Mode().Perm() != want {
			t.Errorf("%s: %v", path, fi.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What is derived may be lost or damaged in any way: the blobs are served, and
// the next start is as if nothing had been.
func TestDatabaseIsRebuilt(t *testing.T) {
	bodies := make([][]byte, 150)
	for i := range bodies {
		bodies[i] = bytesOf(uint64(1000+i), 100+i)
	}
	for name, damage := range map[string]func(t *testing.T, db string){
		"intact":    func(*testing.T, string) {},
		"missing":   func(t *testing.T, db string) { _ = os.Remove(db) },
		"empty":     func(t *testing.T, db string) { _ = os.Truncate(db, 0) },
		"half":      func(t *testing.T, db string) { _ = os.Truncate(db, size(t, db)/2) },
		"one page":  func(t *testing.T, db string) { _ = os.Truncate(db, 4096) },
		"garbage":   func(t *testing.T, db string) { overwrite(t, db, 0, bytesOf(1, int(size(t, db)))) },
		"text":      func(t *testing.T, db string) { _ = os.WriteFile(db, []byte("hello\n"), 0o600) },
		"middle":    func(t *testing.T, db string) { overwrite(t, db, size(t, db)/2, bytesOf(2, 8192)) },
		"zeroes":    func(t *testing.T, db string) { overwrite(t, db, 3*4096, make([]byte, 16384)) },
		"directory": func(t *testing.T, db string) { _ = os.Remove(db); _ = os.MkdirAll(filepath.Join(db, "x"), 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, cache.Options{})
			for _, b := range bodies {
				put(t, c, b)
			}
			want := c.Stat()
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			damage(t, filepath.Join(c.Dir(), "cache.db"))
			for range 2 {
				again := open(t, cache.Options{Dir: c.Dir()})
				if st := again.Stat(); st.Blobs != want.Blobs || st.Size != want.Size {
					t.Fatalf("%d blobs of %d bytes, want %d of %d", st.Blobs, st.Size, want.Blobs, want.Size)
				}
				for _, b := range bodies {
					if !bytes.Equal(get(t, again, digest.FromBytes(b)), b) {
						t.Fatal("other bytes")
					}
				}
				if err := again.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func size(t *testing.T, name string) int64 {
	t.Helper()
	fi, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return fi.Size()
}

func overwrite(t *testing.T, name string, at int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A database that turns out damaged while it is in use is built again.
func TestDatabaseIsRebuiltWhileRunning(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(30, 5000)
	d := put(t, c, body)
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	c.DropDB()
	if !bytes.Equal(get(t, c, d), body) {
		t.Fatal("other bytes")
	}
	put(t, c, []byte("more"))
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if st := c.Stat(); st.Blobs != 2 || st.Size != 5004 {
		t.Fatalf("%+v", st)
	}
	// Cut short under the map: reading it faults.
	if err := os.Truncate(filepath.Join(c.Dir(), "cache.db"), 0); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(get(t, c, d), body) {
		t.Fatal("other bytes")
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if st := c.Stat(); st.Blobs != 2 || st.Size != 5004 {
		t.Fatalf("%+v", st)
	}
}

// Nothing a kill leaves behind is in the way of the next start.
func TestDebrisIsCleared(t *testing.T) {
	c := open(t, cache.Options{})
	dir := c.Dir()
	d := put(t, c, []byte("kept"))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	hex := digest.FromString("dead").Encoded()
	debris := []string{
		"tmp/1", "tmp/sub/2", "partial/sha256/" + hex, "partial/sha256/" + digest.FromString("x").Encoded() + ".journal",
		"partial/sha256/notahash", "partial/sha256/" + digest.FromString("y").Encoded() + "/file",
	}
	for _, name := range debris {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("debris"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c = open(t, cache.Options{Dir: dir})
	for _, name := range debris {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	get(t, c, d)
	f := join(t, c, digest.FromString("dead"))
	reader(t, f, 0, -1, true)
	if err := drive(f, []byte("dead")); err != nil {
		t.Fatal(err)
	}
}

// The directory is emptied under the running cache: everything is a miss, and
// new things are kept again.
func TestDirectoryVanishes(t *testing.T) {
	c := open(t, cache.Options{})
	d := put(t, c, []byte("a"))
	entries, err := os.ReadDir(c.Dir())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(c.Dir(), e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	wantMiss(t, c, d, cache.Absent)
	body := bytesOf(31, 100<<10)
	f := join(t, c, digest.FromBytes(body))
	reader(t, f, 0, -1, true)
	if err := drive(f, body); err != nil {
		t.Fatal(err)
	}
	put(t, c, []byte("b"))
	if err := c.SetTag(cache.Tag{Name: cache.Name{Registry: "r.io", Repository: "a"}, Tag: "b", Digest: d}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(get(t, c, digest.FromBytes(body)), body) {
		t.Fatal("other bytes")
	}
}

// Room is made from the first moment on, also of downloads at rest that Open still looks through.
func TestRoomIsMadeDuringOpen(t *testing.T) {
	c := open(t, cache.Options{})
	for i := range uint64(300) {
		body := bytesOf(8400+i, 2000)
		f := join(t, c, digest.FromBytes(body))
		reader(t, f, 0, -1, true)
		cl := claim(t, f)
		write(t, cl, body[:1000])
		cl.Release()
		f.Fail(nil)
	}
	if st := c.Stat(); st.Partials != 300 {
		t.Fatalf("%+v", st)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = open(t, cache.Options{Dir: c.Dir(), MaxSize: 10_000})
	c.Shrink()
	if st := c.Stat(); st.Size > 10_000 || st.Partials > 10 || st.Evicted < 290 {
		t.Fatalf("%+v", st)
	}
}
