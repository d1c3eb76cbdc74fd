package bundle

import (
	"errors"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
	"pulley/internal/platform"
)

// layout finds the images of an OCI layout. All of them must be there.
func (im *importer) layout(idx ocispec.Index, err error) ([]found, error) {
	if err != nil {
		return nil, err
	}
	if len(idx.Manifests) == 0 {
		return nil, invalid(ocispec.ImageIndexFile, "lists no image")
	}
	var out []found
	for _, d := range idx.Manifests {
		f, err := im.entry(d)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// entry looks at one entry of index.json.
func (im *importer) entry(d ocispec.Descriptor) (found, error) {
	annotations := d.Annotations
	if wraps := digest.Digest(annotations[annotationWraps]); wraps != "" {
		inner, err := im.unwrap(d, wraps)
		if err != nil {
			return found{}, err
		}
		d = inner
	}
	t, err := im.look(d, 0)
	if err != nil {
		return found{}, err
	}
	if t.missing != "" {
		return found{}, invalid(string(d.Digest), "not a single platform of this image came whole: %s is missing", t.missing)
	}
	n, tag, byDigest, known := nameOf(annotations)
	if byDigest != "" && byDigest != d.Digest {
		return found{}, invalid(string(d.Digest), "listed as %s", byDigest)
	}
	if !known {
		n = cache.Name{Registry: cache.Local, Repository: "imported"}
		if tag == "" {
			tag = short(d.Digest)
		}
	} else if im.isDockers(annotations, t) {
		n = localName(n)
	}
	return found{Imported{Name: n, Tag: tag, Digest: d.Digest, From: from(annotations), Parts: im.reached(d)}, t.mediaType, t.size}, nil
}

// reached lists what came of an image, itself first, each once.
func (im *importer) reached(d ocispec.Descriptor) (list []digest.Digest) {
	seen := map[digest.Digest]bool{}
	var walk func(ocispec.Descriptor)
	walk = func(d ocispec.Descriptor) {
		if _, here := im.carried[d.Digest]; !here || seen[d.Digest] {
			return
		}
		seen[d.Digest] = true
		list = append(list, d.Digest)
		if !isManifest(d.MediaType) && len(list) > 1 {
			return
		}
		if m, _, err := im.manifest(d); err == nil {
			for _, below := range slices.Concat(m.Manifests, m.refers()) {
				walk(below)
			}
		}
	}
	walk(d)
	return list
}

// from is the name of an entry, as the archive has it.
func from(annotations map[string]string) string {
	for _, key := range []string{annotationReference, annotationContainerd, ocispec.AnnotationRefName} {
		if annotations[key] != "" {
			return annotations[key]
		}
	}
	return ""
}

// short is how docker prints an image id.
func short(d digest.Digest) string { return d.Encoded()[:12] }

// isDockers reports whether docker save made this manifest up, for an image that
// it keeps unpacked. No registry has that one.
func (im *importer) isDockers(annotations map[string]string, t tree) bool {
	_, _, _, full := splitReference(annotations[ocispec.AnnotationRefName])
	return im.tops[savedFile] != nil && !full && t.unpacked
}

// unwrap finds the manifest behind the small index that stands for it.
func (im *importer) unwrap(d ocispec.Descriptor, wraps digest.Digest) (ocispec.Descriptor, error) {
	m, _, err := im.manifest(d)
	if err != nil {
		return d, err
	}
	if len(m.Manifests) != 1 || m.Manifests[0].Digest != wraps {
		return d, invalid(string(d.Digest), "does not stand for %s alone", wraps)
	}
	return m.Manifests[0], nil
}

// tree is what there is of a manifest and all below it.
type tree struct {
	mediaType string
	size      int64
	missing   digest.Digest // something without which none of it can be had
	unpacked  bool          // layers, and none of them compressed
}

// manifest reads a manifest that came.
func (im *importer) manifest(d ocispec.Descriptor) (m manifest, size int64, err error) {
	size, here := im.carried[d.Digest]
	if !here {
		return m, 0, invalid(string(d.Digest), "listed, but not in it")
	}
	if size != d.Size {
		return m, 0, invalid(string(d.Digest), "has %d bytes and is listed with %d", size, d.Size)
	}
	body, mediaType, err := im.c.Manifest(d.Digest)
	if err != nil {
		var miss *cache.MissError
		if errors.As(err, &miss) && miss.Reason != cache.Absent {
			return m, 0, invalid(string(d.Digest), "not a manifest")
		}
		return m, 0, err
	}
	if m, err = parse(body, mediaType); err != nil {
		return m, 0, &InvalidError{Entry: string(d.Digest), Err: err}
	}
	return m, size, nil
}

// look follows a manifest that came down to its layers. Of an index one child
// that is whole is enough; it may have children that did not come, or did not
// come whole.
func (im *importer) look(d ocispec.Descriptor, depth int) (tree, error) {
	if depth > maxDepth {
		return tree{}, invalid(string(d.Digest), "indexes within indexes")
	}
	// Once each: a few indexes that name one another many times stand for more
	// paths than anybody can follow.
	if t, known := im.trees[d.Digest]; known && im.carried[d.Digest] == d.Size {
		return t, nil
	}
	t, err := im.lookOnce(d, depth)
	if err == nil {
		if im.trees == nil {
			im.trees = make(map[digest.Digest]tree)
		}
		im.trees[d.Digest] = t
	}
	return t, err
}

func (im *importer) lookOnce(d ocispec.Descriptor, depth int) (tree, error) {
	m, size, err := im.manifest(d)
	if err != nil {
		return tree{}, err
	}
	t := tree{mediaType: m.MediaType, size: size}
	if m.isIndex() {
		return im.lookAtIndex(t, d, m, depth)
	}
	t.unpacked = len(m.Layers) > 0 && !slices.ContainsFunc(m.Layers, func(l ocispec.Descriptor) bool {
		return l.MediaType != ocispec.MediaTypeImageLayer && l.MediaType != dockerTar
	})
	for _, b := range m.refers() {
		size, here := im.carried[b.Digest]
		switch {
		case here && size != b.Size:
			return t, invalid(string(b.Digest), "has %d bytes and is listed with %d", size, b.Size)
		case !here && !isForeign(b) && t.missing == "":
			t.missing = b.Digest
		}
	}
	return t, nil
}

func (im *importer) lookAtIndex(t tree, d ocispec.Descriptor, m manifest, depth int) (tree, error) {
	t.missing, t.unpacked = d.Digest, true
	whole := false
	for _, child := range m.Manifests {
		if _, here := im.carried[child.Digest]; !here {
			if t.missing == d.Digest {
				t.missing = child.Digest
			}
			continue
		}
		sub, err := im.look(child, depth+1)
		if err != nil {
			return t, err
		}
		if platform.Attests(child) {
			continue
		}
		if sub.missing != "" {
			t.missing = sub.missing
			continue
		}
		whole, t.unpacked = true, t.unpacked && sub.unpacked
	}
	if whole {
		t.missing = ""
	}
	return t, nil
}
