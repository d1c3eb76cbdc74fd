package cache

import "github.com/opencontainers/go-digest"

// Content is something that a manifest points at.
type Content struct {
	Digest   digest.Digest
	Manifest bool // by its type it may be one itself
}

// Contents is what this package takes a manifest's body to be and to point at: to
// whatever References opens because of it, no more and no less. Digests that are
// no sha256 are left out. An error says that it is no manifest.
func Contents(body []byte) (mediaType string, all []Content, err error) {
	l, err := parseManifest(body)
	if err != nil {
		return "", nil, err
	}
	for _, m := range l.manifests {
		all = append(all, Content{Digest: m.key.digest(), Manifest: m.manifest})
	}
	for _, b := range l.blobs {
		all = append(all, Content{Digest: b.key.digest()})
	}
	return l.mediaType, all, nil
}
