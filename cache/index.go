package cache

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io/fs"
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
	body := encodeIndex(c.images())
	name := filepath.Join(c.dir, ocispec.ImageIndexFile)
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, body) {
		return nil
	}
	if err := c.writeFile(name, body); err != nil {
		c.index.dirty.Store(true)
		return err
	}
	return nil
}

// images lists the complete images: tags, and manifests pulled by digest that
// belong to no tag of their repository.
func (c *Cache) images() []ocispec.Descriptor {
	byName := make(map[Name][]refFile)
	_ = filepath.WalkDir(filepath.Join(c.dir, "refs"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil //nolint:nilerr // what cannot be read is left out
		}
		if r, err := readRef(path); err == nil {
			n, _, _, _ := parseReference(r.Reference)
			byName[n] = append(byName[n], r)
		}
		return nil
	})
	out := []ocispec.Descriptor{}
	sizes := make(map[key]int64)
	for _, refs := range byName {
		out = append(out, c.imagesOf(refs, sizes)...)
	}
	slices.SortFunc(out, func(a, b ocispec.Descriptor) int {
		return cmp.Compare(a.Annotations[ocispec.AnnotationRefName], b.Annotations[ocispec.AnnotationRefName])
	})
	return slices.CompactFunc(out, func(a, b ocispec.Descriptor) bool {
		return a.Annotations[ocispec.AnnotationRefName] == b.Annotations[ocispec.AnnotationRefName]
	})
}

func (c *Cache) imagesOf(refs []refFile, sizes map[key]int64) []ocispec.Descriptor {
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
		out = append(out, ocispec.Descriptor{
			MediaType: c.mediaType(k), Digest: digest.Digest(r.Digest), Size: size,
			Annotations: map[string]string{ocispec.AnnotationRefName: r.Reference},
		})
	}
	return out
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

func (c *Cache) mediaType(k key) string {
	c.refs.reaching.Lock()
	defer c.refs.reaching.Unlock()
	l, _ := c.linksOf(k)
	return l.mediaType
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
