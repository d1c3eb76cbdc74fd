package context

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/docker/cli/cli/context/docker"
	"github.com/docker/cli/cli/context/store"
)

// Export writes a context as docker's own archive: a tar with its description and its TLS files, the private key among
// them. The default one has nothing to export.
func (b *Book) Export(name string, w io.Writer) error {
	if name == Default {
		return errDefault
	}
	if _, err := b.load(name); err != nil {
		return err
	}
	r := store.Export(name, b.store)
	defer func() { _ = r.Close() }()
	if _, err := io.Copy(w, r); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Import makes a context that does not exist yet from docker's archive, tar or zip. An archive with anything wrong with it
// leaves none.
func (b *Book) Import(name string, r io.Reader) error {
	if err := b.free(name); err != nil {
		return err
	}
	err := store.Import(name, b.store, r)
	if err == nil {
		err = b.sound(name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%s: not an exported context: %w", name, err), b.store.Remove(name))
	}
	return nil
}

// Restore makes a context what an archive of its own says, be it there now or not. An archive with anything wrong with it
// changes nothing.
func (b *Book) Restore(name string, r io.Reader) error {
	var now bytes.Buffer
	back := func() error { return store.Import(name, b.store, &now) }
	switch err := b.Export(name, &now); {
	case errors.Is(err, ErrNotFound):
		back = func() error { return b.store.Remove(name) }
	case err != nil:
		return err
	}
	if err := store.Import(name, b.store, r); err != nil {
		return errors.Join(fmt.Errorf("%s: not an exported context: %w", name, err), back())
	}
	return nil
}

// sound wants a context that can be used.
func (b *Book) sound(name string) error {
	m, err := b.store.GetMetadata(name)
	if err != nil {
		return err
	}
	ep, err := docker.EndpointFromContext(m)
	if err != nil {
		return err
	}
	full, err := docker.WithTLSData(b.store, name, ep)
	if err != nil {
		return err
	}
	c, err := dial(full)
	if err != nil {
		return err
	}
	return c.Close()
}
