package cache

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// indexShare is which part of the time may go into writing index.json: with few
// images it follows what changes within seconds, with a hundred thousand, which
// take a second or two, within a minute or two.
const indexShare = 50

// indexState says whether index.json lags behind.
type indexState struct {
	dirty atomic.Bool

	mu   sync.Mutex
	hash key       // of the file
	next time.Time // not before
}

// wait is how long index.json is to be left alone, 0 if it may be written, or
// need not.
func (s *indexState) wait() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dirty.Load() {
		return 0
	}
	return max(0, time.Until(s.next))
}

const (
	indexHead = `{
  "schemaVersion": 2,
  "mediaType": "` + ocispec.MediaTypeImageIndex + `",
  "manifests": [`
	indexTail = "\n  ]\n}\n"
)

func emptyIndex() []byte { return []byte(indexHead + indexTail) }

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
	began := time.Now()
	err := c.replaceIndex()
	if err != nil {
		c.index.dirty.Store(true)
	}
	c.index.mu.Lock()
	defer c.index.mu.Unlock()
	c.index.next = time.Now().Add(indexShare * time.Since(began))
	return err
}

// replaceIndex writes it, entry by entry, beside the old one, and puts it in its
// place if it differs.
func (c *Cache) replaceIndex() error {
	name := filepath.Join(c.dir, ocispec.ImageIndexFile)
	c.index.mu.Lock()
	was := c.index.hash
	c.index.mu.Unlock()
	if f, err := os.Open(name); err != nil {
		was = key{}
	} else {
		if was == (key{}) {
			was, _ = hashFile(f, nil)
		}
		_ = f.Close()
	}
	tmp := c.tempPath()
	hash, err := c.writeEntries(tmp, was)
	if err != nil || hash == was {
		_ = c.dropTemp(tmp)
	} else {
		err = c.moveTemp(tmp, name)
	}
	if err == nil {
		c.index.mu.Lock()
		c.index.hash = hash
		c.index.mu.Unlock()
	}
	return err
}

// writeEntries writes it to tmp, synced if it is not what was there before.
func (c *Cache) writeEntries(tmp string, was key) (hash key, err error) {
	f, err := c.openNew(tmp, os.O_CREATE|os.O_EXCL)
	if err != nil {
		return hash, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, h), 64<<10)
	_, _ = w.WriteString(indexHead) // an error stays until Flush
	between := "\n    "
	err = c.eachPortrait(func(p *portrait) error {
		entries, err := c.entriesOf(p)
		for _, d := range entries {
			b, jerr := json.Marshal(d)
			if jerr != nil {
				return jerr
			}
			_, _ = w.WriteString(between)
			_, _ = w.Write(b)
			between = ",\n    "
		}
		return err
	})
	if err != nil {
		return hash, err
	}
	_, _ = w.WriteString(indexTail)
	if err := w.Flush(); err != nil {
		return hash, err
	}
	if hash = key(h.Sum(nil)); hash == was {
		return hash, nil
	}
	return hash, f.Sync()
}

// annotationWraps names the manifest for which a wrapper stands in index.json.
const annotationWraps = "app.pulley.manifest"

// entriesOf describes a complete image for index.json, once for each tag. Readers
// of layouts built on containers/image (skopeo, podman) look only at entries of
// the OCI's two types and take an entry's type for that of the content, so
// Docker's are listed thus:
//
//   - a manifest list as an index: they are the same JSON but for the name;
//   - a manifest behind an index of its own that says what type it is. That
//     index is a blob like any other, belongs to the manifest and goes with it.
//
// The content itself stays as it is, byte for byte.
func (c *Cache) entriesOf(p *portrait) (out []ocispec.Descriptor, err error) {
	root, _ := keyOf(p.Digest)
	wrapper, body := wrapperOf(root, p.rootSize)
	if !p.Complete {
		if p.wrapped {
			err = c.dropWrapper(wrapper)
		}
		return nil, err
	}
	d := ocispec.Descriptor{MediaType: p.MediaType, Digest: p.Digest, Size: p.rootSize}
	switch p.MediaType {
	case dockerList:
		d.MediaType = ocispec.MediaTypeImageIndex
	case dockerManifest:
		d.MediaType, d.Digest, d.Size = ocispec.MediaTypeImageIndex, wrapper.digest(), int64(len(body))
		if _, stored := c.store.get(wrapper); !stored {
			err = c.put(wrapper, body, "")
		}
	}
	names := make([]string, 0, len(p.Tags)+1)
	for _, tag := range p.Tags {
		names = append(names, p.Name.String()+":"+tag)
	}
	if len(names) == 0 {
		names = append(names, p.Name.String()+"@"+string(p.Digest))
	}
	for _, name := range names {
		e := d
		e.Annotations = map[string]string{ocispec.AnnotationRefName: name}
		if d.Digest != p.Digest {
			e.Annotations[annotationWraps] = string(p.Digest)
		}
		out = append(out, e)
	}
	return out, err
}

// wrapperOf is what stands in index.json for a manifest in Docker's format.
func wrapperOf(k key, size int64) (key, []byte) {
	body := encodeIndex([]ocispec.Descriptor{{MediaType: dockerManifest, Digest: k.digest(), Size: size}})
	return key(sha256.Sum256(body)), body
}

func (c *Cache) dropWrapper(k key) error {
	if _, stored := c.store.get(k); !stored {
		return nil
	}
	return c.Delete(k.digest())
}
