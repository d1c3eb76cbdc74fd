package bundle_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
	"pulley/cache/bundle"
	"pulley/internal/hubtest"
)

func TestBundleNamesImagesForEveryReader(t *testing.T) {
	c := open(t)
	one, two := small(1, here), small(2, here)
	mine := cache.Name{Registry: "local", Repository: "my/app"}
	got := untar(t, export(t, c, bundle.Options{},
		tagged(t, c, debian, one, "latest", "12"), tagged(t, c, app, one, "v1"), tagged(t, c, mine, two, "1")))

	want := map[string]string{ // the cache's name → docker's
		"docker.io/library/debian:latest": "docker.io/library/debian:latest",
		"docker.io/library/debian:12":     "docker.io/library/debian:12",
		"ghcr.io/org/app:v1":              "ghcr.io/org/app:v1",
		"local/my/app:1":                  "docker.io/local/my/app:1",
	}
	index := got.index(t)
	if len(index) != len(want) {
		t.Errorf("%v", index)
	}
	for ref, docker := range want {
		if d := index[ref]; d.Annotations["io.containerd.image.name"] != docker || d.MediaType != ocispec.MediaTypeImageManifest {
			t.Errorf("%s: %+v", ref, d)
		}
	}
	list := got.saved(t)
	if len(list) != 2 || !slices.Equal(list[0].RepoTags, []string{"docker.io/library/debian:latest", "docker.io/library/debian:12", "ghcr.io/org/app:v1"}) || !slices.Equal(list[1].RepoTags, []string{"docker.io/local/my/app:1"}) {
		t.Errorf("%+v", list)
	}
	for i, l := range one.Layers {
		if list[0].Layers[i] != "blobs/sha256/"+l.Digest.Encoded() {
			t.Errorf("layer %d is %s", i, list[0].Layers[i])
		}
	}
	for _, d := range append(append(one.Blobs(), two.Blobs()...), one.Digest(), two.Digest()) {
		if !got.has(d) {
			t.Errorf("%s is missing", d)
		}
	}
	if !slices.Equal(got.names[:3], []string{"oci-layout", "index.json", "manifest.json"}) || string(got.files["oci-layout"]) != `{"imageLayoutVersion":"1.0.0"}` {
		t.Errorf("%q", got.names)
	}
}

func TestSameImagesAreTheSameBytes(t *testing.T) {
	a, b := open(t), open(t)
	img := multi(1)
	if !bytes.Equal(export(t, a, bundle.Options{}, tagged(t, a, debian, img, "1")), export(t, b, bundle.Options{}, tagged(t, b, debian, img, "1"))) {
		t.Error("they differ")
	}
}

// TestBlobsComeBehindWhatListsThem, so that who reads the stream knows each of
// them, and its size, before it comes.
func TestBlobsComeBehindWhatListsThem(t *testing.T) {
	c := open(t)
	img := multi(1)
	got := untar(t, export(t, c, bundle.Options{All: true}, tagged(t, c, debian, img, "latest"), tagged(t, c, app, small(9, here), "v1")))
	at := func(d digest.Digest) int { return slices.Index(got.names, "blobs/sha256/"+d.Encoded()) }
	for _, child := range append(img.Children, small(9, here)) {
		config := digest.FromBytes(child.Config)
		if len(child.Layers) != 2 || at(child.Digest()) < 0 || at(child.Digest()) > at(config) || at(config) > at(child.Layers[0].Digest) {
			t.Errorf("%q", got.names)
		}
	}
	if at(img.Digest()) > at(img.Children[0].Digest()) || at(img.Digest()) > at(img.Children[1].Digest()) {
		t.Errorf("%q", got.names)
	}
}

func TestRegistryThatContradictsItself(t *testing.T) {
	c := open(t)
	img := small(1, here)
	size := strconv.FormatInt(img.Layers[0].Content.Size(), 10)
	img.Manifest = bytes.Replace(img.Manifest, []byte(`"size":`+size), []byte(`"size":1`+size), 1)
	_, err := bundle.New(c, []cache.Image{tagged(t, c, debian, img, "latest")}, bundle.Options{})
	if err == nil || !strings.Contains(err.Error(), "docker.io/library/debian:latest") || !strings.Contains(err.Error(), string(img.Layers[0].Digest)) {
		t.Errorf("%v", err)
	}
}

// TestForeignLayers: an image of Windows is whole without the layers that only
// Microsoft hands out, but not for docker load.
func TestForeignLayers(t *testing.T) {
	c := open(t)
	img := small(1, "windows/amd64")
	img.Manifest = bytes.Replace(img.Manifest, []byte(ocispec.MediaTypeImageLayerGzip), []byte("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"), 1)
	entry := tagged(t, c, debian, img, "latest")
	if list := untar(t, export(t, c, bundle.Options{}, entry)).saved(t); len(list) != 1 {
		t.Errorf("%+v", list)
	}
	if err := c.Delete(img.Layers[0].Digest); err != nil {
		t.Fatal(err)
	}
	body := export(t, c, bundle.Options{}, entry)
	if got := untar(t, body); got.files["manifest.json"] != nil || !got.has(img.Layers[1].Digest) {
		t.Errorf("%q", got.names)
	}
	if list := take(t, open(t), body); len(list) != 1 || list[0].Digest != img.Digest() {
		t.Errorf("%+v", list)
	}
}

func TestSharedLayersAreThereOnce(t *testing.T) {
	c := open(t)
	img := small(1, here)
	docker := img.Docker()
	got := untar(t, export(t, c, bundle.Options{}, tagged(t, c, debian, img, "oci"), tagged(t, c, debian, docker, "docker")))
	// Two manifests, the index around Docker's, one config, two layers.
	if len(got.names) != 3+3+1+2 {
		t.Errorf("%q", got.names)
	}
}

func TestIndexGoesWithTheChosenPlatforms(t *testing.T) {
	img := multi(1)
	own, other := childOf(t, img, here), childOf(t, img, elsewhere())
	for _, test := range []struct {
		name      string
		o         bundle.Options
		want, not []hubtest.Image
		saved     hubtest.Image
	}{
		{"this machine's", bundle.Options{}, []hubtest.Image{own}, []hubtest.Image{other}, own},
		{"one", bundle.Options{Platforms: []ocispec.Platform{platform(elsewhere())}}, []hubtest.Image{other}, []hubtest.Image{own}, other},
		{"two", bundle.Options{Platforms: []ocispec.Platform{platform(elsewhere()), platform(here)}}, []hubtest.Image{own, other}, nil, other},
		{"all", bundle.Options{All: true}, []hubtest.Image{own, other}, nil, own},
	} {
		for _, format := range []hubtest.Image{img, img.Docker()} {
			t.Run(test.name+" "+format.MediaType, func(t *testing.T) {
				c := open(t)
				got := untar(t, export(t, c, test.o, tagged(t, c, debian, format, "latest")))
				d := got.index(t)["docker.io/library/debian:latest"]
				if d.Digest != format.Digest() || d.MediaType != ocispec.MediaTypeImageIndex {
					t.Errorf("%+v, want %s", d, format.Digest())
				}
				for _, w := range test.want {
					for _, b := range w.Blobs() {
						if !got.has(b) {
							t.Errorf("%s of %s is missing", b, w.Platform.Architecture)
						}
					}
				}
				for _, n := range test.not {
					for _, b := range n.Blobs() {
						if got.has(b) {
							t.Errorf("%s of %s is there", b, n.Platform.Architecture)
						}
					}
				}
				if list := got.saved(t); len(list) != 1 || list[0].Config != "blobs/sha256/"+digest.FromBytes(test.saved.Config).Encoded() {
					t.Errorf("%+v", list)
				}
			})
		}
	}
}

func childOf(t testing.TB, img hubtest.Image, name string) hubtest.Image {
	t.Helper()
	for _, child := range img.Children {
		if child.Platform.OS+"/"+child.Platform.Architecture == name {
			return child
		}
	}
	t.Fatalf("no %s", name)
	return hubtest.Image{}
}

func TestVariants(t *testing.T) {
	c := open(t)
	img := hubtest.MultiArch(map[string]hubtest.Image{"linux/arm/v5": small(1, here), "linux/arm/v6": small(2, here), "linux/arm64/v8": small(3, here), "linux/386": small(4, here)})
	entry := tagged(t, c, debian, img, "latest")
	for ask, want := range map[string]string{
		"linux/arm": "linux/arm/v6", "linux/arm/v7": "linux/arm/v6", "linux/arm/v6": "linux/arm/v6", "linux/arm/v5": "linux/arm/v5",
		"linux/arm64": "linux/arm64/v8", "linux/arm64/v9": "linux/arm64/v8", "linux/386": "linux/386/", "linux/s390x": "", "windows/386": "",
	} {
		var buf bytes.Buffer
		err := bundle.Export(t.Context(), &buf, c, []cache.Image{entry}, bundle.Options{Platforms: []ocispec.Platform{platform(ask)}})
		if want == "" {
			var none *bundle.PlatformError
			if !errors.As(err, &none) || !strings.Contains(err.Error(), "linux/386, linux/arm/v5, linux/arm/v6, linux/arm64/v8") || buf.Len() > 0 {
				t.Errorf("%s: %v, %d bytes", ask, err, buf.Len())
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", ask, err)
			continue
		}
		got := untar(t, buf.Bytes())
		for _, child := range img.Children {
			p := child.Platform
			if is := got.has(child.Digest()); is != (p.OS+"/"+p.Architecture+"/"+p.Variant == want) {
				t.Errorf("%s: %+v is there: %v", ask, p, is)
			}
		}
	}
}

func TestImageOfOnePlatform(t *testing.T) {
	c := open(t)
	entry := tagged(t, c, debian, small(1, elsewhere()), "latest")
	export(t, c, bundle.Options{}, entry) // nobody asked for another
	err := bundle.Export(t.Context(), io.Discard, c, []cache.Image{entry}, bundle.Options{Platforms: []ocispec.Platform{platform(here)}})
	var none *bundle.PlatformError
	if !errors.As(err, &none) || none.Platform != here || none.Have != elsewhere() {
		t.Errorf("%v", err)
	}
}

func TestDockersManifestIsBehindAnIndex(t *testing.T) {
	c := open(t)
	img := small(1, here).Docker()
	got := untar(t, export(t, c, bundle.Options{}, tagged(t, c, debian, img, "1")))
	d := got.index(t)["docker.io/library/debian:1"]
	if d.MediaType != ocispec.MediaTypeImageIndex || d.Annotations["app.pulley.manifest"] != string(img.Digest()) || !got.has(img.Digest()) {
		t.Fatalf("%+v", d)
	}
	// The same as in the live cache, so that no blob is there in two forms.
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	live, err := os.ReadFile(filepath.Join(c.Dir(), "index.json"))
	if err != nil || !bytes.Contains(live, []byte(d.Digest)) {
		t.Errorf("%v: %s is not in\n%s", err, d.Digest, live)
	}
}

func TestImageByDigest(t *testing.T) {
	c := open(t)
	img := small(1, here)
	store(t, c, img)
	got := untar(t, export(t, c, bundle.Options{}, imageOf(debian, img)))
	ref := "docker.io/library/debian@" + string(img.Digest())
	if d, ok := got.index(t)[ref]; !ok || d.Annotations["io.containerd.image.name"] != ref {
		t.Errorf("%+v", d)
	}
	if list := got.saved(t); len(list) != 1 || len(list[0].RepoTags) != 0 {
		t.Errorf("%+v", list)
	}
}

// withAttestation adds what BuildKit adds to an index: a manifest about another.
func withAttestation(t testing.TB, img hubtest.Image, about digest.Digest, att hubtest.Image) hubtest.Image {
	t.Helper()
	var idx ocispec.Index
	if err := json.Unmarshal(img.Manifest, &idx); err != nil {
		t.Fatal(err)
	}
	idx.Manifests = append(idx.Manifests, ocispec.Descriptor{
		MediaType: att.MediaType, Digest: att.Digest(), Size: int64(len(att.Manifest)), Platform: &ocispec.Platform{OS: "unknown", Architecture: "unknown"},
		Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": string(about)},
	})
	body, err := json.Marshal(idx)
	if err != nil {
		t.Fatal(err)
	}
	return hubtest.Image{MediaType: img.MediaType, Manifest: body, Children: append(slices.Clone(img.Children), att)}
}

func TestAttestationsGoAlongWhenTheyAreThere(t *testing.T) {
	base := multi(1)
	own, other := childOf(t, base, here), childOf(t, base, elsewhere())
	att, about := small(5, "unknown/unknown"), small(6, "unknown/unknown")
	img := withAttestation(t, withAttestation(t, base, own.Digest(), att), other.Digest(), about)
	c := open(t)
	entry := tagged(t, c, debian, img, "latest")
	got := untar(t, export(t, c, bundle.Options{}, entry))
	for _, d := range append(att.Blobs(), att.Digest()) {
		if !got.has(d) {
			t.Errorf("%s of the attestation is missing", d)
		}
	}
	if got.has(about.Digest()) {
		t.Error("another platform's attestation is there")
	}
	if err := c.Delete(att.Layers[0].Digest); err != nil {
		t.Fatal(err)
	}
	if got = untar(t, export(t, c, bundle.Options{}, entry)); got.has(att.Digest()) || got.has(att.Layers[1].Digest) {
		t.Error("an attestation that is not whole is there")
	}
	if w := bundle.Missing(c, []cache.Image{entry}, bundle.Options{}); len(w) != 0 {
		t.Errorf("%+v", w)
	}
	w := bundle.Missing(c, []cache.Image{entry}, bundle.Options{All: true})
	if len(w) != 1 || !w[0].Optional || w[0].Digest != att.Layers[0].Digest {
		t.Errorf("%+v", w)
	}
	if got = untar(t, export(t, c, bundle.Options{All: true}, entry)); !got.has(about.Digest()) || got.has(att.Digest()) {
		t.Error("all platforms: not the attestations that are there")
	}
}

func TestArtifactsAreNotForDocker(t *testing.T) {
	c := open(t)
	img := small(1, here)
	chart := hubtest.Referrer(img, "application/vnd.example.sbom", []byte("an sbom"))
	got := untar(t, export(t, c, bundle.Options{}, tagged(t, c, app, chart, "sbom"), tagged(t, c, debian, img, "1")))
	if list := got.saved(t); len(list) != 1 || !slices.Equal(list[0].RepoTags, []string{"docker.io/library/debian:1"}) {
		t.Errorf("%+v", list)
	}
	if !got.has(chart.Digest()) || !got.has(chart.Layers[0].Digest) {
		t.Error("the artifact is not there")
	}
	alone := untar(t, export(t, c, bundle.Options{}, tagged(t, c, app, chart, "sbom")))
	if _, there := alone.files["manifest.json"]; there {
		t.Error("docker load would take an empty list in silence")
	}
}
