package cache_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
