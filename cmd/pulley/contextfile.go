package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"pulley/internal/cause"
	"pulley/internal/config"
	dockercontext "pulley/internal/docker/context"
)

// removed is a context that is gone, and what brings it back.
type removed struct {
	Name string `json:"name"`
	Undo string `json:"undo,omitempty"`
	File string `json:"file,omitempty"` // the export that it is brought back from
}

func (a *app) contextRemove() *cobra.Command {
	var force, forget bool
	cmd := &cobra.Command{
		Use: "rm NAME…", Short: "remove contexts; the one that docker uses only with --force", Args: between(1, -1, "names"),
		Long: "Removes contexts. What was removed last under a name is kept as an export in Pulley's state folder, its private key\n" +
			"included, so that it can be brought back; with --forget it is not, and an older one goes too.",
		RunE: func(cmd *cobra.Command, names []string) error {
			return withContexts(func(b *dockercontext.Book) error {
				var gone []removed
				var failed failures
				for _, name := range names {
					r, err := remove(b, name, force, forget)
					if err != nil {
						failed = append(failed, err)
						continue
					}
					gone = append(gone, r)
				}
				if len(gone) > 0 {
					if err := a.print(cmd, gone, func(w io.Writer) { printRemoved(w, gone) }); err != nil {
						return err
					}
				}
				return failed.orNil()
			})
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "also the one that docker uses")
	cmd.Flags().BoolVar(&forget, "forget", false, "keep nothing to bring it back with")
	return cmd
}

func printRemoved(w io.Writer, gone []removed) {
	for _, r := range gone {
		if r.Undo == "" {
			_, _ = fmt.Fprintln(w, "removed", r.Name)
			continue
		}
		_, _ = fmt.Fprintf(w, "removed %s; undo: %s\n", r.Name, r.Undo)
	}
}

// remove removes a context, and keeps an export of it unless it is to be forgotten.
func remove(b *dockercontext.Book, name string, force, forget bool) (removed, error) {
	if err := b.Removable(name, force); err != nil {
		return removed{}, err
	}
	if _, err := b.Get(name); err != nil { // by force goes also what cannot be read, and so cannot be kept
		forget = true
	}
	file, err := keptFile(name)
	if err != nil {
		return removed{}, err
	}
	if forget {
		if err := b.Remove(name, force); err != nil {
			return removed{}, err
		}
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return removed{}, fmt.Errorf("%s: it is removed, but an older export of it is not: %w", name, err)
		}
		return removed{Name: name}, nil
	}
	winner, err := b.Winner("")
	if err != nil {
		return removed{}, err
	}
	if err := keeping(b, name, func() error { return b.Remove(name, force) }); err != nil {
		return removed{}, err
	}
	r := removed{Name: name, Undo: undoCommand(name), File: file}
	if winner.Name == name && winner.Why == "currentContext" {
		r.Undo += "; pulley context use " + name
	}
	return r, nil
}

func undoCommand(name string) string { return "pulley context undo " + name }

// keptFile is where an export of what a context was before its last change lies.
func keptFile(name string) (string, error) {
	places, err := config.FindPlaces(os.Environ())
	if err != nil {
		return "", err
	}
	return filepath.Join(places.StateDir, "contexts", url.PathEscape(name)+contextSuffix), nil
}

// keeping calls change, and keeps what the context was before if that is done.
func keeping(b *dockercontext.Book, name string, change func() error) error {
	file, err := keptFile(name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("%s: cannot be kept for an undo: %w", name, err)
	}
	written, err := writeExport(b, name, file)
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		_ = os.Remove(written)
		return err
	}
	if err := os.Rename(written, file); err != nil {
		return fmt.Errorf("%s: it is done, but cannot be undone: %w", name, err)
	}
	return nil
}

func (a *app) contextUndo() *cobra.Command {
	return &cobra.Command{
		Use: "undo NAME", Short: "make a context what it was before it was updated or removed last", Args: exactly(1, "a name"),
		Long: "Brings back what a context was, its certificates and private key included, before `pulley context update`, `rm` or\n" +
			"`undo` changed it last.",
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			file, err := keptFile(name)
			if err != nil {
				return err
			}
			kept, err := os.ReadFile(file) //nolint:gosec // our own
			if errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("%s: there is nothing to undo; see: pulley context ls", name)
			}
			if err != nil {
				return fmt.Errorf("%s: what it was cannot be read: %w", name, err)
			}
			return a.changed(cmd, name, "brought back", func(b *dockercontext.Book) error {
				restore := func() error { return b.Restore(name, bytes.NewReader(kept)) }
				if _, err := b.Get(name); errors.Is(err, dockercontext.ErrNotFound) {
					if err := restore(); err != nil {
						return err
					}
					return os.Remove(file)
				}
				return keeping(b, name, restore)
			})
		},
	}
}

// contextSuffix is what docker's own exports end in.
const contextSuffix = ".dockercontext"

func (a *app) contextExport() *cobra.Command {
	return &cobra.Command{
		Use: "export NAME [FILE]", Short: "write a context as docker's own archive, its private key included", Args: between(1, 2, "a name and a file"),
		Long: "Writes a context with its TLS files, the private key included, as `docker context export` does: NAME.dockercontext in\n" +
			"this folder, or another file, or - for standard output. A file that exists is not overwritten.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withContexts(func(b *dockercontext.Book) error {
				name, file := args[0], args[0]+contextSuffix
				if len(args) > 1 {
					file = args[1]
				}
				if file == "-" {
					if isTerminal(cmd.OutOrStdout()) {
						return usageError{fmt.Errorf("export: a tar is nothing for a terminal; try: pulley context export %s FILE", name)}
					}
					return b.Export(name, cmd.OutOrStdout())
				}
				if err := exportContext(b, name, file); err != nil {
					return err
				}
				return a.print(cmd, map[string]string{"name": name, "file": file}, func(w io.Writer) { _, _ = fmt.Fprintln(w, "wrote", file) })
			})
		},
	}
}

// exportContext writes a file for its owner alone, whole or not at all.
func exportContext(b *dockercontext.Book, name, file string) error {
	if _, err := b.Get(name); err != nil {
		return err
	}
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("%s: it exists already; give another file", file)
	}
	written, err := writeExport(b, name, file)
	if err != nil {
		return err
	}
	return os.Rename(written, file)
}

// writeExport writes an export beside a file whose place it is to take.
func writeExport(b *dockercontext.Book, name, file string) (written string, err error) {
	f, err := os.CreateTemp(filepath.Dir(file), ".context-*") // 0600
	if err != nil {
		return "", fmt.Errorf("%s: cannot be written: %w", file, cause.Bare(err))
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := b.Export(name, f); err != nil {
		return "", err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("%s: cannot be written: %w", file, cause.Bare(err))
	}
	return f.Name(), nil
}

func (a *app) contextImport() *cobra.Command {
	return &cobra.Command{
		Use: "import NAME FILE", Short: "make a context from an exported one; - reads standard input", Args: exactly(2, "a name and a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, file := args[0], args[1]
			var from io.Reader = cmd.InOrStdin()
			if file != "-" {
				f, err := os.Open(file) //nolint:gosec // the person has named it
				if err != nil {
					return fmt.Errorf("%s: cannot be read: %w", file, cause.Bare(err))
				}
				defer func() { _ = f.Close() }()
				from = f
			}
			return a.changed(cmd, name, "imported", func(b *dockercontext.Book) error { return b.Import(name, from) })
		},
	}
}
