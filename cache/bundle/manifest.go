package bundle

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Media types of Docker's own formats.
const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerConfig   = "application/vnd.docker.container.image.v1+json"
	dockerTar      = "application/vnd.docker.image.rootfs.diff.tar"
)

// Annotations of entries in index.json.
const (
	annotationWraps      = "app.pulley.manifest"  // the manifest for which an index of its own stands, as in the cache's index.json
	annotationReference  = "app.pulley.reference" // the full reference, where docker's grammar would make another of it
	annotationContainerd = "io.containerd.image.name"
)

// jsonMax is the most that is read into memory of one manifest, config or list.
const jsonMax = 16 << 20

// manifest is what this package needs of a manifest or an index, the OCI's and
// Docker's.
type manifest struct {
	Schema    int                  `json:"schemaVersion"`
	MediaType string               `json:"mediaType"`
	Config    *ocispec.Descriptor  `json:"config"`
	Layers    []ocispec.Descriptor `json:"layers"`
	Blobs     []ocispec.Descriptor `json:"blobs"`
	Manifests []ocispec.Descriptor `json:"manifests"`
}

// parse reads a manifest; mediaType is what the cache takes it for.
func parse(body []byte, mediaType string) (manifest, error) {
	var m manifest
	if err := json.Unmarshal(body, &m); err != nil {
		return m, fmt.Errorf("not a manifest: %w", err)
	}
	m.MediaType = mediaType
	if m.Schema == 1 {
		return m, fmt.Errorf("%s: a manifest of Docker's first schema, which no engine reads from an archive", mediaType)
	}
	for _, d := range slices.Concat(m.Manifests, m.refers()) {
		if err := d.Digest.Validate(); err != nil || d.Size < 0 {
			return m, fmt.Errorf("%.80q: no digest, or a size of %d", d.Digest, d.Size)
		}
	}
	return m, nil
}

func (m manifest) isIndex() bool {
	return m.MediaType == ocispec.MediaTypeImageIndex || m.MediaType == dockerList
}

// refers lists config and layers.
func (m manifest) refers() []ocispec.Descriptor {
	var out []ocispec.Descriptor
	if m.Config != nil {
		out = append(out, *m.Config)
	}
	return append(append(out, m.Layers...), m.Blobs...)
}

// isImage reports whether engines can run it, as far as its type says.
func (m manifest) isImage() bool {
	return m.Config != nil && (m.Config.MediaType == ocispec.MediaTypeImageConfig || m.Config.MediaType == dockerConfig)
}

// isForeign reports whether a layer is by its type not to be kept by registries:
// it may be missing.
func isForeign(d ocispec.Descriptor) bool {
	return strings.Contains(d.MediaType, ".foreign.") || strings.Contains(d.MediaType, ".nondistributable.")
}

// config is what this package needs of an image's config.
type config struct {
	ocispec.Platform
	RootFS ocispec.RootFS `json:"rootfs"`
}

// encodeIndex writes an index as the cache writes its own, so that the small
// indexes for Docker's manifests are the same blobs here and there.
func encodeIndex(d []ocispec.Descriptor) []byte {
	b, err := json.MarshalIndent(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: d}, "", "  ")
	if err != nil {
		panic(err) // plain structs of strings and numbers
	}
	return append(b, '\n')
}

// saved is an entry of a docker-archive's manifest.json.
type saved struct {
	Config   string
	RepoTags []string
	Layers   []string
}
