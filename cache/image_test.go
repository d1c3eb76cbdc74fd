package cache_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

var debian = cache.Name{Registry: "docker.io", Repository: "library/debian"}

type tagged interface {
	Digest() (v1.Hash, error)
	RawManifest() ([]byte, error)
}

func putManifest(t testing.TB, c *cache.Cache, m tagged) digest.Digest {
	t.Helper()
	raw, err := m.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	return put(t, c, raw)
}

// putImage stores an image; without its last layer if short.
func putImage(t testing.TB, c *cache.Cache, img v1.Image, short bool) digest.Digest {
	t.Helper()
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if short {
		layers = layers[:len(layers)-1]
	}
	for _, l := range layers {
		put(t, c, layerBytes(t, l))
	}
	raw, err := img.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	put(t, c, raw)
	return putManifest(t, c, img)
}

func randomImage(t testing.TB) v1.Image {
	t.Helper()
	img, err := random.Image(1000, 3)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// multiArch is an index of two platforms and an attestation.
func multiArch(t testing.TB, amd, arm, attestation v1.Image) v1.ImageIndex {
	t.Helper()
	idx, err := random.Index(10, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	return mutate.AppendManifests(idx,
		mutate.IndexAddendum{Add: amd, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}},
		mutate.IndexAddendum{Add: arm, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}},
		mutate.IndexAddendum{Add: attestation, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}}})
}

// indexed reads index.json as another program would.
func indexed(t testing.TB, c *cache.Cache) map[string]v1.Descriptor {
	t.Helper()
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	idx, err := layout.ImageIndexFromPath(c.Dir())
	if err != nil {
		t.Fatal(err)
	}
	m, err := idx.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]v1.Descriptor)
	for _, d := range m.Manifests {
		out[d.Annotations["org.opencontainers.image.ref.name"]] = d
	}
	if len(out) != len(m.Manifests) {
		t.Fatalf("names occur twice: %v", m.Manifests)
	}
	return out
}

func names(m map[string]v1.Descriptor) []string {
	out := make([]string, 0, len(m))
	for n := range m {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

func TestLayoutHoldsCompleteImages(t *testing.T) {
	c := open(t, cache.Options{})
	if got := names(indexed(t, c)); len(got) != 0 {
		t.Fatal(got)
	}
	whole, short, byDigest := randomImage(t), randomImage(t), randomImage(t)
	setTag(t, c, debian, "latest", putImage(t, c, whole, false))
	setTag(t, c, debian, "short", putImage(t, c, short, true))
	setTag(t, c, debian, "unknown", digest.FromString("not stored"))
	setTag(t, c, cache.Name{Registry: "ghcr.io", Repository: "a/b"}, "v1", putManifest(t, c, whole))
	loose := putImage(t, c, byDigest, false)
	if err := errors.Join(c.Link(debian, loose, ""), c.Link(debian, putManifest(t, c, whole), "")); err != nil {
		t.Fatal(err)
	}
	got := indexed(t, c)
	want := []string{"docker.io/library/debian:latest", "docker.io/library/debian@" + string(loose), "ghcr.io/a/b:v1"}
	if !slices.Equal(names(got), want) {
		t.Fatalf("%q, want %q", names(got), want)
	}
	for _, name := range want {
		checkImage(t, imageIn(t, c, got[name]))
	}
	wrapper := blobPath(c, digest.Digest(got[want[0]].Digest.String()))
	if _, err := os.Stat(wrapper); err != nil {
		t.Fatal(err)
	}
	// What is lost leaves the list, what comes joins it.
	layers, _ := short.Layers()
	put(t, c, layerBytes(t, layers[2]))
	layers, _ = whole.Layers()
	h, _ := layers[0].Digest()
	if err := c.Delete(digest.Digest(h.String())); err != nil {
		t.Fatal(err)
	}
	if got := names(indexed(t, c)); !slices.Equal(got, []string{"docker.io/library/debian:short", "docker.io/library/debian@" + string(loose)}) {
		t.Fatalf("%q", got)
	}
	if _, err := os.Stat(wrapper); err == nil {
		t.Fatal("the wrapper of an image that has gone is still there")
	}
}

// imageIn finds an image as readers of layouts do. One in Docker's format is
// behind an index that says so; one in the OCI's is its own entry.
func imageIn(t testing.TB, c *cache.Cache, entry v1.Descriptor) v1.Image {
	t.Helper()
	root, err := layout.ImageIndexFromPath(c.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if entry.MediaType.IsImage() {
		img, err := root.Image(entry.Digest)
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	idx, err := root.ImageIndex(entry.Digest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := idx.IndexManifest()
	if err != nil || len(m.Manifests) != 1 || m.Manifests[0].Digest.String() != entry.Annotations["app.pulley.manifest"] {
		t.Fatalf("%+v %v", m, err)
	}
	img, err := idx.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func checkImage(t testing.TB, img v1.Image) {
	t.Helper()
	layers, err := img.Layers()
	if err != nil || len(layers) != 3 {
		t.Fatal(len(layers), err)
	}
	for _, l := range layers {
		if h, _ := l.Digest(); digest.FromBytes(layerBytes(t, l)).String() != h.String() {
			t.Fatal("another layer")
		}
	}
}

func TestOCIImageIsItsOwnEntry(t *testing.T) {
	c := open(t, cache.Options{})
	img := mutate.ConfigMediaType(mutate.MediaType(randomImage(t), types.OCIManifestSchema1), types.OCIConfigJSON)
	d := putImage(t, c, img, false)
	setTag(t, c, debian, "oci", d)
	entry := indexed(t, c)["docker.io/library/debian:oci"]
	if entry.Digest.String() != string(d) || entry.MediaType != types.OCIManifestSchema1 {
		t.Fatalf("%+v", entry)
	}
	checkImage(t, imageIn(t, c, entry))
}

func layerBytes(t testing.TB, l v1.Layer) []byte {
	t.Helper()
	r, err := l.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestIndexIsCompleteWithOnePlatform(t *testing.T) {
	c := open(t, cache.Options{})
	amd, arm, att := randomImage(t), randomImage(t), randomImage(t)
	idx := multiArch(t, amd, arm, att)
	setTag(t, c, debian, "latest", putManifest(t, c, idx))
	if got := names(indexed(t, c)); len(got) != 0 {
		t.Fatal(got)
	}
	putImage(t, c, att, false)
	if got := names(indexed(t, c)); len(got) != 0 {
		t.Fatalf("complete with an attestation: %v", got)
	}
	child := putImage(t, c, arm, false)
	if err := c.Link(debian, child, ""); err != nil { // the engine asked for it by digest: no entry of its own
		t.Fatal(err)
	}
	if got := names(indexed(t, c)); !slices.Equal(got, []string{"docker.io/library/debian:latest"}) {
		t.Fatal(got)
	}
	// The same after a start without anything derived.
	dir := copyDir(t, c.Dir())
	for _, name := range []string{"index.json", "oci-layout", "cache.db"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(indexed(t, open(t, cache.Options{Dir: dir}))); !slices.Equal(got, []string{"docker.io/library/debian:latest"}) {
		t.Fatal(got)
	}
}

func TestIndexIsNotWrittenWhenNothingChanged(t *testing.T) {
	c := open(t, cache.Options{})
	setTag(t, c, debian, "latest", putImage(t, c, randomImage(t), false))
	indexed(t, c)
	before, err := os.Stat(filepath.Join(c.Dir(), "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, c, []byte("a blob of no image"))
	setTag(t, c, debian, "other", digest.FromString("not stored"))
	indexed(t, c)
	after, err := os.Stat(filepath.Join(c.Dir(), "index.json"))
	if err != nil || !os.SameFile(before, after) {
		t.Fatal("written again", err)
	}
}

func TestReferences(t *testing.T) {
	c := open(t, cache.Options{})
	other := cache.Name{Registry: "ghcr.io", Repository: "library/debian"}
	amd, arm, att := randomImage(t), randomImage(t), randomImage(t)
	idx := multiArch(t, amd, arm, att)
	root := putManifest(t, c, idx)
	child, _ := amd.Digest()
	config, _ := amd.ConfigName()
	layers, _ := amd.Layers()
	layer, _ := layers[1].Digest()
	all := []digest.Digest{root, digest.Digest(child.String()), digest.Digest(config.String()), digest.Digest(layer.String())}
	want := func(n cache.Name, known ...bool) {
		t.Helper()
		for i, d := range all {
			if got := c.References(n, d); got != known[i] {
				t.Errorf("%s: %d: %v", n, i, got)
			}
		}
	}
	want(debian, false, false, false, false)
	setTag(t, c, debian, "latest", root)
	want(debian, true, true, false, false) // the child's manifest is not stored yet
	putManifest(t, c, amd)
	want(debian, true, true, true, true) // the layer itself need not be stored
	want(other, false, false, false, false)
	if err := c.Link(other, digest.Digest(child.String()), ""); err != nil {
		t.Fatal(err)
	}
	want(other, false, true, true, true)
	setTag(t, c, debian, "latest", digest.FromString("moved"))
	want(debian, false, false, false, false)
	setTag(t, c, debian, "old", root)
	want(debian, true, true, true, true)
	if err := c.DeleteTag(debian, "old"); err != nil {
		t.Fatal(err)
	}
	want(debian, false, false, false, false)
	// A ref file that is removed by hand counts within milliseconds.
	setTag(t, c, debian, "old", root)
	want(debian, true, true, true, true)
	if err := os.Remove(filepath.Join(c.Dir(), "refs", "docker.io", "library", "debian", "old")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing is referenced", func() bool { return !c.References(debian, root) })
	want(debian, false, false, false, false)
	if c.References(debian, "sha256:x") || c.References(cache.Name{}, root) {
		t.Error("nonsense is referenced")
	}
}

func TestManifest(t *testing.T) {
	c := open(t, cache.Options{})
	for body, want := range map[string]string{
		`{"schemaVersion":2,"mediaType":"a/b"}`:                      "a/b",
		`{"schemaVersion":2,"manifests":[]}`:                         "application/vnd.oci.image.index.v1+json",
		`{"schemaVersion":2,"config":{"digest":"x"},"layers":[]}`:    "application/vnd.oci.image.manifest.v1+json",
		`{"schemaVersion":1,"fsLayers":[],"signatures":[{"a":"b"}]}`: "application/vnd.docker.distribution.manifest.v1+prettyjws",
		`{"schemaVersion":1,"fsLayers":[]}`:                          "application/vnd.docker.distribution.manifest.v1+json",
	} {
		d := put(t, c, []byte(body))
		got, mediaType, err := c.Manifest(d)
		if err != nil || string(got) != body || mediaType != want {
			t.Errorf("%s: %q %v", body, mediaType, err)
		}
	}
	var miss *cache.MissError
	if _, _, err := c.Manifest(digest.FromString("absent")); !errors.As(err, &miss) || miss.Reason != cache.Absent {
		t.Error(err)
	}
	if _, _, err := c.Manifest(put(t, c, []byte("\x1f\x8b no manifest"))); !errors.As(err, &miss) {
		t.Error(err)
	}
}

// A schema 1 manifest, signed or not, names its layers too.
func TestReferencesOfSchema1(t *testing.T) {
	c := open(t, cache.Options{})
	layer := digest.FromString("layer")
	body, _ := json.Marshal(map[string]any{"schemaVersion": 1, "fsLayers": []map[string]any{{"blobSum": layer}}})
	setTag(t, c, debian, "old", put(t, c, body))
	if !c.References(debian, layer) {
		t.Fatal("not referenced")
	}
	if got := strings.Join(names(indexed(t, c)), " "); got != "" {
		t.Fatal(got)
	}
}
