package bundle_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.uber.org/goleak"

	"pulley/cache"
	"pulley/cache/bundle"
	"pulley/internal/hubtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	debian = cache.Name{Registry: "docker.io", Repository: "library/debian"}
	app    = cache.Name{Registry: "ghcr.io", Repository: "org/app"}
	here   = "linux/" + runtime.GOARCH
)

// elsewhere is a platform that this machine does not have.
func elsewhere() string {
	if runtime.GOARCH == "arm64" {
		return "linux/amd64"
	}
	return "linux/arm64"
}

func platform(s string) ocispec.Platform {
	f := append(strings.Split(s, "/"), "")
	return ocispec.Platform{OS: f[0], Architecture: f[1], Variant: f[2]}
}

func open(t testing.TB) *cache.Cache {
	t.Helper()
	return openIn(t, t.TempDir())
}

func openIn(t testing.TB, dir string) *cache.Cache {
	t.Helper()
	c, err := cache.Open(cache.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// small is an image of two layers for one platform.
func small(seed uint64, platform string) hubtest.Image {
	return hubtest.RandomImage(seed, 2, 3000).WithPlatform(platform)
}

func multi(seed uint64) hubtest.Image {
	return hubtest.MultiArch(map[string]hubtest.Image{here: small(seed, here), elsewhere(): small(seed+1, elsewhere())})
}

func bytesOf(t testing.TB, c hubtest.Content) []byte {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// store puts an image and all below it into a cache.
func store(t testing.TB, c *cache.Cache, img hubtest.Image) {
	t.Helper()
	bodies := [][]byte{img.Manifest}
	if img.Config != nil {
		bodies = append(bodies, img.Config)
	}
	for _, l := range img.Layers {
		bodies = append(bodies, bytesOf(t, l.Content))
	}
	for _, b := range bodies {
		if err := c.Put(digest.FromBytes(b), b); err != nil {
			t.Fatal(err)
		}
	}
	for _, child := range img.Children {
		store(t, c, child)
	}
}

// tagged stores an image under tags.
func tagged(t testing.TB, c *cache.Cache, n cache.Name, img hubtest.Image, tags ...string) cache.Image {
	t.Helper()
	store(t, c, img)
	for _, tag := range tags {
		if err := c.SetTag(cache.Tag{Name: n, Tag: tag, Digest: img.Digest(), MediaType: img.MediaType, Size: int64(len(img.Manifest))}); err != nil {
			t.Fatal(err)
		}
	}
	return imageOf(n, img, tags...)
}

func imageOf(n cache.Name, img hubtest.Image, tags ...string) cache.Image {
	return cache.Image{Name: n, Digest: img.Digest(), MediaType: img.MediaType, Tags: tags}
}

func export(t testing.TB, c *cache.Cache, o bundle.Options, images ...cache.Image) []byte {
	t.Helper()
	b, err := bundle.New(c, images, o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var buf bytes.Buffer
	if err := b.Write(t.Context(), &buf); err != nil {
		t.Fatal(err)
	}
	if int64(buf.Len()) != b.Size() {
		t.Fatalf("%d bytes written, Size said %d", buf.Len(), b.Size())
	}
	return buf.Bytes()
}

// contents is a tar, each name once and every blob what its name says.
type contents struct {
	names []string
	files map[string][]byte
}

func untar(t testing.TB, body []byte) contents {
	t.Helper()
	c := contents{files: map[string][]byte{}}
	tr := tar.NewReader(bytes.NewReader(body))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return c
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := c.files[h.Name]; twice {
			t.Errorf("%s is there twice", h.Name)
		}
		if hex, ok := strings.CutPrefix(h.Name, "blobs/sha256/"); ok && digest.FromBytes(b).Encoded() != hex {
			t.Errorf("%s hashes to %s", h.Name, digest.FromBytes(b))
		}
		c.names = append(c.names, h.Name)
		c.files[h.Name] = b
	}
}

func (c contents) has(d digest.Digest) bool {
	_, ok := c.files["blobs/sha256/"+d.Encoded()]
	return ok
}

// index is index.json by reference.
func (c contents) index(t testing.TB) map[string]ocispec.Descriptor {
	t.Helper()
	var idx ocispec.Index
	if err := json.Unmarshal(c.files["index.json"], &idx); err != nil {
		t.Fatal(err)
	}
	out := map[string]ocispec.Descriptor{}
	for _, d := range idx.Manifests {
		out[d.Annotations[ocispec.AnnotationRefName]] = d
		if body, ok := c.files["blobs/sha256/"+d.Digest.Encoded()]; !ok || int64(len(body)) != d.Size {
			t.Errorf("%s: %d bytes are there of %d", d.Digest, len(body), d.Size)
		}
	}
	return out
}

type saved struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// saved is manifest.json, whose paths are all there.
func (c contents) saved(t testing.TB) []saved {
	t.Helper()
	var list []saved
	if err := json.Unmarshal(c.files["manifest.json"], &list); err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		for _, path := range append([]string{s.Config}, s.Layers...) {
			if _, ok := c.files[path]; !ok {
				t.Errorf("%s is listed and not there", path)
			}
		}
	}
	return list
}

func take(t testing.TB, c *cache.Cache, body []byte) []bundle.Imported {
	t.Helper()
	// Through a pipe-like reader: nothing may seek or look ahead by type.
	list, err := bundle.Import(t.Context(), struct{ io.Reader }{bytes.NewReader(body)}, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// check expects a tag with everything that belongs to an image.
func check(t testing.TB, c *cache.Cache, n cache.Name, tag string, img hubtest.Image) {
	t.Helper()
	got, err := c.Tag(n, tag)
	if err != nil {
		t.Fatal(err)
	}
	if got.Digest != img.Digest() || got.MediaType != img.MediaType || got.Size != int64(len(img.Manifest)) {
		t.Errorf("%s:%s is %+v, want %s %s", n, tag, got, img.Digest(), img.MediaType)
	}
	checkStored(t, c, append(img.Blobs(), img.Digest())...)
}

func checkStored(t testing.TB, c *cache.Cache, all ...digest.Digest) {
	t.Helper()
	for _, d := range all {
		b, err := c.Get(d, cache.Verified())
		if err != nil {
			t.Error(err)
			continue
		}
		_ = b.Close()
	}
}

func isStored(c *cache.Cache, d digest.Digest) bool {
	b, err := c.Get(d)
	if err != nil {
		return false
	}
	_ = b.Close()
	return true
}

// leftovers are files that belong to no blob.
func leftovers(t testing.TB, dir string) (out []string) {
	t.Helper()
	for _, sub := range []string{"tmp", "partial/sha256"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			continue
		}
		for _, e := range entries {
			out = append(out, sub+"/"+e.Name())
		}
	}
	return out
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}
