// Package login has the desktop app start when a person logs in, the way that their desktop does it: an entry of their own,
// that they see in the desktop's settings and can switch off there as well.
//
// It must not know what is started.
package login

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moby/sys/atomicwriter"
)

// Entry is what is started. Its methods may run at once; they read or write one small file, or a value of the registry.
type Entry struct {
	ID      string // "app.pulley.tray": the name of what is written
	Name    string // for people
	Program string // absolute; without arguments
}

// write puts a file in its place in one step. Its folder is made, for its owner alone.
func write(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	if err := atomicwriter.WriteFile(name, text, 0o600); err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	return nil
}

// remove takes a file away that may not be there.
func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("start at login: %w", err)
	}
	return nil
}

// has says whether a file is there and has a text in it.
func has(name, text string) (bool, error) {
	found, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("start at login: %w", err)
	}
	return bytes.Contains(found, []byte(text)), nil
}
