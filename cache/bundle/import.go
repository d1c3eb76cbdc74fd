package bundle

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"pulley/cache"
)

// Source is who brought what Import stored, in the cache's books.
const Source = "import"

// Progress is how far an Import is.
type Progress struct {
	Read   int64 // bytes of the archive, as it came
	Blobs  int   // that came, whether or not they were stored already
	Stored int64 // bytes of those that were not
}

// Imported is one name that Import has set.
type Imported struct {
	cache.Name
	Tag    string // "" for an image that is known by its digest
	Digest digest.Digest
	From   string // what the archive called it; "" if it gave no name
	// Parts are the digests of all that came of it, its own among them.
	Parts []digest.Digest
}

// Import takes the images of an archive into the cache. r is read once, to the
// end of the archive, and needs no seeking. Content that is stored already is
// read and compared, but not written again. progress, which may be nil, is
// called from this goroutine, after each blob and every few MiB.
//
// All names are set, or none: *InvalidError says what in the archive is not as
// it must be; *cache.NoSpaceError and *cache.DiskError are the cache's. What was
// stored until then stays, of use to nobody and soonest to be evicted. The names
// that were set are answered also when setting a further one fails.
func Import(ctx context.Context, r io.Reader, c *cache.Cache, progress func(Progress)) ([]Imported, error) {
	if progress == nil {
		progress = func(Progress) {}
	}
	in := &counted{r: r}
	im := &importer{
		ctx: ctx, c: c, in: in, progress: progress, buf: make([]byte, chunk),
		tops: make(map[string][]byte), carried: make(map[digest.Digest]int64),
		expected: make(map[digest.Digest]ocispec.Descriptor),
		parts:    make(map[string]digest.Digest), aliases: make(map[string]string),
	}
	defer im.close()
	if err := im.read(in); err != nil {
		return nil, err
	}
	found, err := im.images()
	if err != nil {
		return nil, err
	}
	return im.name(found)
}

// importer is one Import under way.
type importer struct {
	ctx      context.Context
	c        *cache.Cache
	in       *counted
	progress func(Progress)
	buf      []byte
	told     int64 // in.n when progress was last called
	at       Progress

	tops     map[string][]byte
	carried  map[digest.Digest]int64              // blobs that came, with their sizes
	expected map[digest.Digest]ocispec.Descriptor // of blobs, from the lists read so far
	parts    map[string]digest.Digest             // files of a docker-archive
	aliases  map[string]string
	trees    map[digest.Digest]tree // of manifests that were looked at
	release  []func()
}

func (im *importer) close() {
	for _, release := range im.release {
		release()
	}
}

// read takes everything out of the stream.
func (im *importer) read(r io.Reader) error {
	plain, done, err := decompress(r)
	if err != nil {
		return err
	}
	defer done()
	tr := tar.NewReader(plain)
	for n := 0; ; n++ {
		if err := context.Cause(im.ctx); err != nil {
			return err
		}
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return im.broken("", err)
		}
		if n >= maxMembers {
			return invalid("", "more than %d entries", maxMembers)
		}
		m, err := memberOf(h)
		if err != nil {
			return err
		}
		if err := im.take(m, tr); err != nil {
			return err
		}
	}
	// What follows the end is padding; a compressed stream has its checksum there.
	if _, err := io.CopyBuffer(io.Discard, io.LimitReader(plain, jsonMax), im.buf); err != nil {
		return im.broken("", err)
	}
	return nil
}

// broken types what reading the archive failed with.
func (im *importer) broken(entry string, err error) error {
	if cause := context.Cause(im.ctx); cause != nil {
		return cause
	}
	return &InvalidError{Entry: entry, Err: err}
}

func (im *importer) take(m member, r io.Reader) error {
	switch m.kind {
	case top:
		return im.takeTop(m, r)
	case content:
		return im.takeBlob(m, r)
	case part:
		if im.tops[ocispec.ImageIndexFile] == nil { // else nobody will ask for it
			return im.takePart(m, r)
		}
	case alias:
		return im.takeAlias(m)
	case other:
	}
	return nil
}

func (im *importer) takeTop(m member, r io.Reader) error {
	if _, twice := im.tops[m.name]; twice {
		return invalid(m.name, "there twice")
	}
	body, err := im.small(m, r)
	if err != nil {
		return err
	}
	im.tops[m.name] = body
	switch m.name {
	case ocispec.ImageLayoutFile:
		var l ocispec.ImageLayout
		if json.Unmarshal(body, &l) != nil || !strings.HasPrefix(l.Version, "1.") {
			return invalid(m.name, "a layout of a version that is not known here: %.40q", l.Version)
		}
	case ocispec.ImageIndexFile:
		idx, err := im.index()
		if err != nil {
			return err
		}
		return im.expect(idx.Manifests)
	}
	return nil
}

// small reads a member into memory.
func (im *importer) small(m member, r io.Reader) ([]byte, error) {
	if m.size > jsonMax {
		return nil, invalid(m.name, "%d bytes are too many", m.size)
	}
	body := make([]byte, m.size)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, im.broken(m.name, err)
	}
	return body, nil
}

// expect remembers what is to come, so that a blob of another size is refused
// before it is read.
func (im *importer) expect(all []ocispec.Descriptor) error {
	for _, d := range all {
		if size, here := im.carried[d.Digest]; here && size != d.Size {
			return invalid(string(d.Digest), "has %d bytes and is listed with %d", size, d.Size)
		}
		if old, known := im.expected[d.Digest]; known && old.Size != d.Size {
			return invalid(string(d.Digest), "listed with %d bytes and with %d", old.Size, d.Size)
		}
		if len(im.expected) < maxMembers {
			im.expected[d.Digest] = ocispec.Descriptor{MediaType: d.MediaType, Size: d.Size}
		}
	}
	return nil
}

// inMemory is up to which size a blob is stored at once, without a file of its
// own until it is whole.
const inMemory = 256 << 10

func (im *importer) takeBlob(m member, r io.Reader) error {
	if _, twice := im.carried[m.digest]; twice {
		return invalid(m.name, "there twice")
	}
	expected, known := im.expected[m.digest]
	if known && expected.Size != m.size {
		return invalid(m.name, "has %d bytes and is listed with %d", m.size, expected.Size)
	}
	im.release = append(im.release, im.c.Hold(m.digest))
	var err error
	switch {
	case m.size <= inMemory || (known && isManifest(expected.MediaType) && m.size <= jsonMax):
		err = im.takeSmall(m, r, known && isManifest(expected.MediaType))
	case im.isStored(m.digest, m.size):
		err = im.compare(m, r)
	default:
		err = im.store(m, r)
	}
	if err != nil {
		return err
	}
	im.carried[m.digest] = m.size
	im.at.Blobs++
	im.tell(true)
	return nil
}

// isManifest reports whether a descriptor's type is one of those that list
// others.
func isManifest(mediaType string) bool {
	switch mediaType {
	case ocispec.MediaTypeImageIndex, ocispec.MediaTypeImageManifest, dockerList, dockerManifest:
		return true
	}
	return false
}

func (im *importer) takeSmall(m member, r io.Reader, lists bool) error {
	body, err := im.small(m, r)
	if err != nil {
		return err
	}
	if got := digest.FromBytes(body); got != m.digest {
		return wrong(m, got)
	}
	if !im.isStored(m.digest, m.size) {
		if err := im.fits(m.size); err != nil {
			return err
		}
		if err := im.c.PutFrom(m.digest, body, Source); err != nil {
			return err
		}
		im.at.Stored += m.size
	}
	if !lists {
		return nil
	}
	list, err := parse(body, "")
	if err != nil {
		return &InvalidError{Entry: m.name, Err: err}
	}
	return im.expect(append(list.refers(), list.Manifests...))
}

func wrong(m member, got digest.Digest) error {
	return invalid(m.name, "not what its name says, but %s", got)
}

func (im *importer) isStored(d digest.Digest, size int64) bool {
	b, err := im.c.Get(d)
	if err != nil {
		return false
	}
	defer func() { _ = b.Close() }()
	return b.Size() == size
}

// compare reads a blob that is stored already: a damaged archive is told from a
// whole one whatever the cache has.
func (im *importer) compare(m member, r io.Reader) error {
	sum := sha256.New()
	if err := im.copy(m, sum, r); err != nil {
		return err
	}
	if got := digest.NewDigest(digest.SHA256, sum); got != m.digest {
		return wrong(m, got)
	}
	return nil
}

// fits says whether a blob more is within what the cache may have: all of an archive
// is held until its names are set, so that eviction would not make it fit.
func (im *importer) fits(size int64) error {
	if limit := im.c.Stat().MaxSize; limit > 0 && im.at.Stored+size > limit {
		return fmt.Errorf("the archive has more than fits into the cache; raise cache.max_size: %w", &cache.NoSpaceError{})
	}
	return nil
}

// store writes a blob.
func (im *importer) store(m member, r io.Reader) error {
	u, err := im.c.Upload()
	if err != nil {
		return err
	}
	defer u.Close()
	if err := im.fits(m.size); err != nil {
		return err
	}
	if err := im.copy(m, u, r); err != nil {
		return err
	}
	err = u.Commit(m.digest, Source)
	var differs *cache.DigestError
	if errors.As(err, &differs) {
		return wrong(m, differs.Got)
	}
	if err == nil {
		im.at.Stored += m.size
	}
	return err
}

// copy reads a member whole. Failures of w are its own, those of r the archive's.
func (im *importer) copy(m member, w io.Writer, r io.Reader) error {
	for left := m.size; left > 0; {
		if err := context.Cause(im.ctx); err != nil {
			return err
		}
		part := im.buf[:min(left, chunk)]
		if _, err := io.ReadFull(r, part); err != nil {
			return im.broken(m.name, err)
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
		left -= int64(len(part))
		im.tell(false)
	}
	return nil
}

// tellEvery is how many bytes are read between two calls of progress.
const tellEvery = 8 << 20

func (im *importer) tell(now bool) {
	if now || im.in.n-im.told >= tellEvery {
		im.told, im.at.Read = im.in.n, im.in.n
		im.progress(im.at)
	}
}

// index reads index.json.
func (im *importer) index() (ocispec.Index, error) {
	var idx ocispec.Index
	if err := json.Unmarshal(im.tops[ocispec.ImageIndexFile], &idx); err != nil {
		return idx, &InvalidError{Entry: ocispec.ImageIndexFile, Err: err}
	}
	for _, d := range idx.Manifests {
		if err := d.Digest.Validate(); err != nil || d.Size < 0 {
			return idx, invalid(ocispec.ImageIndexFile, "%.80q with %d bytes", d.Digest, d.Size)
		}
	}
	return idx, nil
}

// found is an image that can be had from what came, under one name.
type found struct {
	Imported
	mediaType string
	size      int64
}

// images finds out what the archive held.
func (im *importer) images() ([]found, error) {
	if im.tops[ocispec.ImageIndexFile] != nil {
		idx, err := im.index()
		if err != nil || len(idx.Manifests) > 0 || im.tops[savedFile] == nil {
			return im.layout(idx, err)
		}
	}
	if im.tops[savedFile] != nil {
		return im.savedImages()
	}
	return nil, invalid("", "neither an OCI layout nor what docker save writes: no index.json and no manifest.json in it")
}

// never is when an imported tag was checked at its origin: so long ago that it
// is asked first, when it can be.
var never = time.Unix(0, 0).UTC()

// name sets the names.
func (im *importer) name(all []found) ([]Imported, error) {
	var out []Imported
	for _, f := range all {
		var err error
		if f.Tag == "" {
			err = im.c.Link(f.Name, f.Digest, f.mediaType)
		} else if old, terr := im.c.Tag(f.Name, f.Tag); terr != nil || old.Digest != f.Digest {
			err = im.c.SetTag(cache.Tag{Name: f.Name, Tag: f.Tag, Digest: f.Digest, MediaType: f.mediaType, Size: f.size, Checked: never})
		}
		if err != nil {
			return out, fmt.Errorf("%s: %w", fullReference(f.Name, f.Tag, f.Digest), err)
		}
		out = append(out, f.Imported)
	}
	return out, nil
}
