package bundle

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// A stream may unpack to bombSlack bytes, and to bombRatio times what was read
// of it. Images with files full of zeros stay far below; gzip reaches 1000, and
// zstd far more.
const (
	bombSlack = 1 << 30
	bombRatio = 200
)

var errBomb = fmt.Errorf("it unpacks to more than %d times its size", bombRatio)

// maxWindow is the memory that a zstd stream may ask for: what `zstd --long`
// uses, and unpacks without being told to.
const maxWindow = 128 << 20

var magics = []struct {
	name  string
	magic string
	try   string // what unpacks it; "" if we do
}{
	{"gzip", "\x1f\x8b", ""},
	{"zstd", "\x28\xb5\x2f\xfd", ""},
	{"xz", "\xfd7zXZ\x00", "xz -dc"},
	{"bzip2", "BZh", "bzip2 -dc"},
	{"lz4", "\x04\x22\x4d\x18", "lz4 -dc"},
}

// compression is the name of what p, the beginning of a stream, is compressed
// with; "" if it is not, or nobody knows.
func compression(p []byte) (name, try string) {
	for _, m := range magics {
		if bytes.HasPrefix(p, []byte(m.magic)) {
			return m.name, m.try
		}
	}
	return "", ""
}

// decompress unpacks a stream that is compressed and passes on one that is not.
// done lets go of what that takes.
func decompress(r io.Reader) (plain io.Reader, done func(), err error) {
	in := &counted{r: r}
	br := bufio.NewReaderSize(in, chunk)
	head, err := br.Peek(6)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	name, try := compression(head)
	switch {
	case try != "":
		return nil, nil, fmt.Errorf("archive: compressed with %s, which is not read here; try: %s FILE | pulley cache import -", name, try)
	case name == "gzip":
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, nil, &InvalidError{Err: err}
		}
		return &bounded{r: z, in: in}, func() { _ = z.Close() }, nil
	case name == "zstd":
		// One at a time: r is the caller's, and not to be read from other
		// goroutines, or after Import has returned.
		z, err := zstd.NewReader(br, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nil, &InvalidError{Err: err}
		}
		return &bounded{r: z, in: in}, z.Close, nil
	}
	return br, func() {}, nil
}

// counted counts what was read.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// bounded ends with errBomb when far more comes out than went in.
type bounded struct {
	r   io.Reader
	in  *counted
	out int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.out += int64(n)
	if b.out > bombSlack && (b.out-bombSlack)/bombRatio > b.in.n {
		return 0, errBomb
	}
	return n, err
}
