package bundle

import (
	"fmt"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
)

// list adds an image to index.json, under each of its names.
func (p *plan) list(d ocispec.Descriptor, m manifest) {
	if m.MediaType == dockerList {
		d.MediaType = ocispec.MediaTypeImageIndex
	}
	wraps := ""
	if m.MediaType == dockerManifest {
		body := encodeIndex([]ocispec.Descriptor{{MediaType: dockerManifest, Digest: d.Digest, Size: d.Size}})
		wraps = string(d.Digest)
		d = ocispec.Descriptor{MediaType: ocispec.MediaTypeImageIndex, Digest: digest.FromBytes(body), Size: int64(len(body))}
		if !p.has[d.Digest] {
			p.has[d.Digest] = true
			p.heads = append(p.heads, entry{digest: d.Digest, size: d.Size, body: body, image: p.ref})
		}
	}
	for _, ref := range references(p.image) {
		full := dockerName(ref)
		d.Annotations = map[string]string{ocispec.AnnotationRefName: ref, annotationContainerd: full}
		if full != ref {
			d.Annotations[annotationReference] = ref
		}
		if wraps != "" {
			d.Annotations[annotationWraps] = wraps
		}
		p.index = append(p.index, d)
	}
}

// references are the names of an image in full.
func references(img cache.Image) []string {
	if len(img.Tags) == 0 {
		return []string{fullReference(img.Name, "", img.Digest)}
	}
	var out []string
	for _, tag := range img.Tags {
		out = append(out, fullReference(img.Name, tag, img.Digest))
	}
	return out
}

// listSaved adds one platform of an image to manifest.json. What docker load
// could not take is left out, for it would refuse the whole archive.
func (p *plan) listSaved(chosen []*picked) error {
	var one *picked
	for _, c := range chosen {
		if c.config != nil && !c.partial && len(c.config.RootFS.DiffIDs) == len(c.Layers) {
			one = c
			break
		}
	}
	if one == nil {
		return nil
	}
	s := saved{Config: blobPath(one.Config.Digest), Layers: []string{}}
	for _, l := range one.Layers {
		s.Layers = append(s.Layers, blobPath(l.Digest))
	}
	key := fmt.Sprint(s.Config, s.Layers)
	at, known := p.savedAt[key]
	if !known {
		at = len(p.saved)
		p.savedAt[key] = at
		p.saved = append(p.saved, s)
	}
	for _, tag := range p.image.Tags {
		// In full: docker shortens names itself, and podman load would take
		// debian:latest for localhost/debian:latest.
		p.saved[at].RepoTags = append(p.saved[at].RepoTags, dockerName(fullReference(p.image.Name, tag, "")))
	}
	return nil
}
