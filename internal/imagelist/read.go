package imagelist

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxSize is the largest file that is read, in bytes: far above what people write (the manifests of a whole cluster
// are a few MiB), and small enough to hold parsed.
const MaxSize = 16 << 20

// read takes all of r, at most MaxSize.
func read(r io.Reader, file string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, failed(file, err)
	}
	if len(b) > MaxSize {
		return nil, FileError{File: file, Text: fmt.Sprintf("larger than %d MiB, not read", MaxSize>>20)}
	}
	return b, nil
}

// readFile reads a regular file: a pipe or a device could keep a person waiting for ever.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, failed(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, FileError{File: path, Text: "not a file"}
	}
	f, err := os.Open(path) //nolint:gosec // the file a person named, or one that it refers to
	if err != nil {
		return nil, failed(path, err)
	}
	defer f.Close()
	return read(f, path)
}

// failed is an error of the system. Package os puts the path into the text, which is there already.
func failed(file string, err error) FileError {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return FileError{File: file, Text: oneLine(err.Error()), err: err}
}

// oneLine makes a foreign message fit a line of a terminal: white space runs are one space, control characters go.
func oneLine(s string) string {
	const limit = 400 // characters; parsers quote what they did not understand, however long it is
	s = strings.Join(strings.Fields(s), " ")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit]) + "…"
	}
	return s
}

// quote is a foreign word in a message, shortened.
func quote(s string) string {
	if r := []rune(s); len(r) > 80 {
		s = string(r[:80]) + "…"
	}
	return strconv.Quote(s)
}

// guard turns a panic of a parser into an error: the input is foreign, and one file that a library did not expect
// must not end the program. To be deferred.
func guard(file string, err *error) {
	if p := recover(); p != nil {
		*err = FileError{File: file, Text: oneLine(fmt.Sprintf("cannot be read: %v", p))}
	}
}
