//go:build !linux && !darwin

package cache

import (
	"errors"
	"io"
	"os"
)

// readStamped reads the first bytes of a file, and says what it looked like before.
func readStamped(path string, p []byte) (st stamp, n int, err error) {
	f, err := openShared(path, os.O_RDONLY, 0)
	if err != nil {
		return stamp{}, 0, err
	}
	defer func() { _ = f.Close() }()
	if st, err = stampOf(f); err != nil {
		return stamp{}, 0, err
	}
	if n, err = io.ReadFull(f, p); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return st, n, err
}
