package hubtest_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/internal/hubtest"
)

func entries(t *testing.T, c hubtest.Content) map[string]int64 {
	t.Helper()
	z, err := gzip.NewReader(io.NewSectionReader(c, 0, c.Size()))
	must(t, err)
	got := map[string]int64{}
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, z) // the checksum is at the end
			must(t, err)
			return got
		}
		must(t, err)
		n, err := io.Copy(io.Discard, r)
		must(t, err)
		got[h.Name] = n
	}
}

func checkLayers(t *testing.T, img hubtest.Image) {
	t.Helper()
	m := decode[ocispec.Manifest](t, img.Manifest)
	cfg := decode[ocispec.Image](t, img.Config)
	if m.Config.Digest != digest.FromBytes(img.Config) || len(cfg.RootFS.DiffIDs) != len(img.Layers) || len(m.Layers) != len(img.Layers) {
		t.Fatalf("manifest %s does not fit config %s", img.Manifest, img.Config)
	}
	for i, l := range img.Layers {
		raw, err := io.ReadAll(io.NewSectionReader(l.Content, 0, l.Content.Size()))
		must(t, err)
		z, err := gzip.NewReader(bytes.NewReader(raw))
		must(t, err)
		plain, err := io.ReadAll(z)
		must(t, err)
		if digest.FromBytes(raw) != m.Layers[i].Digest || int64(len(raw)) != m.Layers[i].Size || digest.FromBytes(plain) != cfg.RootFS.DiffIDs[i] {
			t.Errorf("layer %d is not what manifest and config say", i)
		}
	}
}

func TestRandomImages(t *testing.T) {
	// Sizes around blocks of tar and gzip.
	for _, size := range []int64{0, 1, 511, 512, 65535, 65536, 65535 * 3, 1 << 20} {
		img := hubtest.RandomImage(9, 2, size)
		checkLayers(t, img)
		var n int64
		for _, k := range entries(t, img.Layers[1].Content) {
			n += k
		}
		if n != size {
			t.Errorf("%d bytes in files, want %d", n, size)
		}
		if again := hubtest.RandomImage(9, 2, size); again.Digest() != img.Digest() {
			t.Error("the same seed made another image")
		}
		if size > 0 && hubtest.RandomImage(10, 2, size).Layers[0].Digest == img.Layers[0].Digest {
			t.Error("another seed made the same layer")
		}
	}
}

func TestFromTar(t *testing.T) {
	files := map[string]string{"bin/": "", "bin/sh": "#!", "etc": "x"}
	plain := hubtest.Tar(files)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := io.Copy(z, io.NewSectionReader(plain, 0, plain.Size()))
	must(t, err)
	must(t, z.Close())
	path := filepath.Join(t.TempDir(), "layer.tgz")
	must(t, os.WriteFile(path, packed.Bytes(), 0o600))

	img, err := hubtest.FromTar(plain, hubtest.Bytes(packed.Bytes()))
	must(t, err)
	checkLayers(t, img)
	fromFile, err := hubtest.FromTarFiles(path)
	must(t, err)
	checkLayers(t, fromFile)
	if fromFile.Layers[0].Digest != digest.FromBytes(packed.Bytes()) {
		t.Error("a compressed layer was changed")
	}
	for _, l := range img.Layers {
		if got := entries(t, l.Content); len(got) != 3 || got["bin/sh"] != 2 {
			t.Errorf("layer holds %v", got)
		}
	}
	if _, err := hubtest.FromTarFiles(path + "x"); err == nil {
		t.Error("a file that is not there")
	}
	if _, err := hubtest.FromTar(hubtest.Bytes([]byte("\x1f\x8bnonsense"))); err == nil {
		t.Error("nonsense is no layer")
	}
}

func TestPlatforms(t *testing.T) {
	base := hubtest.RandomImage(1, 1, 100)
	idx := hubtest.MultiArch(map[string]hubtest.Image{"linux/amd64": base, "linux/arm/v7": base})
	for _, img := range []hubtest.Image{idx, idx.Docker()} {
		m := decode[ocispec.Index](t, img.Manifest)
		if len(m.Manifests) != 2 || m.Manifests[1].Platform.Variant != "v7" || m.MediaType != img.MediaType {
			t.Errorf("index %s", img.Manifest)
		}
		for i, child := range img.Children {
			checkLayers(t, child)
			cfg := decode[ocispec.Image](t, child.Config)
			if cfg.Architecture != m.Manifests[i].Platform.Architecture || child.Digest() != m.Manifests[i].Digest {
				t.Errorf("child %s", child.Manifest)
			}
		}
	}
	if len(idx.Blobs()) != 3 { // two configs and the layer both share
		t.Errorf("blobs %v", idx.Blobs())
	}
	if idx.Docker().MediaType != hubtest.DockerManifestList || base.Docker().MediaType != hubtest.DockerManifest {
		t.Error("Docker's media types are others")
	}
}
