package bundle

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
)

// Export writes images as one tar to w. It is New and Write.
func Export(ctx context.Context, w io.Writer, c *cache.Cache, images []cache.Image, o Options) error {
	b, err := New(c, images, o)
	if err != nil {
		return err
	}
	defer b.Close()
	return b.Write(ctx, w)
}

// Bundle is images that are about to be written as a tar. It must be closed;
// until then none of its blobs is evicted.
type Bundle struct {
	c       *cache.Cache
	docs    []document
	blobs   []entry
	size    int64
	release []func()
}

// document is a file at the top of the tar.
type document struct {
	name string
	body []byte
}

// New looks up everything that Write will need, and writes nothing.
// *IncompleteError: something that was chosen is not in the cache.
// *PlatformError: there is no such platform of an image. Any other error says
// what of which image cannot be carried.
func New(c *cache.Cache, images []cache.Image, o Options) (*Bundle, error) {
	p := newPlan(c, o)
	defer p.close()
	for _, img := range images {
		if err := p.add(img); err != nil {
			return nil, err
		}
	}
	b := &Bundle{c: c, blobs: p.blobs(), release: p.release}
	p.release = nil
	b.docs = []document{
		{ocispec.ImageLayoutFile, []byte(`{"imageLayoutVersion":"` + ocispec.ImageLayoutVersion + `"}`)},
		{ocispec.ImageIndexFile, encodeIndex(p.index)},
	}
	if len(p.saved) > 0 { // docker load takes an empty list in silence, and says what is wrong if there is none
		body, err := json.Marshal(p.saved)
		if err != nil {
			return nil, err
		}
		b.docs = append(b.docs, document{savedFile, append(body, '\n')})
	}
	b.measure()
	return b, nil
}

// savedFile is the list of a docker-archive.
const savedFile = "manifest.json"

// Size is how many bytes Write will write.
func (b *Bundle) Size() int64 { return b.size }

// Blobs is how many blobs are in it.
func (b *Bundle) Blobs() int { return len(b.blobs) }

// Close lets go of the blobs. It may be called more than once.
func (b *Bundle) Close() {
	for _, release := range b.release {
		release()
	}
	b.release = nil
}

// epoch is the time in all headers, so that the same images are the same bytes.
var epoch = time.Unix(0, 0)

func header(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o444, ModTime: epoch}
}

// measure adds up the size, with the headers as they will be: large files have
// longer ones.
func (b *Bundle) measure() {
	var n counter
	add := func(name string, size int64) {
		_ = tar.NewWriter(&n).WriteHeader(header(name, size)) // plain names cannot fail
		n += counter(size + -size&511)
	}
	for _, d := range b.docs {
		add(d.name, int64(len(d.body)))
	}
	for _, e := range b.blobs {
		add(blobPath(e.digest), e.size)
	}
	b.size = int64(n) + 1024 // the end
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// Write writes the tar. Every blob is hashed on its way, and the end of one is
// held back until its digest fits: on *DamagedError, as on any other, what was
// written ends in the middle of an entry, and no reader takes it for whole. It
// may be called again.
func (b *Bundle) Write(ctx context.Context, w io.Writer) error {
	tw := tar.NewWriter(w)
	for _, d := range b.docs {
		if err := b.put(tw, d.name, d.body); err != nil {
			return err
		}
	}
	buf := make([]byte, chunk)
	for _, e := range b.blobs {
		var err error
		if e.body != nil {
			err = b.put(tw, blobPath(e.digest), e.body)
		} else {
			err = b.copy(ctx, tw, e, buf)
		}
		if err != nil {
			return err
		}
	}
	if err := tw.Close(); err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	return nil
}

// chunk is how much is read, hashed and written at a time. Larger ones fall out
// of the processor's cache in between.
const chunk = 256 << 10

func (b *Bundle) put(tw *tar.Writer, name string, body []byte) error {
	err := tw.WriteHeader(header(name, int64(len(body))))
	if err == nil {
		_, err = tw.Write(body)
	}
	if err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	return nil
}

// copy writes a stored blob. The last chunk goes out when the digest fits.
func (b *Bundle) copy(ctx context.Context, tw *tar.Writer, e entry, buf []byte) error {
	blob, err := b.c.Get(e.digest)
	if err != nil {
		return &DamagedError{Image: e.image, Digest: e.digest, Err: err}
	}
	defer func() { _ = blob.Close() }()
	if blob.Size() != e.size {
		return &DamagedError{Image: e.image, Digest: e.digest, Err: b.condemn(e.digest)}
	}
	if err := tw.WriteHeader(header(blobPath(e.digest), e.size)); err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	sum := sha256.New()
	for left := e.size; left > 0; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		part := buf[:min(left, chunk)]
		if _, err := io.ReadFull(blob.File(), part); err != nil {
			_ = b.condemn(e.digest)
			return &DamagedError{Image: e.image, Digest: e.digest, Err: err}
		}
		sum.Write(part)
		left -= int64(len(part))
		if left == 0 && digest.NewDigest(digest.SHA256, sum) != e.digest {
			return &DamagedError{Image: e.image, Digest: e.digest, Err: b.condemn(e.digest)}
		}
		if _, err := tw.Write(part); err != nil {
			return fmt.Errorf("write the archive: %w", err)
		}
	}
	return nil
}

// condemn has the cache look at a blob again, which removes one that is damaged:
// the next pull then brings it anew.
func (b *Bundle) condemn(d digest.Digest) error {
	blob, err := b.c.Get(d, cache.Verified())
	if err != nil {
		if isMiss(err) {
			return nil
		}
		return err
	}
	return blob.Close()
}
