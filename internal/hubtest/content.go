package hubtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sort"
	"sync"

	"github.com/opencontainers/go-digest"
)

// Content is the bytes of a blob. ReadAt may be called concurrently.
type Content interface {
	io.ReaderAt
	Size() int64
}

// Bytes is content from memory, which must not be changed afterwards.
func Bytes(b []byte) Content { return bytes.NewReader(b) }

// File is content from a file on disk that must not change; it is sent with sendfile where nothing slows it down.
func File(path string) (Content, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return &fileContent{path: path, size: st.Size()}, nil
}

// fileContent keeps no file open, so that nobody has to close it.
type fileContent struct {
	path   string
	size   int64
	digest digest.Digest // "" : not known
}

func (c *fileContent) Size() int64           { return c.size }
func (c *fileContent) Digest() digest.Digest { return c.digest }

func (c *fileContent) ReadAt(p []byte, off int64) (int, error) {
	f, err := os.Open(c.path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.ReadAt(p, off)
}

// DigestOf computes the sha256 of content, once for content that remembers its digest.
func DigestOf(c Content) digest.Digest {
	if k, ok := c.(interface{ Digest() digest.Digest }); ok {
		if d := k.Digest(); d != "" {
			return d
		}
	}
	h := sha256.New()
	copyInto(h, c)
	return digest.NewDigest(digest.SHA256, h)
}

// copyInto feeds content to hashes, which do not fail; content that does is a broken test set-up.
func copyInto(w io.Writer, c Content) {
	buf := make([]byte, 256<<10)
	if _, err := io.CopyBuffer(w, onlyReader{io.NewSectionReader(c, 0, c.Size())}, buf); err != nil {
		panic(fmt.Sprintf("hubtest: reading content: %v", err))
	}
}

type onlyReader struct{ io.Reader }

// Random is content that is computed from a seed when read: incompressible, the same on every machine, different for
// every seed, seekable, and never in memory as a whole.
func Random(seed uint64, size int64) Content { return &random{seed: mix(seed), size: size} }

type random struct {
	seed   uint64
	size   int64
	once   sync.Once
	digest digest.Digest
}

func (c *random) Size() int64 { return c.size }

func (c *random) Digest() digest.Digest {
	c.once.Do(func() {
		h := sha256.New()
		copyInto(h, struct{ Content }{c}) // without our Digest method
		c.digest = digest.NewDigest(digest.SHA256, h)
	})
	return c.digest
}

// ReadAt computes word i of the stream as mix(seed + i·γ): splitmix64, whose state is a counter and so can start anywhere
// (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
func (c *random) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("hubtest: negative offset")
	}
	if off >= c.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), c.size-off))
	out := p[:n]
	const gamma = 0x9e3779b97f4a7c15
	state := c.seed + uint64(off/8)*gamma
	if skip := int(off % 8); skip > 0 && len(out) > 0 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], mix(state))
		out = out[copy(out, word[skip:]):]
		state += gamma
	}
	for len(out) >= 8 {
		binary.LittleEndian.PutUint64(out, mix(state))
		out = out[8:]
		state += gamma
	}
	if len(out) > 0 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], mix(state))
		copy(out, word[:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// concat is several contents one after the other.
type concat struct {
	parts  []Content
	starts []int64
	size   int64
}

func newConcat(parts ...Content) *concat {
	c := &concat{parts: parts}
	for _, p := range parts {
		c.starts = append(c.starts, c.size)
		c.size += p.Size()
	}
	return c
}

func (c *concat) Size() int64 { return c.size }

func (c *concat) ReadAt(p []byte, off int64) (int, error) {
	return readPieces(p, off, c.size, func(p []byte, off int64) int {
		i := sort.Search(len(c.starts), func(i int) bool { return c.starts[i] > off }) - 1
		at := off - c.starts[i]
		return readSome(c.parts[i], p[:min(int64(len(p)), c.parts[i].Size()-at)], at)
	})
}

// readPieces calls piece, which reads at least one byte at off, until p is full or the content ends.
func readPieces(p []byte, off, size int64, piece func(p []byte, off int64) int) (int, error) {
	n := 0
	for n < len(p) && off < size {
		k := piece(p[n:], off)
		if k <= 0 {
			return n, io.ErrUnexpectedEOF
		}
		n, off = n+k, off+int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func readSome(r io.ReaderAt, p []byte, off int64) int {
	n, _ := r.ReadAt(p, off)
	return n
}

// stored is a gzip file (RFC 1952) of its inner content in stored blocks (RFC 1951 section 3.2.4), so that any byte of it
// can be computed without those before it.
type stored struct {
	inner Content
	crc   uint32
}

const (
	gzipHeader  = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
	storedBlock = 65535 // most a stored block holds
)

// newStored also gives the digest of the inner content, which it has to read anyway.
func newStored(inner Content) (*stored, digest.Digest) {
	crc, sum := crc32.NewIEEE(), sha256.New()
	copyInto(io.MultiWriter(crc, sum), inner)
	return &stored{inner, crc.Sum32()}, digest.NewDigest(digest.SHA256, sum)
}

func (c *stored) blocks() int64 { return max(1, (c.inner.Size()+storedBlock-1)/storedBlock) }

func (c *stored) Size() int64 {
	return int64(len(gzipHeader)) + 5*c.blocks() + c.inner.Size() + 8
}

func (c *stored) ReadAt(p []byte, off int64) (int, error) {
	return readPieces(p, off, c.Size(), c.piece)
}

func (c *stored) piece(p []byte, off int64) int {
	if off < int64(len(gzipHeader)) {
		return copy(p, gzipHeader[off:])
	}
	off -= int64(len(gzipHeader))
	if body := 5*c.blocks() + c.inner.Size(); off >= body {
		var trailer [8]byte
		binary.LittleEndian.PutUint32(trailer[:4], c.crc)
		binary.LittleEndian.PutUint32(trailer[4:], uint32(c.inner.Size())) //nolint:gosec // modulo 2³² by RFC 1952
		return copy(p, trailer[off-body:])
	}
	block, in := off/(storedBlock+5), off%(storedBlock+5)
	length := min(storedBlock, c.inner.Size()-block*storedBlock)
	if in < 5 {
		var head [5]byte
		if block == c.blocks()-1 {
			head[0] = 1
		}
		binary.LittleEndian.PutUint16(head[1:], uint16(length))  //nolint:gosec // at most 65535
		binary.LittleEndian.PutUint16(head[3:], ^uint16(length)) //nolint:gosec // at most 65535
		return copy(p, head[in:])
	}
	in -= 5
	return readSome(c.inner, p[:min(int64(len(p)), length-in)], block*storedBlock+in)
}
