package config

import (
	"fmt"
	"os"
	"path/filepath"
)

// write puts text in the place of the file's, which is kept as <path>.bak. Links stay: the file that they lead to is
// the one that is replaced.
func (s *Store) write(old, text []byte) error {
	_, target := trail(s.path)
	for _, path := range []string{s.path, target} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("settings: %w", err)
		}
	}
	if old != nil {
		if err := replace(s.path+".bak", old); err != nil {
			return err
		}
	}
	return replace(target, text)
}

// replace writes a file in one step: after a crash it has the old text or the new one.
func replace(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".config-*") // 0600
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
			err = fmt.Errorf("settings: %w", err)
		}
	}()
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path)) // else the rename may not outlive a power cut
}
