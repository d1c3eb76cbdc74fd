package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

func enospc(op, path string) error { return &os.PathError{Op: op, Path: path, Err: syscall.ENOSPC} }

// full is a disk that takes nothing while it is set.
type full struct{ atomic.Bool }

func (f *full) disk() *cache.FaultyDisk {
	return &cache.FaultyDisk{Before: func(op, path string) error {
		if f.Load() && (op == "write" || op == "create" || op == "mkdir") {
			return enospc(op, path)
		}
		return nil
	}}
}

func TestDiskFullMidDownload(t *testing.T) {
	var disk full
	c := open(t, cache.Options{}.WithDisk(disk.disk()).In(t.TempDir()))
	body := bytesOf(200, 1<<20)
	d := digest.FromBytes(body)
	f := join(t, c, d)
	r := reader(t, f, 0, -1, true)
	if err := f.SetSize(int64(len(body))); err != nil {
		t.Fatal(err)
	}
	cl := claim(t, f)
	write(t, cl, body[:300<<10])
	disk.Store(true)
	var ns *cache.NoSpaceError
	if _, err := cl.Write(body[300<<10:]); !errors.As(err, &ns) {
		t.Fatal(err)
	}
	cl.Release()
	f.Fail(ns)
	// The reader gets what arrived and learns where to go on.
	got, err := io.ReadAll(r)
	if !errors.As(err, &ns) || !bytes.Equal(got, body[:len(got)]) || len(got) < 300<<10 || r.Offset() != int64(len(got)) {
		t.Fatalf("%d bytes: %v", len(got), err)
	}
	if _, ok := r.Hash(); !ok {
		t.Fatal("no hash to go on with")
	}
	_ = r.Close()
	if entries, _ := os.ReadDir(filepath.Join(c.Dir(), "partial", "sha256")); len(entries) != 0 {
		t.Fatalf("%v is left", entries)
	}
	if st := c.Stat(); st.Size != 0 {
		t.Fatalf("%+v", st)
	}
	if _, _, err := c.Join(d); !errors.As(err, &ns) {
		t.Fatal(err)
	}
	if err := c.Put(d, body); !errors.As(err, &ns) {
		t.Fatal(err)
	}
	if err := c.SetTag(cache.Tag{Name: cache.Name{Registry: "r.io", Repository: "a"}, Tag: "t", Digest: d}); !errors.As(err, &ns) {
		t.Fatal(err)
	}
	disk.Store(false)
	f = join(t, c, d)
	reader(t, f, 0, -1, true)
	if err := drive(f, body); err != nil {
		t.Fatal(err)
	}
	wantClean(t, c)
}

// A disk that is full of our own old blobs makes room and goes on.
func TestDiskFullOfOldBlobs(t *testing.T) {
	stored := atomic.Bool{}
	var old digest.Digest
	var c *cache.Cache
	disk := &cache.FaultyDisk{Before: func(op, path string) error {
		if op == "write" && stored.Load() {
			if _, err := os.Stat(blobPath(c, old)); err == nil {
				return enospc(op, path)
			}
		}
		return nil
	}}
	c = open(t, cache.Options{}.WithDisk(disk).In(t.TempDir()))
	old = put(t, c, bytesOf(210, 1000))
	body := bytesOf(211, 1<<20)
	f := join(t, c, digest.FromBytes(body))
	r := reader(t, f, 0, -1, true)
	stored.Store(true)
	if err := drive(f, body); err != nil {
		t.Fatal(err)
	}
	readN(t, r, body)
	if has(t, c, old) {
		t.Fatal("still there")
	}
}

// The journal alone cannot be written: the download goes on, only not to be
// resumed.
func TestJournalFails(t *testing.T) {
	failing, dir := atomic.Bool{}, t.TempDir()
	c := open(t, cache.Options{}.WithDisk(&cache.FaultyDisk{Before: func(op, path string) error {
		// The journal is begun in tmp and keeps that name here.
		if failing.Load() && op == "write" && strings.HasPrefix(path, filepath.Join(dir, "tmp")) {
			return enospc(op, path)
		}
		return nil
	}}).In(dir))
	body := bytesOf(220, 2<<20)
	f := join(t, c, digest.FromBytes(body))
	r := reader(t, f, 0, -1, true)
	failing.Store(true)
	if err := drive(f, body); err != nil {
		t.Fatal(err)
	}
	readN(t, r, body)
	if !bytes.Equal(get(t, c, digest.FromBytes(body)), body) {
		t.Fatal("other bytes")
	}
	failing.Store(false)
}

// wantClean checks that no temporary file is left.
func wantClean(t testing.TB, c *cache.Cache) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(c.Dir(), "tmp"))
	if err != nil || len(entries) > 0 {
		t.Fatalf("tmp: %v %v", entries, err)
	}
	if _, err := os.Stat(filepath.Join(c.Dir(), "partial", "handed")); err == nil {
		t.Fatal("a folder of one that is gone")
	}
}

// follow downloads body by drive while somebody reads it, who gets right bytes,
// and all of them or an error; the driver only ever fails by the disk.
func follow(t *testing.T, c *cache.Cache, body []byte, drive func(*cache.Fill, []byte) error) {
	t.Helper()
	f, first, err := c.Join(digest.FromBytes(body))
	if err != nil || !first {
		return
	}
	r, err := f.Reader(t.Context(), 0, -1, true)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- drive(f, body) }()
	got, err := io.ReadAll(r)
	if !bytes.Equal(got, body[:len(got)]) || (err == nil) != (len(got) == len(body)) {
		t.Fatalf("read %d bytes: %v", len(got), err)
	}
	if derr := <-done; derr != nil && !cache.IsLocal(derr) {
		t.Fatalf("driver: %v", derr)
	}
	_ = r.Close()
}

// failAt is a disk whose n-th change fails, and with after every later one; said
// hears which the n-th was.
func failAt(n int, after bool, said func(op, path string)) *cache.FaultyDisk {
	var at atomic.Int64
	return &cache.FaultyDisk{Before: func(op, path string) error {
		i := at.Add(1) - 1
		if i == int64(n) {
			said(op, path)
		} else if !after || i < int64(n) {
			return nil
		}
		return &os.PathError{Op: op, Path: path, Err: []error{syscall.ENOSPC, syscall.EIO}[n%2]}
	}}
}

// TestFailureAtEveryStep lets the n-th change of the directory fail, for every n
// and for each of a few errors, or the n-th and all after it. Whatever happens:
// no panic, no hang, readers get right bytes or an error, what is stored is
// right, and after the next start everything works and nothing is left over.
func TestFailureAtEveryStep(t *testing.T) {
	body, small := bytesOf(230, 600<<10), []byte(`{"schemaVersion":2,"layers":[]}`)
	name := cache.Name{Registry: "r.io", Repository: "a/b"}
	work := func(c *cache.Cache) {
		_ = c.Put(digest.FromBytes(small), small)
		_ = c.SetTag(cache.Tag{Name: name, Tag: "t", Digest: digest.FromBytes(small)})
		_ = c.Link(name, digest.FromBytes(small), "")
		follow(t, c, body, drive)
		_ = c.Delete(digest.FromBytes(small))
		_ = c.Put(digest.FromBytes(small), small)
		c.SetMaxSize(700 << 10)
		_ = c.Put(digest.FromBytes(body[:500<<10]), body[:500<<10])
		c.Shrink()
		_ = c.Flush()
	}
	steps := countSteps(t, work)
	for _, kind := range []string{"once", "from then on"} {
		for n := range steps {
			what := ""
			disk := failAt(n, kind != "once", func(op, path string) { what = op + " " + path })
			t.Run(fmt.Sprintf("%s/%d", kind, n), func(t *testing.T) {
				dir := t.TempDir()
				if c, err := cache.Open(cache.Options{}.WithDisk(disk).In(dir)); err == nil {
					work(c)
					_ = c.Close()
				}
				c := open(t, cache.Options{Dir: dir})
				for _, b := range [][]byte{body, small, body[:500<<10]} {
					d := digest.FromBytes(b)
					if has(t, c, d) && !bytes.Equal(get(t, c, d, cache.Verified()), b) {
						t.Fatalf("%s: stored other bytes", what)
					}
				}
				work(c)
				wantClean(t, c)
				if st := c.Stat(); st.Damaged > 0 {
					t.Fatalf("%s: %+v", what, st)
				}
			})
		}
	}
}

// TestFailureAtEveryStepOfARepair is the same for a blob whose digest breaks and
// is put right. Nobody gets a wrong byte, and none is left behind as if it were
// known to be good.
func TestFailureAtEveryStepOfARepair(t *testing.T) {
	body := bytesOf(231, 600<<10)
	work := func(c *cache.Cache) {
		follow(t, c, body, driveLies)
		_ = c.Flush()
	}
	for n := range countSteps(t, work) {
		for _, after := range []bool{false, true} {
			what := ""
			disk := failAt(n, after, func(op, path string) { what = op + " " + path })
			dir := t.TempDir()
			if c, err := cache.Open(cache.Options{}.WithDisk(disk).In(dir)); err == nil {
				work(c)
				_ = c.Close()
			}
			c := open(t, cache.Options{Dir: dir})
			if d := digest.FromBytes(body); has(t, c, d) {
				get(t, c, d, cache.Verified())
				if err := c.Delete(d); err != nil {
					t.Fatal(err)
				}
			}
			work(c)
			wantClean(t, c)
			if st := c.Stat(); st.Damaged > 0 || st.Blobs != 1 {
				t.Fatalf("step %d, %s: %+v", n, what, st)
			}
			_ = c.Close()
		}
	}
}

// driveLies brings body with a lie in it, finds that out and puts it right.
func driveLies(f *cache.Fill, body []byte) error {
	err := func() error {
		if err := f.SetSize(int64(len(body))); err != nil {
			return err
		}
		for {
			cl, err := f.Claim(context.Background())
			if errors.Is(err, cache.ErrComplete) {
				break
			}
			if err != nil {
				return err
			}
			half := cl.Off + (cl.End-cl.Off)/2
			cl.From(honest.name, honest.withhold)
			_, err = cl.Write(body[cl.Off:half])
			cl.From(liar.name, liar.withhold)
			if err == nil {
				_, err = cl.Write(wrongAt(body, int(half))[half:cl.End])
			}
			cl.Release()
			if err != nil {
				return err
			}
		}
		err := f.Commit()
		var de *cache.DigestError
		if !errors.As(err, &de) {
			return err
		}
		for _, p := range f.Provenance() {
			if _, err := f.Amend(body[p.Off:p.End], p.Off, honest.name); err != nil {
				return err
			}
		}
		return f.Commit()
	}()
	f.Fail(err)
	return err
}

func countSteps(t *testing.T, work func(*cache.Cache)) int {
	t.Helper()
	var n atomic.Int64
	c := open(t, cache.Options{}.WithDisk(&cache.FaultyDisk{Before: func(string, string) error { n.Add(1); return nil }}).In(t.TempDir()))
	work(c)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return int(n.Load())
}
