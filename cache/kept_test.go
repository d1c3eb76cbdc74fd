package cache_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"go.etcd.io/bbolt"

	"pulley/cache"
)

// killed copies a directory as a kill would leave it, the times of its folders
// included: it is by those that a start knows which refs it has read.
func killed(t testing.TB, from string) string {
	t.Helper()
	to := copyDir(t, from)
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		return os.Chtimes(filepath.Join(to, rel), fi.ModTime(), fi.ModTime())
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// A manifest that the books know as used, and that was stored just before a kill: what
// it points at belongs to the image.
func TestManifestStoredJustBeforeAKill(t *testing.T) {
	c := open(t, cache.Options{})
	layer := put(t, c, bytesOf(7100, 5000))
	body := []byte(`{"schemaVersion":2,"layers":[{"digest":"` + string(layer) + `"}]}`)
	setTag(t, c, debian, "one", digest.FromBytes(body))
	if err := c.Pin(debian, "one", true); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	put(t, c, body)
	again := open(t, cache.Options{Dir: killed(t, c.Dir())})
	gc(t, again, 0)
	if i := imageOf(t, again, debian, "one"); !i.Complete || !has(t, again, layer) {
		t.Fatalf("%+v", i)
	}
}

// A pinned tag whose file was damaged in place is pinned still when it moves.
func TestPinOfADamagedRefFile(t *testing.T) {
	c := open(t, cache.Options{})
	small(t, c, debian, "one", bytesOf(7110, 5000))
	if err := c.Pin(debian, "one", true); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(c.Dir(), "refs", "docker.io", "library", "debian", "one"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("!"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	second := small(t, c, debian, "one", bytesOf(7111, 5000))
	gc(t, c, 0)
	if i := imageOf(t, c, debian, "one"); !i.Pinned || !i.Complete || i.Digest != second {
		t.Fatalf("%+v", i)
	}
}

// A ref file that cannot be read just now may say that it is pinned: nothing is written in its place, whatever is done to the
// tag. One that leads to itself is as unreadable as one on a broken disk.
func TestRefFilesThatCannotBeReadNow(t *testing.T) {
	c := open(t, cache.Options{})
	first := small(t, c, debian, "one", bytesOf(7130, 5000))
	if err := c.Pin(debian, "one", true); err != nil {
		t.Fatal(err)
	}
	if err := c.Pin(debian, string(first), true); err != nil {
		t.Fatal(err)
	}
	dir := c.Dir()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "cache.db")); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "refs", "docker.io", "library", "debian")
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 2 {
		t.Fatal(entries, err)
	}
	each := func(f func(file string) error) {
		t.Helper()
		for _, e := range entries {
			if err := f(filepath.Join(folder, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	each(func(file string) error {
		return errors.Join(os.Rename(file, file+".aside"), os.Symlink(filepath.Base(file), file))
	})
	c = open(t, cache.Options{Dir: dir})
	second := put(t, c, bytesOf(7131, 100))
	var fault *cache.DiskError
	for name, err := range map[string]error{
		"a tag that moves":   c.SetTag(cache.Tag{Name: debian, Tag: "one", Digest: second, MediaType: "m", Size: 100}),
		"a tag that is gone": c.DisownTag(debian, "one"),
	} {
		if !errors.As(err, &fault) {
			t.Errorf("%s: %v", name, err)
		}
	}
	each(func(file string) error { return errors.Join(os.Remove(file), os.Rename(file+".aside", file)) })
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	setTag(t, c, debian, "one", second)
	for _, reference := range []string{"one", string(first)} {
		if i := imageOf(t, c, debian, reference); !i.Pinned {
			t.Errorf("%s is not pinned any more", reference)
		}
	}
}

// Books that contradict themselves, as a bit that fell over leaves them in a file too large
// to be read through at a start, do not keep eviction busy for ever.
func TestEvictionByBooksThatContradictThemselves(t *testing.T) {
	for name, spoil := range map[string]func(*bbolt.Tx) error{
		"the order of an image that is not there": func(tx *bbolt.Tx) error {
			raw := rawOf(t, digest.FromString("another"))
			return tx.Bucket([]byte("order")).Put(append(make([]byte, 8), debian.String()+"\x00"+string(raw[:])...), []byte{})
		},
		"an image without its tag": func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte("refs")).Delete([]byte(debian.String() + "\x00one"))
		},
		"an image at another time than in the order": func(tx *bbolt.Tx) error {
			order := tx.Bucket([]byte("order"))
			k, _ := order.Cursor().First()
			return errors.Join(order.Put(append(make([]byte, 8), k[8:]...), []byte{}), order.Delete(k))
		},
	} {
		t.Run(name, func(t *testing.T) { evictionBySpoilt(t, spoil) })
	}
}

func evictionBySpoilt(t *testing.T, spoil func(*bbolt.Tx) error) {
	c := open(t, cache.Options{})
	first := small(t, c, debian, "one", bytesOf(7120, 5000))
	pinned := small(t, c, debian, "two", bytesOf(7121, 5000))
	if err := c.Pin(debian, "two", true); err != nil {
		t.Fatal(err)
	}
	dir := c.Dir()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(filepath.Join(dir, "cache.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		pad, err := tx.CreateBucket([]byte("pad"))
		if err != nil {
			return err
		}
		if err := pad.Put([]byte("x"), make([]byte, 8<<20)); err != nil {
			return err
		}
		return spoil(tx)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	c = open(t, cache.Options{Dir: dir})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = c.GC(0)
		_ = c.Flush() // builds them again if that is needed
		_, _ = c.GC(0)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("eviction does not end")
	}
	if has(t, c, first) || known(t, c, debian, "one") {
		t.Error("the other image was not evicted")
	}
	if !known(t, c, debian, "two") || !has(t, c, pinned) {
		t.Error("the pinned image was evicted")
	}
}

// Books that turn out damaged while room is made say of nothing any more that it is
// pinned: nothing more is evicted by them.
func TestEvictionEndsWithItsBooks(t *testing.T) {
	c := open(t, cache.Options{})
	layer := bytesOf(7142, 5000)
	small(t, c, debian, "one", layer)
	if err := c.Pin(debian, "one", true); err != nil {
		t.Fatal(err)
	}
	small(t, c, debian, "two", bytesOf(7143, 5000))
	lost := false
	c.ShrinkUntil(func(int64) bool {
		if !lost {
			lost = true
			c.DropDB()
		}
		return false
	})
	if !has(t, c, digest.FromBytes(layer)) {
		t.Fatal("a layer of a pinned image was evicted")
	}
}

// A broken layer that an own image shares with one that was pulled is to be asked for
// where there is somebody to ask.
func TestBrokenLayerOfAnOwnImageToo(t *testing.T) {
	c := open(t, cache.Options{})
	base := bytesOf(7130, 5000)
	small(t, c, debian, "one", base)
	small(t, c, cache.Name{Registry: cache.Local, Repository: "my/app"}, "1", base, bytesOf(7131, 100))
	path := filepath.Join(c.Dir(), "blobs", "sha256", digest.FromBytes(base).Encoded())
	if err := os.WriteFile(path, bytesOf(7132, 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := c.Verify(t.Context(), cache.Verification{}, nil)
	if err != nil || len(v.Broken) != 1 || len(v.Broken[0].Images) != 2 || v.Broken[0].Name != debian {
		t.Fatalf("%+v, %v", v, err)
	}
}

// What is used of a directory that is only read, over and over, takes no more memory
// for that.
func TestReadOnlyBooksDoNotGrow(t *testing.T) {
	clk := newClock()
	c := open(t, cache.Options{Now: clk.now})
	layer := bytesOf(7140, 500)
	d := small(t, c, debian, "one", layer)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	var ro readOnly
	ro.Store(true)
	c = open(t, cache.Options{Now: clk.now}.WithDisk(ro.disk()).In(c.Dir()))
	use := func() {
		for range 100 {
			clk.step(time.Minute)
			get(t, c, digest.FromBytes(layer))
			c.Served(debian, d, 500)
			if err := c.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	use()
	was := c.Unwritten()
	use()
	if now := c.Unwritten(); now > was {
		t.Fatalf("%d changes are in memory, and were %d", now, was)
	}
}
