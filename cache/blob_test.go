package cache_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
	"pulley/internal/bitrot"
)

func TestPutAndGet(t *testing.T) {
	c := open(t, cache.Options{})
	body := []byte(`{"a":1}`)
	d := put(t, c, body)
	if err := c.Put(d, body); err != nil {
		t.Fatal(err)
	}
	if got := get(t, c, d); !bytes.Equal(got, body) {
		t.Fatalf("%q", got)
	}
	b, err := c.Get(d)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	var de *cache.DigestError
	if err := c.Put(d, []byte("other")); !errors.As(err, &de) {
		t.Fatal(err)
	}
	if err := c.Delete(d); err != nil {
		t.Fatal(err)
	}
	wantMiss(t, c, d, cache.Absent)
	if err := c.Delete(d); err != nil {
		t.Fatal(err)
	}
}

func TestOtherDigestsAreUnsupported(t *testing.T) {
	c := open(t, cache.Options{})
	for _, d := range []digest.Digest{"", "sha256:", "sha256:../../etc/passwd", digest.Digest("sha512:" + strings.Repeat("ab", 64)), "md5:00", digest.Digest("SHA256:" + digest.FromString("x").Encoded())} {
		if _, err := c.Get(d); !errors.Is(err, cache.ErrUnsupported) || !cache.IsLocal(err) {
			t.Errorf("get %q: %v", d, err)
		}
		if _, _, err := c.Join(d); !errors.Is(err, cache.ErrUnsupported) {
			t.Errorf("join %q: %v", d, err)
		}
		if err := errors.Join(c.Put(d, nil), c.Delete(d)); !errors.Is(err, cache.ErrUnsupported) {
			t.Errorf("put %q: %v", d, err)
		}
	}
}

// Whatever happens to the file of a blob, it is a miss or the right bytes.
func TestDamageOnDisk(t *testing.T) {
	body := bytesOf(20, 100<<10)
	for name, test := range map[string]struct {
		damage func(t *testing.T, path string)
		opt    []cache.GetOption
		why    cache.Reason
	}{
		"flipped":                {damage: func(t *testing.T, p string) { bitrot.Flip(t, p, 5000, false) }, why: cache.Damaged},
		"flipped, times kept":    {damage: func(t *testing.T, p string) { bitrot.Flip(t, p, 5000, true) }, why: cache.Damaged},
		"flipped, asked to hash": {damage: func(t *testing.T, p string) { bitrot.Flip(t, p, 5000, true) }, opt: []cache.GetOption{cache.Verified()}, why: cache.Damaged},
		"gone":                   {damage: func(t *testing.T, p string) { _ = os.Remove(p) }, why: cache.Absent},
		"short":                  {damage: func(t *testing.T, p string) { _ = os.Truncate(p, 99<<10) }, why: cache.Damaged},
		"empty":                  {damage: func(t *testing.T, p string) { _ = os.Truncate(p, 0) }, why: cache.Damaged},
		"long":                   {damage: func(t *testing.T, p string) { _ = os.Truncate(p, 101<<10) }, why: cache.Damaged},
		"a directory": {damage: func(t *testing.T, p string) {
			_ = os.Remove(p)
			_ = os.MkdirAll(filepath.Join(p, "x"), 0o700)
		}, why: cache.Unreadable},
		"a dangling link": {damage: func(t *testing.T, p string) { _ = os.Remove(p); _ = os.Symlink("nowhere", p) }, why: cache.Absent},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, cache.Options{})
			d := put(t, c, body)
			test.damage(t, blobPath(c, d))
			wantMiss(t, c, d, test.why, test.opt...)
			wantMiss(t, c, d, cache.Absent)
			if damaged := c.Stat().Damaged; (test.why == cache.Absent) != (damaged == 0) {
				t.Errorf("%d counted as damaged", damaged)
			}
			f := join(t, c, d) // healed from upstream
			r := reader(t, f, 0, -1, true)
			go func() { _ = drive(f, body) }()
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
				t.Fatal(err)
			}
			<-f.Done()
			if !bytes.Equal(get(t, c, d), body) {
				t.Fatal("not healed")
			}
		})
	}
}

// A blob whose file merely looks different (restored from a backup, chmod) is
// hashed and served, and the next time served as it is.
func TestNewStampForRightBytes(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(21, 100<<10)
	d := put(t, c, body)
	path := blobPath(c, d)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, body, 0o600); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(get(t, c, d), body) || !bytes.Equal(get(t, c, d, cache.Verified()), body) {
		t.Fatal("other bytes")
	}
	// A blob that another program put into the layout is taken up.
	other := bytesOf(22, 1000)
	od := digest.FromBytes(other)
	if err := os.WriteFile(blobPath(c, od), other, 0o600); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(get(t, c, od), other) {
		t.Fatal("not taken up")
	}
	if n := c.Stat().Blobs; n != 2 {
		t.Fatalf("%d blobs", n)
	}
}

func TestManyVerifiedReadsAtOnce(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(23, 1<<20)
	d := put(t, c, body)
	flipped := digest.FromBytes(bytesOf(24, 1<<20))
	put(t, c, bytesOf(24, 1<<20))
	bitrot.Flip(t, blobPath(c, flipped), 9, true)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			b, err := c.Get(d, cache.Verified())
			if err != nil {
				t.Error(err)
				return
			}
			_ = b.Close()
		})
		wg.Go(func() {
			if b, err := c.Get(flipped); err == nil {
				_ = b.Close()
				t.Error("served flipped bytes")
			}
		})
	}
	wg.Wait()
	if n := c.Stat().Damaged; n != 1 {
		t.Errorf("reported %d times", n)
	}
}

func TestOpenBlobSurvivesDeleteAndClose(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(25, 100<<10)
	d := put(t, c, body)
	b, err := c.Get(d)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	if err := errors.Join(c.Delete(d), c.Close()); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(b.File()); err != nil || !bytes.Equal(got, body) {
		t.Fatal(err)
	}
	if _, err := c.Get(d); !errors.Is(err, cache.ErrClosed) {
		t.Fatal(err)
	}
	if _, _, err := c.Join(d); !errors.Is(err, cache.ErrClosed) {
		t.Fatal(err)
	}
	if err := c.Put(d, body); !errors.Is(err, cache.ErrClosed) {
		t.Fatal(err)
	}
}

func BenchmarkGet(b *testing.B) {
	c := open(b, cache.Options{})
	d := put(b, c, bytesOf(26, 1<<20))
	if err := c.Flush(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		blob, err := c.Get(d)
		if err != nil {
			b.Fatal(err)
		}
		_ = blob.Close()
	}
}

// What somebody writes into a file between its proof and its stamp is not vouched for.
func TestDamageInTheMomentOfStoring(t *testing.T) {
	var c *cache.Cache
	hit := ""
	disk := &cache.FaultyDisk{Quick: true, Before: func(op, path string) error {
		if hit == "" || op != "syncdir" || filepath.Base(filepath.Dir(path)) != "blobs" {
			return nil
		}
		f, err := os.OpenFile(hit, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteAt([]byte{0}, 100)
		return errors.Join(err, f.Close())
	}}
	c = open(t, cache.Options{}.WithDisk(disk).In(t.TempDir()))
	for i, store := range []func([]byte) error{
		func(body []byte) error { return drive(begun(t, c, body), body) },
		func(body []byte) error {
			u, err := c.Upload()
			if err == nil {
				_, err = u.Write(body)
			}
			if err == nil {
				err = u.Commit(digest.FromBytes(body), "")
			}
			return err
		},
	} {
		body := bytesOf(8500+uint64(i), 3000)
		body[100] = 1
		hit = blobPath(c, digest.FromBytes(body))
		if err := store(body); err != nil {
			t.Fatal(err)
		}
		wantMiss(t, c, digest.FromBytes(body), cache.Damaged)
	}
}
