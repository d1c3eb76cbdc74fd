package bundle_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
	"pulley/cache/bundle"
	"pulley/internal/hubtest"
)

// TestMissing fetches what Missing says until nothing is missing, as whoever
// exports all platforms does.
func TestMissing(t *testing.T) {
	upstream, c := open(t), open(t)
	img := multi(1)
	entry := tagged(t, upstream, debian, img, "latest")
	o := bundle.Options{All: true}
	if w := bundle.Missing(upstream, []cache.Image{entry}, o); len(w) != 0 {
		t.Errorf("%+v", w)
	}
	own := childOf(t, img, here)
	store(t, c, own)
	rounds, fetched := 0, []digest.Digest{}
	for wants := bundle.Missing(c, []cache.Image{entry, entry}, o); len(wants) > 0; wants = bundle.Missing(c, []cache.Image{entry, entry}, o) {
		if rounds++; rounds > 5 {
			t.Fatalf("still missing: %+v", wants)
		}
		var incomplete *bundle.IncompleteError
		if err := bundle.Export(t.Context(), io.Discard, c, []cache.Image{entry}, o); !errors.As(err, &incomplete) || len(incomplete.Missing) == 0 || !strings.Contains(err.Error(), "docker.io/library/debian:latest") {
			t.Fatalf("%v", err)
		}
		for _, w := range wants {
			b, err := upstream.Get(w.Digest)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(b.File())
			_ = b.Close()
			if err != nil || w.Name != debian || rounds > 1 && w.Size != int64(len(body)) {
				t.Fatalf("%+v %v", w, err)
			}
			if err := c.Put(w.Digest, body); err != nil {
				t.Fatal(err)
			}
			fetched = append(fetched, w.Digest)
		}
	}
	other := childOf(t, img, elsewhere())
	want := append([]digest.Digest{img.Digest(), other.Digest()}, other.Blobs()...)
	slices.Sort(want)
	slices.Sort(fetched)
	if !slices.Equal(fetched, want) {
		t.Errorf("fetched %v, want %v", fetched, want)
	}
	untar(t, export(t, c, o, entry))
}

func TestIncompletePlatformIsNamed(t *testing.T) {
	c := open(t)
	img := multi(1)
	entry := tagged(t, c, debian, img, "latest")
	gone := childOf(t, img, elsewhere()).Layers[1].Digest
	if err := c.Delete(gone); err != nil {
		t.Fatal(err)
	}
	export(t, c, bundle.Options{}, entry) // the other one is whole
	var buf bytes.Buffer
	err := bundle.Export(t.Context(), &buf, c, []cache.Image{entry}, bundle.Options{Platforms: []ocispec.Platform{platform(elsewhere())}})
	for _, want := range []string{"docker.io/library/debian:latest", elsewhere(), string(gone), "pulley pull --platform " + elsewhere()} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: does not say %q", err, want)
		}
	}
	if buf.Len() > 0 {
		t.Errorf("%d bytes were written", buf.Len())
	}
}

// TestDamagedBlobEndsTheExport: a byte changes on disk before the blob is opened,
// where the cache sees that, and while it is read, at each part of a blob of
// several chunks, or is cut short.
func TestDamagedBlobEndsTheExport(t *testing.T) {
	img := hubtest.RandomImage(1, 2, 600<<10).WithPlatform(here)
	bad := img.Layers[0].Digest
	for _, late := range []bool{false, true} {
		for _, at := range []int64{0, 300 << 10, 600 << 10, -1} {
			c := open(t)
			entry := tagged(t, c, debian, img, "latest")
			b, err := bundle.New(c, []cache.Image{entry}, bundle.Options{})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(c.Dir(), "blobs", "sha256", bad.Encoded())
			out := &onSight{what: bad.Encoded(), do: func() { damage(t, path, at) }}
			if !late {
				out.seen = true
				damage(t, path, at)
			}
			err = b.Write(t.Context(), out)
			b.Close()
			var damaged *bundle.DamagedError
			if !errors.As(err, &damaged) || damaged.Digest != bad || !strings.Contains(err.Error(), "pulley pull docker.io/library/debian:latest") {
				t.Fatalf("%v", err)
			}
			if _, err := os.Stat(path); err == nil {
				t.Error("the cache still has it: the next pull would not heal it")
			}
			if late && !bytes.Contains(out.buf.Bytes(), bytesOf(t, img.Layers[0].Content)[:100]) && at > 0 {
				t.Error("the blob was not begun: this tests nothing")
			}
			checkCut(t, out.buf.Bytes(), bad)
		}
	}
}

// onSight does something when the header of an entry comes by.
type onSight struct {
	buf  bytes.Buffer
	what string
	do   func()
	seen bool
}

func (o *onSight) Write(p []byte) (int, error) {
	if !o.seen && len(p) == 512 && bytes.Contains(p, []byte("blobs/sha256/"+o.what)) {
		o.seen = true
		o.do()
	}
	return o.buf.Write(p)
}

// checkCut expects that no reader takes what was written for whole.
func checkCut(t testing.TB, body []byte, bad digest.Digest) {
	t.Helper()
	tr := tar.NewReader(bytes.NewReader(body))
	for {
		h, err := tr.Next()
		if err != nil {
			break
		}
		if _, err := io.Copy(io.Discard, tr); err == nil && strings.HasSuffix(h.Name, bad.Encoded()) {
			t.Error("the wrong blob is whole in the archive")
		}
	}
	if list, err := bundle.Import(t.Context(), bytes.NewReader(body), open(t), nil); err == nil {
		t.Errorf("what was written is an archive of %v", list)
	}
}

// damage changes one byte and puts the file's times back; with -1 it cuts the
// file short.
func damage(t testing.TB, path string, at int64) {
	t.Helper()
	if at < 0 {
		if err := os.Truncate(path, 100<<10); err != nil {
			t.Fatal(err)
		}
		return
	}
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0]++
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Close(), os.Chtimes(path, fi.ModTime(), fi.ModTime())); err != nil {
		t.Fatal(err)
	}
}

// failing is a writer that takes n bytes.
type failing struct{ n int }

func (f *failing) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, os.ErrClosed
	}
	return len(p), nil
}

func TestWriterThatFails(t *testing.T) {
	c := open(t)
	entry := tagged(t, c, debian, small(1, here), "latest")
	whole := len(export(t, c, bundle.Options{}, entry))
	for n := 0; n < whole; n += 512 {
		if err := bundle.Export(t.Context(), &failing{n}, c, []cache.Image{entry}, bundle.Options{}); !errors.Is(err, os.ErrClosed) {
			t.Fatalf("after %d bytes of %d: %v", n, whole, err)
		}
	}
}
