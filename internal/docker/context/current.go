package context

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Use makes a context the current one in config.json; what the environment says goes before it: see Overriding. Default
// takes the key out. Where nothing changes nothing is written.
func (b *Book) Use(name string) error {
	if name == Default {
		return b.setCurrent("")
	}
	if _, err := b.load(name); err != nil {
		return err
	}
	return b.setCurrent(name)
}

// current is the context that config.json names, or "".
func (b *Book) current() (string, error) {
	text, err := os.ReadFile(b.configFile())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("docker's settings: %w", err)
	}
	name, err := readCurrent(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", b.configFile(), err)
	}
	return name, nil
}

func (b *Book) configFile() string { return filepath.Join(b.dir, "config.json") }

func (b *Book) setCurrent(name string) error {
	file := b.configFile()
	target, err := target(file)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	old, err := os.ReadFile(target) //nolint:gosec // the person's own file
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("docker's settings: %w", err)
	}
	text, err := setCurrent(old, name)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if bytes.Equal(old, text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return fmt.Errorf("docker's settings: %w", err)
	}
	if err := replace(target, text); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// target follows links to the file that they lead to, which need not exist.
func target(path string) (string, error) {
	const most = 40 // as Linux follows
	for range most {
		link, err := os.Readlink(path)
		if err != nil {
			return path, nil //nolint:nilerr // it is no link
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(path), link)
		}
		path = link
	}
	return "", errors.New("too many links")
}

// replace writes a file in one step, with the mode and the owner of the one that was there; a new one is the person's
// alone.
func replace(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".config-*.tmp") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if old, statErr := os.Stat(path); statErr == nil {
		if err := errors.Join(keepOwner(f, old), f.Chmod(old.Mode().Perm())); err != nil {
			return err
		}
	}
	if _, err := f.Write(text); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
