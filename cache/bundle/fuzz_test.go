package bundle_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
	"pulley/cache/bundle"
	"pulley/internal/hubtest"
)

// FuzzImport takes any bytes for an archive. Whatever they are, what is stored
// hashes to its name, what has a tag can be had, and nothing is left over.
func FuzzImport(f *testing.F) {
	c, err := cache.Open(cache.Options{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	tiny := func(seed uint64) hubtest.Image { return hubtest.RandomImage(seed, 1, 10) }
	bodies := [][]byte{
		export(f, c, bundle.Options{}, tagged(f, c, debian, tiny(1).WithPlatform(here).Docker(), "latest")),
		export(f, c, bundle.Options{All: true}, tagged(f, c, app, hubtest.MultiArch(map[string]hubtest.Image{here: tiny(2), elsewhere(): tiny(2)}), "v1")),
	}
	if err := c.Close(); err != nil {
		f.Fatal(err)
	}
	old, _, _ := dockerSave(f, layerOf("a", 1), layerOf("b", 1))
	img := tiny(3)
	bodies = append(bodies, old.tar(f), layoutOf(f, ocispec.Descriptor{MediaType: img.MediaType, Digest: img.Digest(), Size: int64(len(img.Manifest))}, img).tar(f))
	for _, b := range bodies {
		f.Add(b)
		f.Add(zstded(f, b))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		dir := t.TempDir()
		c, err := cache.Open(cache.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		body = bytes.Clone(body) // the fuzzer keeps its own
		resealed(body)
		list, err := bundle.Import(t.Context(), bytes.NewReader(body), c, nil)
		if err == nil && len(list) == 0 {
			t.Error("neither an image nor an error")
		}
		for _, tag := range c.AllTags() {
			if err != nil {
				t.Errorf("%v, and still %s:%s", err, tag.Name, tag.Tag)
			}
			if !whole(t, c, tag.Digest) {
				t.Errorf("%s:%s cannot be had", tag.Name, tag.Tag)
			}
		}
		for _, fi := range stats(t, c) {
			b, err := os.ReadFile(filepath.Join(dir, "blobs", "sha256", fi.Name()))
			if err != nil || digest.FromBytes(b).Encoded() != fi.Name() {
				t.Errorf("%s is not what its name says: %v", fi.Name(), err)
			}
		}
		if left := leftovers(t, dir); len(left) != 0 {
			t.Error(left)
		}
	})
}

// resealed puts right checksums into the headers of a tar, so that what was
// changed in one is read.
func resealed(body []byte) {
	for len(body) >= 512 {
		n, err := strconv.ParseInt(strings.Trim(string(body[124:136]), " \x00"), 8, 64)
		if err != nil || n < 0 {
			return
		}
		sealed(body)
		body = body[min(int64(len(body)), 512+(n+511)&^511):]
	}
}

// whole reports whether an image can be had for one platform at least.
func whole(t testing.TB, c *cache.Cache, d digest.Digest) bool {
	t.Helper()
	body, _, err := c.Manifest(d)
	if err != nil {
		return false
	}
	var m struct {
		Config            *ocispec.Descriptor
		Layers, Manifests []ocispec.Descriptor
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return false
	}
	for _, child := range m.Manifests {
		if whole(t, c, child.Digest) {
			return true
		}
	}
	if m.Config != nil {
		m.Layers = append(m.Layers, *m.Config)
	}
	for _, l := range m.Layers {
		if !isStored(c, l.Digest) {
			return false
		}
	}
	return len(m.Manifests) == 0
}
