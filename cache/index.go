package cache

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// indexState says whether index.json lags behind.
type indexState struct{ dirty atomic.Bool }

func emptyIndex() []byte { return encodeIndex([]ocispec.Descriptor{}) }

func encodeIndex(d []ocispec.Descriptor) []byte {
	b, err := json.MarshalIndent(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: d}, "", "  ")
	if err != nil {
		panic(err) // plain structs of strings and numbers
	}
	return append(b, '\n')
}

// writeIndex brings index.json up to date: every complete image, under its full
// reference. It is for other programs; nothing here reads it.
func (c *Cache) writeIndex() error {
	if !c.index.dirty.CompareAndSwap(true, false) {
		return nil
	}
	images, err := c.images()
	if err != nil {
		c.index.dirty.Store(true)
		return err
	}
	body := encodeIndex(images)
	name := filepath.Join(c.dir, ocispec.ImageIndexFile)
	old, err := os.ReadFile(name)
	if err == nil && bytes.Equal(old, body) {
		return nil
	}
	if err := c.writeFile(name, body); err != nil {
		c.index.dirty.Store(true)
		return err
	}
	c.dropWrappers(old, images)
	return nil
}

// images lists the complete images: tags, and manifests pulled by digest that
// belong to no tag of their repository.
func (c *Cache) images() ([]ocispec.Descriptor, error) {
	byName := make(map[Name][]refFile)
	c.walkRefs(func(n Name, _ string, r refFile) { byName[n] = append(byName[n], r) })
	out := []ocispec.Descriptor{}
	sizes := make(map[key]int64)
	for _, refs := range byName {
		of, err := c.imagesOf(refs, sizes)
		if err != nil {
			return nil, err
		}
		out = append(out, of...)
	}
	slices.SortFunc(out, func(a, b ocispec.Descriptor) int {
		return cmp.Compare(a.Annotations[ocispec.AnnotationRefName], b.Annotations[ocispec.AnnotationRefName])
	})
	return slices.CompactFunc(out, func(a, b ocispec.Descriptor) bool {
		return a.Annotations[ocispec.AnnotationRefName] == b.Annotations[ocispec.AnnotationRefName]
	}), nil
}

func (c *Cache) imagesOf(refs []refFile, sizes map[key]int64) ([]ocispec.Descriptor, error) {
	inner := c.innerOf(refs)
	var out []ocispec.Descriptor
	for _, r := range refs {
		k, _ := keyOf(r.Digest)
		_, _, byDigest, _ := parseReference(r.Reference)
		if _, known := inner[k]; known && byDigest != "" {
			continue
		}
		size, complete := c.complete(k, sizes)
		if !complete {
			continue
		}
		d, err := c.entryOf(r, k, size)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// innerOf is what tags stand for and what is below any ref: no entry of its own
// is needed for that.
func (c *Cache) innerOf(refs []refFile) map[key]struct{} {
	inner := make(map[key]struct{})
	c.refs.reaching.Lock()
	defer c.refs.reaching.Unlock()
	for _, r := range refs {
		k, _ := keyOf(r.Digest)
		if _, tag, _, _ := parseReference(r.Reference); tag != "" {
			inner[k] = struct{}{}
		}
		below := &reach{all: make(map[key]struct{})}
		c.follow(k, true, below)
		delete(below.all, k)
		for child := range below.all {
			inner[child] = struct{}{}
		}
	}
	return inner
}

// annotationWraps names the manifest for which a wrapper stands in index.json.
const annotationWraps = "app.pulley.manifest"

// entryOf describes a complete image for index.json. Readers of layouts built on
// containers/image (skopeo, podman) look only at entries of the OCI's two types
// and take an entry's type for that of the content, so Docker's are listed thus:
//
//   - a manifest list as an index: they are the same JSON but for the name;
//   - a manifest behind an index of its own that says what type it is. That
//     index is a blob like any other and is written again when it was evicted.
//
// The content itself stays as it is, byte for byte.
func (c *Cache) entryOf(r refFile, k key, size int64) (ocispec.Descriptor, error) {
	c.refs.reaching.Lock()
	l, _ := c.linksOf(k)
	c.refs.reaching.Unlock()
	d := ocispec.Descriptor{
		MediaType: l.mediaType, Digest: r.Digest, Size: size,
		Annotations: map[string]string{ocispec.AnnotationRefName: r.Reference},
	}
	switch l.mediaType {
	case dockerList:
		d.MediaType = ocispec.MediaTypeImageIndex
	case dockerManifest:
		body := encodeIndex([]ocispec.Descriptor{{MediaType: dockerManifest, Digest: r.Digest, Size: size}})
		wrapper := key(sha256.Sum256(body))
		d.MediaType, d.Digest, d.Size = ocispec.MediaTypeImageIndex, wrapper.digest(), int64(len(body))
		d.Annotations[annotationWraps] = string(r.Digest)
		return d, c.put(wrapper, body)
	}
	return d, nil
}

// dropWrappers removes the wrappers that the index before named and the present
// one does not.
func (c *Cache) dropWrappers(before []byte, now []ocispec.Descriptor) {
	var old ocispec.Index
	if json.Unmarshal(before, &old) != nil {
		return
	}
	keep := make(map[digest.Digest]bool)
	for _, d := range now {
		keep[d.Digest] = true
	}
	for _, d := range old.Manifests {
		if d.Annotations[annotationWraps] != "" && !keep[d.Digest] {
			_ = c.Delete(d.Digest)
		}
	}
}

// complete reports whether an image can be had from here: its manifest with
// config and layers, or its index with those of at least one platform.
func (c *Cache) complete(k key, sizes map[key]int64) (size int64, ok bool) {
	size, ok = c.storedSize(k, sizes)
	if !ok {
		return 0, false
	}
	c.refs.reaching.Lock()
	l, known := c.linksOf(k)
	c.refs.reaching.Unlock()
	if !known || l.mediaType == "" {
		return 0, false
	}
	for _, b := range l.blobs {
		if _, ok := c.storedSize(b.key, sizes); !ok && !b.foreign {
			return 0, false
		}
	}
	if !l.index {
		return size, true
	}
	for _, m := range l.manifests {
		if m.platform && m.manifest {
			if _, ok := c.complete(m.key, sizes); ok {
				return size, true
			}
		}
	}
	return 0, false
}

// storedSize looks for a blob's file, once per run.
func (c *Cache) storedSize(k key, sizes map[key]int64) (int64, bool) {
	size, seen := sizes[k]
	if !seen {
		size = -1
		if _, known := c.store.get(k); known {
			if fi, err := os.Lstat(c.blobPath(k)); err == nil && fi.Mode().IsRegular() {
				size = fi.Size()
			}
		}
		sizes[k] = size
	}
	return size, size >= 0
}
