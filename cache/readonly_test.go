package cache_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// readOnly is a disk of which nothing can be changed while it is set.
type readOnly struct{ atomic.Bool }

func (r *readOnly) disk() *cache.FaultyDisk {
	return &cache.FaultyDisk{Before: func(op, path string) error {
		if r.Load() {
			return &os.PathError{Op: op, Path: path, Err: syscall.EROFS}
		}
		return nil
	}}
}

// snapshot is every file with its content and times: of what was only read, both
// are as before.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		out[path] = fmt.Sprint(fi.Mode(), fi.ModTime().UnixNano())
		if fi.Mode().IsRegular() {
			b, err := os.ReadFile(path)
			out[path] += fmt.Sprintf(" %x", sha256.Sum256(b))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestReadOnlyDirectoryIsServed(t *testing.T) {
	for name, damage := range map[string]func(db string) error{
		"with its database": func(string) error { return nil },
		"without":           os.Remove,
		"damaged":           func(db string) error { return os.WriteFile(db, []byte("no database"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, cache.Options{})
			layer, rotten := bytesOf(1100, 5000), bytesOf(1101, 4000)
			image := small(t, c, debian, "t", layer)
			put(t, c, rotten)
			get(t, c, digest.FromBytes(layer))
			size := c.Stat().Size
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if err := damage(filepath.Join(c.Dir(), "cache.db")); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(c.Dir(), "tmp", "1"), []byte("left"), 0o600); err != nil {
				t.Fatal(err)
			}
			// Of the same size and with the same times: only a look at the bytes tells.
			path := blobPath(c, digest.FromBytes(rotten))
			fi, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			overwrite(t, path, 100, []byte("rotten"))
			if err := os.Chtimes(path, fi.ModTime(), fi.ModTime()); err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, c.Dir())
			var ro readOnly
			ro.Store(true)
			o := cache.Options{MaxSize: 4000}.WithDisk(ro.disk()).In(c.Dir())
			one, two := open(t, o), open(t, o)
			for _, c := range []*cache.Cache{one, two} {
				if !bytes.Equal(get(t, c, digest.FromBytes(layer)), layer) {
					t.Fatal("other bytes")
				}
				wantMiss(t, c, digest.FromBytes(rotten), cache.Damaged)
				wantMiss(t, c, digest.FromBytes(rotten), cache.Absent)
				if tag, err := c.Tag(debian, "t"); err != nil || tag.Digest != image || !c.References(debian, digest.FromBytes(layer)) {
					t.Fatal(tag, err)
				}
				if i := imageOf(t, c, debian, "t"); !i.Complete {
					t.Fatalf("%+v", i)
				}
				wantNothingKept(t, c, image)
				if err := c.Flush(); err != nil {
					t.Fatal(err)
				}
				st := c.Stat()
				if st.ReadOnly == nil || !errors.Is(st.ReadOnly, syscall.EROFS) || st.Size != size-4000 || st.Evicted != 0 {
					t.Fatalf("%+v", st)
				}
			}
			for _, c := range []*cache.Cache{one, two} {
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if after := snapshot(t, c.Dir()); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Fatalf("changed:\n%v\n%v", before, after)
			}
			again := open(t, cache.Options{Dir: c.Dir()}) // it can be written again
			if st := again.Stat(); st.ReadOnly != nil {
				t.Fatal(st.ReadOnly)
			}
			put(t, again, []byte("kept"))
		})
	}
}

// wantNothingKept tries every change: each answers *DiskError, and so leaves the
// bytes to be passed through.
func wantNothingKept(t *testing.T, c *cache.Cache, image digest.Digest) {
	t.Helper()
	body := bytesOf(1102, 3000)
	d := digest.FromBytes(body)
	for what, try := range map[string]func() error{
		"put":    func() error { return c.Put(d, body) },
		"join":   func() error { _, _, err := c.Join(d); return err },
		"upload": func() error { _, err := c.Upload(); return err },
		"tag":    func() error { return c.SetTag(cache.Tag{Name: debian, Tag: "new", Digest: image}) },
		"link":   func() error { return c.Link(debian, image, "") },
		"pin":    func() error { return c.Pin(debian, "t", true) },
		"remove": func() error { _, err := c.Remove(debian, "t"); return err },
		"delete": func() error { return c.Delete(image) },
		"gc":     func() error { _, err := c.GC(0); return err },
		"free":   func() error { _, err := c.Free(1 << 30); return err },
	} {
		var de *cache.DiskError
		if err := try(); !errors.As(err, &de) || !errors.Is(err, syscall.EROFS) || !cache.IsLocal(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Asked for again at its origin: that is remembered, in memory.
	tag, err := c.Tag(debian, "t")
	if err != nil {
		t.Fatal(err)
	}
	tag.Checked = tag.Checked.Add(time.Hour)
	if err := c.SetTag(tag); err != nil {
		t.Error(err)
	}
	if now, err := c.Tag(debian, "t"); err != nil || !now.Checked.Equal(tag.Checked) {
		t.Error(now, err)
	}
}

// Modes are enough for it, if they mean something to who runs the test.
func TestReadOnlyByModes(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(1110, 5000)
	d := put(t, c, body)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	chmod := func(dir, file os.FileMode) {
		_ = filepath.WalkDir(c.Dir(), func(path string, e fs.DirEntry, _ error) error {
			mode := file
			if e.IsDir() {
				mode = dir
			}
			return os.Chmod(path, mode)
		})
	}
	chmod(0o500, 0o400)
	defer chmod(0o700, 0o600)
	again := open(t, cache.Options{Dir: c.Dir()})
	if !bytes.Equal(get(t, again, d), body) {
		t.Fatal("other bytes")
	}
	if root := os.Getuid() == 0; (again.Stat().ReadOnly == nil) != root {
		t.Fatal(again.Stat().ReadOnly)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// A disk that becomes read-only while it is in use says so, goes on serving, and
// is written again as soon as it can be.
func TestDiskBecomesReadOnly(t *testing.T) {
	var ro readOnly
	c := open(t, cache.Options{}.WithDisk(ro.disk()).In(t.TempDir()))
	body := bytesOf(1120, 5000)
	d := put(t, c, body)
	ro.Store(true)
	var de *cache.DiskError
	if err := c.Put(digest.FromString("x"), []byte("x")); !errors.As(err, &de) {
		t.Fatal(err)
	}
	if err := c.Stat().ReadOnly; !errors.Is(err, syscall.EROFS) {
		t.Fatal(err)
	}
	if !bytes.Equal(get(t, c, d), body) {
		t.Fatal("other bytes")
	}
	ro.Store(false)
	put(t, c, []byte("x"))
	if err := c.Stat().ReadOnly; err != nil {
		t.Fatal(err)
	}
}

// The directory goes and comes back, as it was; or another one is made in its
// place meanwhile.
func TestDirectoryComesBack(t *testing.T) {
	for _, written := range []bool{false, true} {
		t.Run(fmt.Sprint("written meanwhile: ", written), func(t *testing.T) {
			c := open(t, cache.Options{})
			dir, aside := c.Dir(), c.Dir()+".aside"
			layer := bytesOf(1130, 5000)
			image := small(t, c, debian, "t", layer)
			if err := c.Flush(); err != nil {
				t.Fatal(err)
			}
			want := c.Stat()
			if err := os.Rename(dir, aside); err != nil {
				t.Fatal(err)
			}
			wantMiss(t, c, digest.FromBytes(layer), cache.Absent)
			if _, err := c.Tag(debian, "t"); err == nil || c.References(debian, image) {
				t.Fatal(err)
			}
			if written {
				put(t, c, layer)
				put(t, c, []byte("more"))
				if err := c.Flush(); err != nil {
					t.Fatal(err)
				}
				if st := c.Stat(); st.Blobs != 2 || st.Size != 5004 {
					t.Fatalf("%+v", st)
				}
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			} else if err := c.Flush(); err == nil || !strings.Contains(err.Error(), "gone") {
				t.Fatal(err)
			}
			if err := os.Rename(aside, dir); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(get(t, c, digest.FromBytes(layer)), layer) || !c.References(debian, image) {
				t.Fatal("not there again")
			}
			if err := c.Flush(); err != nil {
				t.Fatal(err)
			}
			if st := c.Stat(); st.Blobs != want.Blobs || st.Size != want.Size {
				t.Fatalf("%+v, want %+v", st, want)
			}
			if i := imageOf(t, c, debian, "t"); !i.Complete {
				t.Fatalf("%+v", i)
			}
			put(t, c, []byte("and more"))
			var held *cache.HeldError
			if _, err := cache.Open(cache.Options{Dir: dir}); !errors.As(err, &held) {
				t.Fatal(err)
			}
			wantClean(t, c)
		})
	}
}

// What was written in the place of a directory that had gone says nothing about the one
// that is back: its files do, and a pin is in them.
func TestPinInADirectoryThatComesBack(t *testing.T) {
	c := open(t, cache.Options{})
	dir, aside := c.Dir(), c.Dir()+".aside"
	image := small(t, c, debian, "t", bytesOf(1131, 5000))
	if err := c.Pin(debian, "t", true); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, aside); err != nil {
		t.Fatal(err)
	}
	for range 2 { // there, and checked again
		setTag(t, c, debian, "t", image)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(aside, dir); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	if i := imageOf(t, c, debian, "t"); !i.Pinned {
		t.Errorf("flushed: %+v", i)
	}
	again := open(t, cache.Options{Dir: killed(t, dir)})
	if gc(t, again, 0); !imageOf(t, again, debian, "t").Complete {
		t.Error("killed: it was evicted")
	}
}

// What is known of a directory that came in the place of ours says nothing of what may
// be thrown out of ours when it is back.
func TestNothingIsEvictedOfADirectoryThatJustCameBack(t *testing.T) {
	for _, flushed := range []bool{false, true} {
		t.Run(fmt.Sprint("flushed meanwhile: ", flushed), func(t *testing.T) {
			c := open(t, cache.Options{})
			dir, aside := c.Dir(), c.Dir()+".aside"
			layer := bytesOf(1132, 5000)
			image := small(t, c, debian, "t", layer)
			manifest, _, err := c.Manifest(image)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Pin(debian, "t", true); err != nil {
				t.Fatal(err)
			}
			if err := c.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(dir, aside); err != nil {
				t.Fatal(err)
			}
			wantMiss(t, c, digest.FromBytes(layer), cache.Absent)
			put(t, c, layer)
			put(t, c, manifest)
			setTag(t, c, cache.Name{Registry: "docker.io", Repository: "library/other"}, "t", image)
			if err := c.DeleteTag(debian, "t"); err != nil {
				t.Fatal(err)
			}
			if flushed {
				if err := c.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(aside, dir); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				gc(t, c, 0)
				if !bytes.Equal(get(t, c, digest.FromBytes(layer)), layer) {
					t.Fatal("the layer is gone")
				}
				if err := c.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			if i := imageOf(t, c, debian, "t"); !i.Pinned || !i.Complete {
				t.Errorf("%+v", i)
			}
		})
	}
}

// Another one has the directory that came in the place of ours: it is only read
// until that one lets it go.
func TestDirectoryIsSomebodyElses(t *testing.T) {
	theirs := open(t, cache.Options{})
	body := bytesOf(1140, 5000)
	put(t, theirs, body)
	c := open(t, cache.Options{})
	put(t, c, []byte("mine"))
	dir := c.Dir()
	if err := os.Rename(dir, dir+".aside"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(theirs.Dir(), dir); err != nil {
		t.Fatal(err)
	}
	var held *cache.HeldError
	if err := c.Flush(); !errors.As(err, &held) {
		t.Fatal(err)
	}
	if !errors.As(c.Stat().ReadOnly, &held) {
		t.Fatal(c.Stat().ReadOnly)
	}
	var de *cache.DiskError
	if err := c.Put(digest.FromString("x"), []byte("x")); !errors.As(err, &de) {
		t.Fatal(err)
	}
	if !bytes.Equal(get(t, c, digest.FromBytes(body)), body) {
		t.Fatal("other bytes")
	}
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	put(t, c, []byte("x"))
	if st := c.Stat(); st.ReadOnly != nil || st.Blobs != 2 {
		t.Fatalf("%+v", st)
	}
}

// Another one had the directory's place, or nothing could be said of the lock for a moment: when ours is there again it is
// written again.
func TestOurDirectoryIsThereAgain(t *testing.T) {
	body := bytesOf(1150, 5000)
	wantWritable := func(t *testing.T, c *cache.Cache) {
		t.Helper()
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		put(t, c, []byte("new"))
		if !bytes.Equal(get(t, c, digest.FromBytes(body)), body) {
			t.Error("what was in it is not served")
		}
		wantClean(t, c)
	}
	rename := func(t *testing.T, from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("after somebody else's", func(t *testing.T) {
		theirs, c := open(t, cache.Options{}), open(t, cache.Options{})
		put(t, c, body)
		dir, other := c.Dir(), theirs.Dir()
		rename(t, dir, dir+".aside")
		rename(t, other, dir)
		var held *cache.HeldError
		if err := c.Flush(); !errors.As(err, &held) {
			t.Fatal(err)
		}
		rename(t, dir, other)
		rename(t, dir+".aside", dir)
		wantWritable(t, c)
	})
	t.Run("after a look that failed", func(t *testing.T) {
		c := open(t, cache.Options{})
		put(t, c, body)
		lock := filepath.Join(c.Dir(), "lock")
		rename(t, lock, lock+".aside")
		if err := os.Symlink("lock", lock); err != nil { // which leads to itself: neither there nor not there
			t.Fatal(err)
		}
		if err := c.Flush(); err == nil {
			t.Fatal("it says that all is well")
		}
		if err := os.Remove(lock); err != nil {
			t.Fatal(err)
		}
		rename(t, lock+".aside", lock)
		wantWritable(t, c)
	})
}

// What waits for index.json alone does not wait with it: it is written seldom where that takes long.
func TestIndexKeepsNothingWaiting(t *testing.T) {
	disk := &cache.FaultyDisk{Quick: true, Before: func(op, path string) error {
		if op == "rename" && filepath.Base(path) == "index.json" {
			<-time.After(500 * time.Millisecond) // and so not again for 25 s
		}
		return nil
	}}
	c := open(t, cache.Options{}.WithDisk(disk))
	first := small(t, c, debian, "one", bytesOf(1160, 100))
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	small(t, c, debian, "two", bytesOf(1161, 100)) // which index.json does not have
	file := filepath.Join(c.Dir(), "refs", "docker.io", "library", "debian", "one")
	written := func() string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for round := range 2 {
		before, deadline := written(), time.Now().Add(15*time.Second)
		tag, err := c.Tag(debian, "one")
		if err != nil {
			t.Fatal(err)
		}
		tag.Checked = time.Now()
		if err := c.SetTag(tag); err != nil || tag.Digest != first {
			t.Fatal(tag, err)
		}
		for written() == before {
			if time.Now().After(deadline) {
				t.Fatalf("round %d: that a tag was checked is not written", round)
			}
			<-time.After(20 * time.Millisecond)
		}
	}
}
