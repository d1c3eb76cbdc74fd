// Package bitrot does in tests what a bad disk does to files. It knows nothing of the rest of this module.
package bitrot

import (
	"errors"
	"os"
	"testing"
)

// Flip changes one bit of the byte at an offset of a file. Quietly leaves the file's times as they were, so that nothing
// but its bytes tells of it; it is still written to through the same inode.
func Flip(t testing.TB, name string, at int64, quietly bool) {
	t.Helper()
	before, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := flip(name, at); err != nil {
		t.Fatal(err)
	}
	if quietly {
		if err := os.Chtimes(name, before.ModTime(), before.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
}

func flip(name string, at int64) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	if err == nil {
		b[0] ^= 1
		_, err = f.WriteAt(b[:], at)
	}
	return errors.Join(err, f.Close())
}
