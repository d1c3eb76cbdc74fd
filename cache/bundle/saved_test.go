package bundle_test

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
	"pulley/cache/bundle"
	"pulley/internal/hubtest"
)

var layerA, layerB = layerOf("a", 300<<10), layerOf("b", 100)

func layerOf(name string, size int) []byte {
	c := hubtest.Tar(map[string]string{name: string(bytes.Repeat([]byte(name), size))})
	b := make([]byte, c.Size())
	if _, err := c.ReadAt(b, 0); err != nil && err != io.EOF { //nolint:errorlint // as io.ReaderAt says it
		panic(err)
	}
	return b
}

func configOf(layers ...[]byte) []byte {
	var diffs []digest.Digest
	for _, l := range layers {
		diffs = append(diffs, digest.FromBytes(l))
	}
	return hubtest.MarshalConfig(ocispec.Platform{OS: "linux", Architecture: "amd64"}, diffs)
}

// dockerSave is what docker save of 20.10 writes for two images that share a
// layer: a folder for each layer, a link where one occurs again, the list last.
func dockerSave(t testing.TB, layerA, layerB []byte) (all files, one, two []byte) {
	t.Helper()
	one, two = configOf(layerA, layerB), configOf(layerA)
	folder := func(id string, layer file) files {
		return files{
			{name: id + "/", dir: true}, {name: id + "/VERSION", body: []byte("1.0")}, {name: id + "/json", body: []byte("{}")},
			layer,
		}
	}
	config := func(c []byte) string { return digest.FromBytes(c).Encoded() + ".json" }
	all = slices.Concat(
		folder("111", file{name: "111/layer.tar", body: layerA}),
		folder("222", file{name: "222/layer.tar", body: layerB}),
		folder("333", file{name: "333/layer.tar", link: "../111/layer.tar"}),
		files{
			{name: config(one), body: one}, {name: config(two), body: two},
			{name: "manifest.json", body: encode(t, []saved{
				{config(one), []string{"debian:12", "ghcr.io/org/app:v1"}, []string{"111/layer.tar", "222/layer.tar"}},
				{config(two), nil, []string{"333/layer.tar"}},
			})},
			{name: "repositories", body: []byte(`{"debian":{"12":"222"}}`)},
		})
	return all, one, two
}

func TestDockerSave(t *testing.T) {
	c := open(t)
	all, one, two := dockerSave(t, layerA, layerB)
	got := take(t, c, all.tar(t))
	want := []bundle.Imported{
		{Name: cache.Name{Registry: "local", Repository: "debian"}, Tag: "12", From: "debian:12"},
		{Name: cache.Name{Registry: "local", Repository: "ghcr.io/org/app"}, Tag: "v1", From: "ghcr.io/org/app:v1"},
		{Name: cache.Name{Registry: "local", Repository: "imported"}, Tag: digest.FromBytes(two).Encoded()[:12]},
	}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		want[i].Digest = got[i].Digest
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
	m := manifestOf(t, c, want[0])
	if m.Config.Digest != digest.FromBytes(one) || len(m.Layers) != 2 || m.Layers[0].Digest != digest.FromBytes(layerA) || m.Layers[0].MediaType != ocispec.MediaTypeImageLayer || m.Layers[0].Size != int64(len(layerA)) {
		t.Errorf("%+v", m)
	}
	checkStored(t, c, m.Config.Digest, m.Layers[0].Digest, m.Layers[1].Digest)
	if m := manifestOf(t, c, want[2]); len(m.Layers) != 1 || m.Layers[0].Digest != digest.FromBytes(layerA) {
		t.Errorf("%+v", m)
	}
	for _, tag := range c.AllTags() {
		if tag.Registry != "local" {
			t.Errorf("%s: no registry has this manifest", tag.Name)
		}
	}
	if again := take(t, c, all.tar(t)); !reflect.DeepEqual(again, got) {
		t.Errorf("the second time: %+v", again)
	}
	// A bundle of it goes the same way again.
	b := open(t)
	take(t, b, export(t, c, bundle.Options{}, cache.Image{Name: got[0].Name, Digest: got[0].Digest, Tags: []string{"12"}}))
	manifestOf(t, b, got[0])
}

func manifestOf(t testing.TB, c *cache.Cache, of bundle.Imported) (m ocispec.Manifest) {
	t.Helper()
	tag, err := c.Tag(of.Name, of.Tag)
	if err != nil {
		t.Fatal(err)
	}
	body, mediaType, err := c.Manifest(tag.Digest)
	if err != nil || mediaType != tag.MediaType || int64(len(body)) != tag.Size {
		t.Fatalf("%+v: %s, %d bytes, %v", tag, mediaType, len(body), err)
	}
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestDockerSaveOfToday: since 25.0 it is an OCI layout too. Its manifest is the
// registry's where dockerd keeps that, and docker's own invention where not.
func TestDockerSaveOfToday(t *testing.T) {
	cfg := configOf(layerA)
	of := func(mediaType string, layer []byte) hubtest.Image {
		m := encode(t, ocispec.Manifest{
			MediaType: ocispec.MediaTypeImageManifest,
			Config:    ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(cfg), Size: int64(len(cfg))},
			Layers:    []ocispec.Descriptor{{MediaType: mediaType, Digest: digest.FromBytes(layer), Size: int64(len(layer))}},
		})
		return hubtest.Image{MediaType: ocispec.MediaTypeImageManifest, Manifest: m, Config: cfg, Layers: []hubtest.Layer{{Content: hubtest.Bytes(layer), Digest: digest.FromBytes(layer)}}}
	}
	for want, img := range map[string]hubtest.Image{
		"docker.io/library/debian": of(ocispec.MediaTypeImageLayerGzip, gzipped(t, layerA)),
		"local/debian":             of(ocispec.MediaTypeImageLayer, layerA),
	} {
		d := ocispec.Descriptor{MediaType: img.MediaType, Digest: img.Digest(), Size: int64(len(img.Manifest)), Annotations: map[string]string{
			"io.containerd.image.name": "docker.io/library/debian:12", ocispec.AnnotationRefName: "12",
		}}
		path := func(d digest.Digest) string { return "blobs/sha256/" + d.Encoded() }
		list := encode(t, []saved{{path(digest.FromBytes(cfg)), []string{"debian:12"}, []string{path(img.Layers[0].Digest)}}})
		c := open(t)
		got := take(t, c, append(layoutOf(t, d, img), file{name: "manifest.json", body: list}).tar(t))
		if len(got) != 1 || got[0].Name.String() != want || got[0].Tag != "12" || got[0].Digest != img.Digest() || got[0].From != "docker.io/library/debian:12" {
			t.Errorf("%+v, want %s", got, want)
		}
		// Without the docker list nobody says that docker made it.
		if got := take(t, open(t), layoutOf(t, d, img).tar(t)); got[0].Name != debian {
			t.Errorf("%+v", got)
		}
	}
}

// TestOtherWriters reads what go-containerregistry writes (crane, ko, Bazel):
// the list first or last, compressed layers, a config named sha256:….
func TestOtherWriters(t *testing.T) {
	img, err := random.Image(400<<10, 2)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag("registry.example.com:5000/team/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := tarball.Write(tag, img, &buf); err != nil {
		t.Fatal(err)
	}
	c := open(t)
	got := take(t, c, buf.Bytes())
	if len(got) != 1 || got[0].Name.String() != "local/registry.example.com-5000/team/app" || got[0].Tag != "v1" {
		t.Fatalf("%+v", got)
	}
	m := manifestOf(t, c, got[0])
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range layers {
		want, _ := l.Digest()
		if m.Layers[i].Digest.String() != want.String() || m.Layers[i].MediaType != ocispec.MediaTypeImageLayerGzip {
			t.Errorf("layer %d: %+v, want %s", i, m.Layers[i], want)
		}
	}
	// And it reads what we write.
	one := small(1, here)
	body := export(t, c, bundle.Options{}, tagged(t, c, debian, one, "12"))
	back, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	id, err := back.ConfigName()
	if err != nil || id.String() != string(digest.FromBytes(one.Config)) {
		t.Errorf("%s %v", id, err)
	}
	checkLayers(t, back, one)
}

func checkLayers(t testing.TB, img v1.Image, want hubtest.Image) {
	t.Helper()
	layers, err := img.Layers()
	if err != nil || len(layers) != len(want.Layers) {
		t.Fatal(len(layers), err)
	}
	for i, l := range layers {
		diff, err := l.DiffID()
		if err != nil || diff.String() != string(want.Layers[i].DiffID) {
			t.Errorf("layer %d: %s %v", i, diff, err)
		}
	}
}
