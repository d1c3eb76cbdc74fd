package local

import (
	"encoding/json"
	"mime"
	"net/http"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
	"pulley/proxy/registry"
)

// manifest is what is needed of one.
type manifest struct {
	mediaType    string
	contents     []cache.Content
	subject      digest.Digest // "" without
	artifactType string
	annotations  map[string]string
	size         int64
}

// document is a manifest or index as it is written.
type document struct {
	MediaType    string               `json:"mediaType"`
	ArtifactType string               `json:"artifactType"`
	Config       *ocispec.Descriptor  `json:"config"`
	Layers       []ocispec.Descriptor `json:"layers"`
	Blobs        []ocispec.Descriptor `json:"blobs"` // the artifact manifests that came and went
	Manifests    []ocispec.Descriptor `json:"manifests"`
	FSLayers     json.RawMessage      `json:"fsLayers"` // Docker's first schema
	Subject      *ocispec.Descriptor  `json:"subject"`
	Annotations  map[string]string    `json:"annotations"`
}

// The kinds of manifests, by media type.
const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// parse reads a manifest that is pushed under a Content-Type: "Pushing Manifests".
func parse(body []byte, contentType string) (*manifest, error) {
	doc, m, err := read(body)
	if err != nil {
		return nil, err
	}
	said := ""
	if contentType != "" {
		if said, _, err = mime.ParseMediaType(contentType); err != nil {
			return nil, invalid("the Content-Type is none")
		}
	}
	switch {
	case doc.FSLayers != nil:
		return nil, refuse(http.StatusBadRequest, registry.Unsupported, "images in Docker's first format are not kept here; push with a newer engine")
	case said != "" && said != m.mediaType:
		return nil, invalid("the Content-Type is " + said + ", the manifest's own type " + m.mediaType)
	case doc.Manifests != nil && (doc.Config != nil || doc.Layers != nil):
		return nil, invalid("it is both an image and an index")
	case (m.mediaType == ocispec.MediaTypeImageManifest || m.mediaType == dockerManifest) && doc.Config == nil:
		return nil, invalid("an image has a config")
	case (m.mediaType == ocispec.MediaTypeImageIndex || m.mediaType == dockerList) && doc.Manifests == nil:
		return nil, invalid("an index has manifests")
	}
	return m, doc.checkDigests()
}

func invalid(message string) *refusalError {
	return refuse(http.StatusBadRequest, manifestInvalid, message)
}

// checkDigests refuses what could not be found here, and what is no digest.
func (doc *document) checkDigests() error {
	var all []ocispec.Descriptor
	for _, one := range []*ocispec.Descriptor{doc.Config, doc.Subject} {
		if one != nil {
			all = append(all, *one)
		}
	}
	for _, list := range [][]ocispec.Descriptor{all, doc.Layers, doc.Blobs, doc.Manifests} {
		for _, d := range list {
			if d.Digest.Validate() != nil {
				return invalid("it has a descriptor without a valid digest")
			}
			if d.Digest.Algorithm() != digest.SHA256 {
				return refuse(http.StatusBadRequest, registry.Unsupported, "images here have sha256 digests only")
			}
		}
	}
	return nil
}

// read takes a body for what the cache takes it for.
func read(body []byte) (*document, *manifest, error) {
	doc := &document{}
	if json.Unmarshal(body, doc) != nil {
		return nil, nil, invalid("it is no manifest: not the JSON of one")
	}
	mediaType, contents, err := cache.Contents(body)
	if err != nil {
		return nil, nil, invalid("it is no manifest of an image or index")
	}
	m := &manifest{mediaType: mediaType, contents: contents, artifactType: doc.ArtifactType, annotations: doc.Annotations, size: int64(len(body))}
	if doc.Subject != nil {
		m.subject = doc.Subject.Digest
	}
	if m.artifactType == "" && doc.Config != nil {
		m.artifactType = doc.Config.MediaType
	}
	return doc, m, nil
}

// digested remembers stored manifests, so that a repository with many is read once.
// What a digest stands for never changes.
type digested struct {
	mu   sync.Mutex
	all  map[digest.Digest]*manifest
	size int64
}

// maxDigested bounds what is remembered, in bytes of manifests.
const maxDigested = 8 << 20

// of reads a stored manifest; what cannot be read points at nothing.
func (s *digested) of(c *cache.Cache, d digest.Digest) *manifest {
	s.mu.Lock()
	m := s.all[d]
	s.mu.Unlock()
	if m != nil {
		return m
	}
	body, _, err := c.Manifest(d)
	if err != nil {
		return &manifest{}
	}
	if _, m, err = read(body); err != nil {
		return &manifest{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil || s.size > maxDigested {
		s.all, s.size = make(map[digest.Digest]*manifest), 0
	}
	s.all[d] = m
	s.size += m.size
	return m
}
