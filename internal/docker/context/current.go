package context

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"pulley/internal/docker/machine"
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

// setCurrent keeps the file's mode, its owner and a link that it is. It is written in one step; what docker itself writes at
// the same moment may be lost, as between two dockers.
func (b *Book) setCurrent(name string) error {
	file := b.configFile()
	old, err := os.ReadFile(file)
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
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return fmt.Errorf("docker's settings: %w", err)
	}
	if _, err := new(machine.Local).WriteFile(file, text, 0o600); err != nil {
		return fmt.Errorf("docker's settings: %w", err)
	}
	return nil
}
