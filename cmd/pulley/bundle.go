package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"pulley/internal/cause"
	"pulley/internal/control"
	"pulley/internal/control/client"
)

func (a *app) cacheExport() *cobra.Command {
	var e control.Export
	var file string
	cmd := &cobra.Command{
		Use: "export IMAGE…", Short: "write images as one tar for docker load, podman load, skopeo and pulley cache import", Args: between(1, -1, "images"),
		Long: "Writes images that are in the cache as one tar, which docker load, podman load, skopeo and pulley cache import read:\n\n" +
			"  pulley cache export alpine ghcr.io/org/app:1.2 > bundle.tar",
		RunE: func(cmd *cobra.Command, names []string) error {
			if file == "" || file == "-" {
				file = ""
				if isTerminal(cmd.OutOrStdout()) {
					return usageError{errors.New("export: a tar is nothing for a terminal; try: pulley cache export -o bundle.tar IMAGE")}
				}
			}
			e.Images = names
			return with(cmd, func(c *client.Client) error {
				if e.All {
					if err := a.fetchMissing(cmd, c, e); err != nil {
						return err
					}
				}
				if file == "" {
					return stopped(cmd.Context(), c.Export(cmd.Context(), e, cmd.OutOrStdout()))
				}
				n, err := exportTo(cmd.Context(), c, e, file)
				if err != nil {
					return stopped(cmd.Context(), err)
				}
				return a.print(cmd, exported{File: file, Bytes: n, Images: names}, func(w io.Writer) {
					_, _ = fmt.Fprintf(w, "%s: %s\n", file, size(n))
				})
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&file, "output", "o", "", "file to write, in place of standard output")
	flags.StringSliceVar(&e.Platforms, "platform", nil, "platforms to take along, as linux/arm64; by default the one an engine here takes")
	flags.BoolVar(&e.All, "all-platforms", false, "every platform there is; what is missing is fetched first")
	cmd.MarkFlagsMutuallyExclusive("platform", "all-platforms")
	return cmd
}

// exported is what was written where.
type exported struct {
	File   string   `json:"file"`
	Bytes  int64    `json:"bytes"`
	Images []string `json:"images"`
}

// fetchMissing completes images that are to be exported. How far that is stands on stderr: stdout may be the tar's.
func (a *app) fetchMissing(cmd *cobra.Command, c *client.Client, e control.Export) error {
	e.Credentials = logins(cmd, e.Images)
	show := a.newProgress(cmd.ErrOrStderr(), "export")
	defer show.close()
	pulled, err := c.FetchMissing(cmd.Context(), e, show.pulling)
	show.close()
	if err != nil {
		return stopped(cmd.Context(), err)
	}
	return notPulled(pulled).orNil()
}

// exportTo writes a file that is there whole or not at all.
func exportTo(ctx context.Context, c *client.Client, e control.Export, file string) (n int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return 0, fmt.Errorf("%s: cannot be written: %w", file, cause.Bare(err))
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	err = c.Export(ctx, e, f)
	if err == nil {
		n, err = f.Seek(0, io.SeekCurrent)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return 0, fmt.Errorf("%s: cannot be written: %w", file, cause.Bare(err))
	}
	return n, nil
}

func (a *app) cacheImport() *cobra.Command {
	return &cobra.Command{
		Use: "import [FILE|-]", Short: "take images out of a tar: of pulley cache export, docker save, podman save, skopeo or buildx", Args: between(0, 1, "a file, or nothing for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := or(first(args), "-")
			tar, length := os.Stdin, int64(-1)
			if name == "-" {
				if isTerminal(os.Stdin) {
					return usageError{errors.New("import: want a file, or a tar on standard input; see: pulley cache import --help")}
				}
			} else {
				f, err := os.Open(name)
				if err != nil {
					return fmt.Errorf("%s: cannot be read: %w", name, cause.Bare(err))
				}
				defer func() { _ = f.Close() }()
				tar = f
			}
			if info, err := tar.Stat(); err == nil && info.Mode().IsRegular() {
				length = info.Size()
			} else if err == nil && info.IsDir() {
				return fmt.Errorf("%s: is a folder; want a tar", name)
			}
			return with(cmd, func(c *client.Client) error { return a.runImport(cmd, c, tar, name, length) })
		},
	}
}

func (a *app) runImport(cmd *cobra.Command, c *client.Client, tar io.Reader, name string, length int64) error {
	show := a.newProgress(cmd.OutOrStdout(), "import")
	defer show.close()
	imported, err := c.Import(cmd.Context(), tar, func(p control.Importing) {
		show.amount(p.Bytes, length, counted(p.Blobs, "blob"))
	})
	show.close()
	switch {
	case cmd.Context().Err() != nil:
		return errors.New("stopped; nothing was named: run it again")
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case a.json:
		return a.result(cmd.OutOrStdout(), imported)
	}
	for _, image := range imported.Images {
		text := familiarRef(image)
		if called := imported.Called[image]; called != "" {
			text = printable(called) + " → " + text
		}
		_, _ = fmt.Fprintln(cmd.OutOrStdout(), text)
	}
	_, _ = fmt.Fprintf(cmd.OutOrStdout(), "%s, %s read\n", counted(len(imported.Images), "image"), size(imported.Bytes))
	return nil
}

// printable is a text out of somebody's file as a terminal may have it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
