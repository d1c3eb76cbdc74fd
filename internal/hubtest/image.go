package hubtest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Docker's media types, which engines older than the OCI ones know and Docker Hub still holds.
const (
	DockerManifest     = "application/vnd.docker.distribution.manifest.v2+json"
	DockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json"
	DockerConfig       = "application/vnd.docker.container.image.v1+json"
	DockerLayer        = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

// Image is a manifest with what it refers to, or an index with its children. It is a value: nothing changes it.
type Image struct {
	MediaType string
	Manifest  []byte  // as served
	Config    []byte  // nil for an index
	Layers    []Layer // none for an index
	Children  []Image // of an index
	Platform  ocispec.Platform
}

// Layer is one blob of an image.
type Layer struct {
	Content   Content
	MediaType string
	Digest    digest.Digest
	DiffID    digest.Digest // of the uncompressed tar
}

// Digest of the manifest or index.
func (img Image) Digest() digest.Digest { return digest.FromBytes(img.Manifest) }

// Blobs lists the digests of config and layers; for an index those of all children, each once.
func (img Image) Blobs() []digest.Digest {
	var all []digest.Digest
	add := func(d digest.Digest) {
		if !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	if img.Config != nil {
		add(digest.FromBytes(img.Config))
	}
	for _, l := range img.Layers {
		add(l.Digest)
	}
	for _, child := range img.Children {
		for _, d := range child.Blobs() {
			add(d)
		}
	}
	return all
}

func (img Image) descriptor() ocispec.Descriptor {
	d := ocispec.Descriptor{MediaType: img.MediaType, Digest: img.Digest(), Size: int64(len(img.Manifest))}
	if img.Config != nil {
		p := img.Platform
		d.Platform = &p
	}
	return d
}

// RandomImage is a linux/amd64 image whose layers are valid tar.gz files around bytesPerLayer random bytes each. Layers
// are computed when read, so that gigabytes cost no memory (their digests still cost a pass).
func RandomImage(seed uint64, layers int, bytesPerLayer int64) Image {
	var all []Layer
	for i := range layers {
		all = append(all, randomLayer(seed, i, bytesPerLayer))
	}
	return build(ocispec.Platform{OS: "linux", Architecture: "amd64"}, all)
}

func randomLayer(seed uint64, i int, size int64) Layer {
	dir := fmt.Sprintf("data/%d-%d/", seed, i)
	const files = 3
	parts := []Content{tarHeader("data/", 0), tarHeader(dir, 0)}
	for f := range int64(files) {
		n := size / files
		if f == 0 {
			n += size % files
		}
		parts = append(parts, tarHeader(fmt.Sprintf("%sfile-%d", dir, f), n),
			Random(seed<<20+uint64(i)<<4+uint64(f), n), zeros(-n&511)) //nolint:gosec // small counts
	}
	parts = append(parts, zeros(1024)) // end of archive
	content, diffID := newStored(newConcat(parts...))
	return Layer{content, ocispec.MediaTypeImageLayerGzip, DigestOf(content), diffID}
}

func zeros(n int64) Content { return Bytes(make([]byte, n)) }

// tarHeader is the header block of a directory (name ends with a slash) or a file.
func tarHeader(name string, size int64) Content {
	h := &tar.Header{Name: name, Mode: 0o644, Size: size, Typeflag: tar.TypeReg, ModTime: epoch()}
	if strings.HasSuffix(name, "/") {
		h.Mode, h.Typeflag = 0o755, tar.TypeDir
	}
	var buf bytes.Buffer
	if err := tar.NewWriter(&buf).WriteHeader(h); err != nil {
		panic(fmt.Sprintf("hubtest: tar header: %v", err))
	}
	return Bytes(buf.Bytes())
}

// epoch is the time in all headers and configs, so that digests do not depend on the day.
func epoch() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// FromTar is a linux/amd64 image with a layer for each tar file. Those compressed with gzip are taken as they are; plain
// ones are compressed in memory.
func FromTar(layers ...Content) (Image, error) {
	var all []Layer
	for i, c := range layers {
		l, err := tarLayer(c)
		if err != nil {
			return Image{}, fmt.Errorf("layer %d: %w", i, err)
		}
		all = append(all, l)
	}
	return build(ocispec.Platform{OS: "linux", Architecture: "amd64"}, all), nil
}

// FromTarFiles is FromTar for files on disk.
func FromTarFiles(paths ...string) (Image, error) {
	var layers []Content
	for _, path := range paths {
		c, err := File(path)
		if err != nil {
			return Image{}, err
		}
		layers = append(layers, c)
	}
	return FromTar(layers...)
}

func tarLayer(c Content) (Layer, error) {
	var magic [2]byte
	_, _ = c.ReadAt(magic[:], 0)
	sum := sha256.New()
	if string(magic[:]) != gzipHeader[:2] {
		var buf bytes.Buffer
		w := gzip.NewWriter(&buf)
		copyInto(io.MultiWriter(w, sum), c)
		if err := w.Close(); err != nil {
			return Layer{}, err
		}
		c = Bytes(buf.Bytes())
	} else {
		r, err := gzip.NewReader(io.NewSectionReader(c, 0, c.Size()))
		if err != nil {
			return Layer{}, err
		}
		if _, err := io.Copy(sum, r); err != nil { //nolint:gosec // the test's own file
			return Layer{}, err
		}
	}
	return Layer{c, ocispec.MediaTypeImageLayerGzip, DigestOf(c), digest.NewDigest(digest.SHA256, sum)}, nil
}

// Tar makes a tar of small files, name → text, for FromTar. Names that end with a slash are directories.
func Tar(files map[string]string) Content {
	var parts []Content
	for _, name := range slices.Sorted(maps.Keys(files)) {
		n := int64(len(files[name]))
		parts = append(parts, tarHeader(name, n), Bytes([]byte(files[name])), zeros(-n&511))
	}
	return newConcat(append(parts, zeros(1024))...)
}

// build makes config and manifest around layers.
func build(p ocispec.Platform, layers []Layer) Image {
	img := Image{MediaType: ocispec.MediaTypeImageManifest, Layers: layers, Platform: p}
	var diffs []digest.Digest
	for _, l := range layers {
		diffs = append(diffs, l.DiffID)
	}
	img.Config = MarshalConfig(p, diffs)
	img.Manifest = img.marshal(ocispec.MediaTypeImageConfig, nil)
	return img
}

func (img Image) marshal(configType string, subject *ocispec.Descriptor) []byte {
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: img.MediaType,
		Config: ocispec.Descriptor{
			MediaType: configType, Digest: digest.FromBytes(img.Config), Size: int64(len(img.Config)),
		},
		Layers:  []ocispec.Descriptor{},
		Subject: subject,
	}
	for _, l := range img.Layers {
		m.Layers = append(m.Layers, ocispec.Descriptor{MediaType: l.MediaType, Digest: l.Digest, Size: l.Content.Size()})
	}
	return mustJSON(m)
}

// MarshalConfig is an image config that engines accept: one history entry and one diff id per layer.
func MarshalConfig(p ocispec.Platform, diffIDs []digest.Digest) []byte {
	created := epoch()
	cfg := ocispec.Image{
		Created:  &created,
		Platform: p,
		Config: ocispec.ImageConfig{
			Env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
			Cmd: []string{"/bin/sh"},
		},
		RootFS: ocispec.RootFS{Type: "layers", DiffIDs: diffIDs},
	}
	for i := range diffIDs {
		cfg.History = append(cfg.History, ocispec.History{Created: &created, CreatedBy: fmt.Sprintf("layer %d", i)})
	}
	return mustJSON(cfg)
}

// WithPlatform is the same layers for another platform, "os/arch" or "os/arch/variant".
func (img Image) WithPlatform(platform string) Image {
	return build(parsePlatform(platform), img.Layers)
}

func parsePlatform(s string) ocispec.Platform {
	f := strings.Split(s, "/")
	if len(f) < 2 || len(f) > 3 {
		panic("hubtest: platform " + s + " is not os/arch or os/arch/variant")
	}
	p := ocispec.Platform{OS: f[0], Architecture: f[1]}
	if len(f) == 3 {
		p.Variant = f[2]
	}
	return p
}

// Docker is the same image, or index and children, in Docker's media types.
func (img Image) Docker() Image {
	if img.Config == nil {
		children := make([]Image, len(img.Children))
		for i, child := range img.Children {
			children[i] = child.Docker()
		}
		return index(DockerManifestList, children)
	}
	img.MediaType = DockerManifest
	img.Layers = slices.Clone(img.Layers)
	for i := range img.Layers {
		img.Layers[i].MediaType = DockerLayer
	}
	img.Manifest = img.marshal(DockerConfig, nil)
	return img
}

// MultiArch is an OCI index of one image per platform ("linux/amd64"), in order of their names. Each image is rebuilt for
// its platform.
func MultiArch(images map[string]Image) Image {
	var children []Image
	for _, platform := range slices.Sorted(maps.Keys(images)) {
		children = append(children, images[platform].WithPlatform(platform))
	}
	return index(ocispec.MediaTypeImageIndex, children)
}

func index(mediaType string, children []Image) Image {
	idx := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: mediaType}
	for _, child := range children {
		idx.Manifests = append(idx.Manifests, child.descriptor())
	}
	return Image{MediaType: mediaType, Manifest: mustJSON(idx), Children: children}
}

// Referrer is an artifact (a signature, an SBOM) about another image, with one layer of the given bytes.
func Referrer(subject Image, artifactType string, data []byte) Image {
	empty := ocispec.DescriptorEmptyJSON
	about := subject.descriptor()
	about.Platform = nil
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		ArtifactType: artifactType, Config: ocispec.Descriptor{MediaType: empty.MediaType, Digest: empty.Digest, Size: empty.Size},
		Layers:  []ocispec.Descriptor{{MediaType: "application/octet-stream", Digest: digest.FromBytes(data), Size: int64(len(data))}},
		Subject: &about,
	}
	return Image{
		MediaType: m.MediaType, Manifest: mustJSON(m), Config: empty.Data,
		Layers: []Layer{{Content: Bytes(data), MediaType: "application/octet-stream", Digest: digest.FromBytes(data)}},
	}
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("hubtest: %v", err))
	}
	return b
}
