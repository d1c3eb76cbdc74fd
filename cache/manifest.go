package cache

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Media types of Docker's own formats.
const (
	dockerManifest   = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList       = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerSchema1    = "application/vnd.docker.distribution.manifest.v1+json"
	dockerSigned1    = "application/vnd.docker.distribution.manifest.v1+prettyjws"
	artifactManifest = "application/vnd.oci.artifact.manifest.v1+json"
)

// manifestMax is the largest manifest read into memory: the distribution
// specification asks registries for 4 MiB; some take more.
const manifestMax = 16 << 20

var errManifest = errors.New("not a manifest")

// manifest is what this package needs of all kinds of manifests.
type manifest struct {
	MediaType string       `json:"mediaType"`
	Schema    int          `json:"schemaVersion"`
	Config    *descriptor  `json:"config"`
	Layers    []descriptor `json:"layers"`
	Blobs     []descriptor `json:"blobs"`
	Manifests []descriptor `json:"manifests"`
	FSLayers  []struct {
		BlobSum digest.Digest `json:"blobSum"`
	} `json:"fsLayers"`
	Signatures []json.RawMessage `json:"signatures"`
}

type descriptor struct {
	MediaType string        `json:"mediaType"`
	Digest    digest.Digest `json:"digest"`
	Platform  *platform     `json:"platform"`
}

// platform is as descriptors and configs spell it.
type platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
}

// String is "linux/arm64/v8".
func (p platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// links is what a manifest points at.
type links struct {
	mediaType string
	index     bool
	manifests []link // children of an index
	blobs     []link // config and layers
	on        string // the platform that the config says, once it was read
	wrapper   string // raw digest of what stands for it in index.json, if something does
}

type link struct {
	key      key
	manifest bool // may be one itself
	platform bool // an image for some platform, no attestation
	foreign  bool // by its type not to be kept by registries
	config   bool
	on       string // the platform that an index says
}

func parseManifest(body []byte) (links, error) {
	var m manifest
	if err := json.Unmarshal(body, &m); err != nil {
		return links{}, errManifest
	}
	l := links{mediaType: mediaTypeOf(&m)}
	if l.mediaType == "" {
		return links{}, errManifest
	}
	l.index = l.mediaType == ocispec.MediaTypeImageIndex || l.mediaType == dockerList
	for _, d := range m.Manifests {
		if k, err := keyOf(d.Digest); err == nil {
			child := link{key: k, manifest: isManifest(d.MediaType), platform: d.Platform == nil || d.Platform.OS != "unknown"}
			if d.Platform != nil {
				child.on = d.Platform.String()
			}
			l.manifests = append(l.manifests, child)
		}
	}
	if m.Config != nil {
		if k, err := keyOf(m.Config.Digest); err == nil {
			l.blobs = append(l.blobs, link{key: k, config: true})
		}
	}
	blobs := slices.Concat(m.Layers, m.Blobs)
	for _, l := range m.FSLayers {
		blobs = append(blobs, descriptor{Digest: l.BlobSum})
	}
	for _, d := range blobs {
		if k, err := keyOf(d.Digest); err == nil {
			foreign := strings.Contains(d.MediaType, ".foreign.") || strings.Contains(d.MediaType, ".nondistributable.")
			l.blobs = append(l.blobs, link{key: k, foreign: foreign})
		}
	}
	return l, nil
}

func isManifest(mediaType string) bool {
	switch mediaType {
	case "", ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex, dockerManifest, dockerList, dockerSchema1, dockerSigned1, artifactManifest:
		return true
	}
	return false
}

// mediaTypeOf is what a manifest says of itself; manifests of the OCI may leave
// it out, those of Docker's first schema always do.
func mediaTypeOf(m *manifest) string {
	switch {
	case m.MediaType != "":
		return m.MediaType
	case m.Manifests != nil:
		return ocispec.MediaTypeImageIndex
	case m.Config != nil || m.Layers != nil:
		return ocispec.MediaTypeImageManifest
	case m.Schema == 1 && len(m.Signatures) > 0:
		return dockerSigned1
	case m.Schema == 1:
		return dockerSchema1
	}
	return ""
}

// Manifest reads a stored manifest or index. The media type is its own word for
// it. The body is not to be changed: others may be given the same. *MissError if it
// is not stored.
func (c *Cache) Manifest(d digest.Digest) (body []byte, mediaType string, err error) {
	k, err := keyOf(d)
	if err != nil {
		return nil, "", err
	}
	if c.isClosed() {
		return nil, "", ErrClosed
	}
	if m, ok := c.manifests.get(k); ok {
		return m.body, m.mediaType, nil
	}
	path := c.blobPath(k)
	st, serr := stampAt(path)
	body, err = c.readAll(k, manifestMax)
	if err != nil {
		return nil, "", err
	}
	l, err := parseManifest(body)
	if err != nil {
		return nil, "", &MissError{Digest: d, Reason: Unreadable, Err: err}
	}
	if serr == nil {
		c.manifests.note(c.now(), k, readManifest{body, l.mediaType}, path, st, int64(len(body)))
	}
	return body, l.mediaType, nil
}

// readManifest is what Manifest gives.
type readManifest struct {
	body      []byte
	mediaType string
}

// maxEntries bounds what is remembered of manifests: 32 bytes each.
const maxEntries = 1 << 18

// linksOf reads what a stored manifest points at. It needs refs.reaching. What
// was read once holds for ever: it is the content of a digest.
func (c *Cache) linksOf(k key) (links, bool) {
	if l, ok := c.refs.children[k]; ok {
		return l, true
	}
	if !c.isStored(k) {
		return links{}, false
	}
	c.store.mu.Lock()
	l, held := c.store.links(k)
	c.store.mu.Unlock()
	if !held {
		var ok bool
		if l, ok = c.readLinks(k); !ok {
			return links{}, false
		}
	}
	if c.refs.children == nil || c.refs.entries > maxEntries {
		c.refs.children, c.refs.entries = make(map[key]links), 0
	}
	c.refs.children[k] = l
	c.refs.entries += 1 + len(l.manifests) + len(l.blobs)
	return l, true
}
