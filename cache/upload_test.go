package cache_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// upload sends a body in pieces.
func upload(t testing.TB, c *cache.Cache, body []byte) *cache.Upload {
	t.Helper()
	u, err := c.Upload()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	for p := range slices.Chunk(body, 100_000) {
		if n, err := u.Write(p); err != nil || n != len(p) {
			t.Fatal(n, err)
		}
	}
	if u.Size() != int64(len(body)) {
		t.Fatalf("%d bytes of %d", u.Size(), len(body))
	}
	return u
}

func TestUpload(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(500, 1<<20)
	d := digest.FromBytes(body)
	u := upload(t, c, body)
	if st := c.Stat(); st.Size != int64(len(body)) || st.Blobs != 0 {
		t.Fatalf("on its way it counts against max_size, and is no blob: %+v", st)
	}
	if has(t, c, d) {
		t.Fatal("there before it was committed")
	}
	if err := u.Commit(d, "push"); err != nil {
		t.Fatal(err)
	}
	u.Close()
	if !bytes.Equal(get(t, c, d), body) {
		t.Fatal("other bytes")
	}
	if _, stamped := c.Known(keyOf(d)); !stamped {
		t.Error("it will be hashed again for nothing")
	}
	if st := c.Stat(); st.Size != int64(len(body)) || st.Blobs != 1 || st.PartialSize != 0 {
		t.Fatalf("%+v", st)
	}
	if _, err := u.Write([]byte("more")); !errors.Is(err, cache.ErrEnded) {
		t.Error(err)
	}
	if err := u.Commit(d, "push"); !errors.Is(err, cache.ErrEnded) {
		t.Error(err)
	}
	wantClean(t, c)
}

func keyOf(d digest.Digest) [32]byte {
	raw, _ := hex.DecodeString(d.Encoded())
	return [32]byte(raw)
}

// What is not the blob it should be stays an upload, and can be named right.
func TestUploadOfOtherBytes(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(501, 300_000)
	u := upload(t, c, body)
	other := digest.FromString("other")
	var de *cache.DigestError
	if err := u.Commit(other, "push"); !errors.As(err, &de) || de.Got != digest.FromBytes(body) || de.Want != other {
		t.Fatal(err)
	}
	wantMiss(t, c, other, cache.Absent)
	if err := u.Commit("sha512:"+digest.Digest(bytes.Repeat([]byte("0"), 128)), "push"); !errors.Is(err, cache.ErrUnsupported) {
		t.Fatal(err)
	}
	if err := u.Commit(digest.FromBytes(body), "push"); err != nil {
		t.Fatal(err)
	}
}

// What is stored already stays as it is.
func TestUploadOfWhatIsStored(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(502, 300_000)
	d := put(t, c, body)
	get(t, c, d) // stamps it
	was, err := os.Stat(blobPath(c, d))
	if err != nil {
		t.Fatal(err)
	}
	if err := upload(t, c, body).Commit(d, "push"); err != nil {
		t.Fatal(err)
	}
	if now, err := os.Stat(blobPath(c, d)); err != nil || !os.SameFile(was, now) {
		t.Error("written again", err)
	}
	wantClean(t, c)
	// Unless it is no good.
	if err := os.WriteFile(blobPath(c, d), body[1:], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := upload(t, c, body).Commit(d, "push"); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(get(t, c, d, cache.Verified()), body) {
		t.Fatal("other bytes")
	}
}

func TestUploadGivenUp(t *testing.T) {
	c := open(t, cache.Options{})
	u := upload(t, c, bytesOf(503, 300_000))
	u.Close()
	u.Close()
	if st := c.Stat(); st.Size != 0 {
		t.Fatalf("%+v", st)
	}
	wantClean(t, c)
}

// A kill in the middle of an upload leaves nothing behind the next start.
func TestUploadKilled(t *testing.T) {
	c := open(t, cache.Options{})
	upload(t, c, bytesOf(504, 300_000))
	dir := copyDir(t, c.Dir())
	if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) != 1 {
		t.Fatalf("the copy was to have an unfinished upload: %v %v", left, err)
	}
	again := open(t, cache.Options{Dir: dir})
	wantClean(t, again)
	if st := again.Stat(); st.Size != 0 {
		t.Fatalf("%+v", st)
	}
}

// After Close there is no cache to send to.
func TestUploadIntoAClosedCache(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(505, 300_000)
	u := upload(t, c, body)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := u.Commit(digest.FromBytes(body), "push"); !errors.Is(err, cache.ErrClosed) {
		t.Error(err)
	}
	if _, err := u.Write(body); !errors.Is(err, cache.ErrClosed) {
		t.Error(err)
	}
	u.Close()
	wantClean(t, c)
	if _, err := c.Upload(); !errors.Is(err, cache.ErrClosed) {
		t.Error(err)
	}
}

// The disk is full: an upload fails, and leaves nothing.
func TestUploadOntoAFullDisk(t *testing.T) {
	var disk full
	c := open(t, cache.Options{}.WithDisk(disk.disk()).In(t.TempDir()))
	u := upload(t, c, bytesOf(506, 300_000))
	disk.Store(true)
	var ns *cache.NoSpaceError
	if _, err := u.Write(bytesOf(507, 1000)); !errors.As(err, &ns) {
		t.Fatal(err)
	}
	disk.Store(false)
	if _, err := u.Write(bytesOf(507, 1000)); !errors.As(err, &ns) {
		t.Fatalf("an upload with a hole went on: %v", err)
	}
	u.Close()
	wantClean(t, c)
	if st := c.Stat(); st.Size != 0 {
		t.Fatalf("%+v", st)
	}
	c.SetMaxSize(1000)
	u, err := c.Upload()
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	if _, err := u.Write(bytesOf(508, 1001)); !errors.As(err, &ns) || ns.Err != nil {
		t.Fatal(err)
	}
}

// A disk that is full of what was pulled makes room and takes every byte.
func TestUploadMakesRoom(t *testing.T) {
	var c *cache.Cache
	var old digest.Digest
	var stored atomic.Bool
	c = open(t, cache.Options{}.WithDisk(&cache.FaultyDisk{Before: func(op, path string) error {
		if op == "write" && stored.Load() {
			if _, err := os.Stat(blobPath(c, old)); err == nil {
				return enospc(op, path)
			}
		}
		return nil
	}}).In(t.TempDir()))
	old = put(t, c, bytesOf(509, 1000))
	stored.Store(true)
	body := bytesOf(510, 300_000)
	if err := upload(t, c, body).Commit(digest.FromBytes(body), "push"); err != nil {
		t.Fatal(err)
	}
	if has(t, c, old) || !bytes.Equal(get(t, c, digest.FromBytes(body), cache.Verified()), body) {
		t.Fatal("other bytes, or nothing made room")
	}
}

// TestUploadFailsAtEveryStep: whatever change of the directory fails, nothing wrong
// is stored, nothing is counted that is not there, and the next start finds nothing.
func TestUploadFailsAtEveryStep(t *testing.T) {
	body := bytesOf(511, 300_000)
	d := digest.FromBytes(body)
	work := func(c *cache.Cache) {
		u, err := c.Upload()
		if err != nil {
			return
		}
		defer u.Close()
		for p := range slices.Chunk(body, 100_000) {
			if _, err := u.Write(p); err != nil {
				return
			}
		}
		_ = u.Commit(d, "push")
	}
	for n := range countSteps(t, work) {
		for _, after := range []bool{false, true} {
			what := ""
			disk := failAt(n, after, func(op, path string) { what = op + " " + path })
			dir := t.TempDir()
			if c, err := cache.Open(cache.Options{}.WithDisk(disk).In(dir)); err == nil {
				work(c)
				if st := c.Stat(); st.PartialSize != 0 {
					t.Fatalf("step %d, %s: %+v", n, what, st)
				}
				_ = c.Close()
			}
			c := open(t, cache.Options{Dir: dir})
			wantClean(t, c)
			if has(t, c, d) && !bytes.Equal(get(t, c, d, cache.Verified()), body) {
				t.Fatalf("step %d, %s: stored other bytes", n, what)
			}
			if st := c.Stat(); st.Damaged > 0 || st.Size != st.Blobs*int64(len(body)) {
				t.Fatalf("step %d, %s: %+v", n, what, st)
			}
			_ = c.Close()
		}
	}
}

// Unlink is the reverse of Link, and leaves tags alone.
func TestUnlink(t *testing.T) {
	c := open(t, cache.Options{})
	n := cache.Name{Registry: cache.Local, Repository: "my/app"}
	other := cache.Name{Registry: cache.Local, Repository: "other"}
	img := randomImage(t)
	d := putImage(t, c, img, false)
	link := func() {
		t.Helper()
		for _, name := range []cache.Name{n, other} {
			if err := c.Link(name, d, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := func(why string, name cache.Name, have bool, all ...digest.Digest) {
		t.Helper()
		got, err := c.Manifests(name)
		if err != nil || !slices.Equal(got, all) {
			t.Errorf("%s: %v %v", why, got, err)
		}
		if c.References(name, d) != have {
			t.Errorf("%s: reference %v", why, !have)
		}
	}
	unlink := func() {
		t.Helper()
		if err := c.Unlink(n, d); err != nil {
			t.Fatal(err)
		}
	}
	unlink() // of nothing
	want("at first", n, false)
	link()
	want("linked", n, true, d)
	unlink()
	want("unlinked", n, false)
	want("another's", other, true, d)
	link()
	if err := c.SetTag(cache.Tag{Name: n, Tag: "1", Digest: d}); err != nil {
		t.Fatal(err)
	}
	want("both", n, true, d)
	unlink()
	want("tagged", n, true, d)
	if err := c.DeleteTag(n, "1"); err != nil {
		t.Fatal(err)
	}
	want("neither", n, false)
	for _, bad := range []cache.Name{{Registry: "local", Repository: "../x"}, {Registry: "", Repository: "a"}} {
		if err := c.Unlink(bad, d); !errors.Is(err, cache.ErrUnsupported) {
			t.Errorf("%v: %v", bad, err)
		}
		if _, err := c.Manifests(bad); !errors.Is(err, cache.ErrUnsupported) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	// What nobody's is goes; what is somebody's stays.
	freed, err := c.GC(0)
	if err != nil || freed != 0 || !c.References(other, d) {
		t.Errorf("evicted %d bytes of an own image: %v", freed, err)
	}
}

func TestContents(t *testing.T) {
	a, b, config := digest.FromString("a"), digest.FromString("b"), digest.FromString("config")
	for body, want := range map[string][]cache.Content{
		`{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"` + a.String() + `"},{"mediaType":"text/plain","digest":"` + b.String() + `"}]}`: {{a, true}, {b, false}},
		`{"config":{"digest":"` + config.String() + `"},"layers":[{"digest":"` + a.String() + `"},{"digest":"sha512:0"}]}`:                                                                                                        {{config, false}, {a, false}},
		`{"schemaVersion":1,"fsLayers":[{"blobSum":"` + a.String() + `"}]}`:                                                                                                                                                       {{a, false}},
	} {
		_, got, err := cache.Contents([]byte(body))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v %v", body, got, err)
		}
	}
	if _, _, err := cache.Contents([]byte(`{}`)); err == nil {
		t.Error("an empty object is a manifest")
	}
}
