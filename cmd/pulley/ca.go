package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"pulley/internal/config"
	"pulley/internal/control/client"
	"pulley/internal/daemon"
	"pulley/internal/trust"
	"pulley/proxy/ca"
)

func (a *app) ca() *cobra.Command {
	return group("ca", "the local certificate authority", a.caShow(), a.caExport(), a.caTrust(), a.caUntrust(), a.caRotate())
}

// caFile is the PEM of all current local authorities, and its content.
func caFile() (path string, content []byte, err error) {
	places, err := config.FindPlaces(os.Environ())
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(places.CADir, "ca.crt")
	content, err = os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return path, nil, fmt.Errorf("ca: there is none at %s yet; it is made by the first: pulley up", path)
	}
	return path, content, err
}

func (a *app) caShow() *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "list them, and whether this system trusts them", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd, func(c *client.Client) error {
				list, err := c.CAs(cmd.Context())
				if err != nil {
					return err
				}
				return a.print(cmd, list, func(w io.Writer) {
					for _, ca := range list {
						_, _ = fmt.Fprintf(w, "%s\n  valid until %s\n  sha256 %s\n  may sign for %s\n", ca.Subject, ca.NotAfter.Format("2006-01-02"), ca.SHA256, strings.Join(ca.Permitted, " "))
					}
					if path, _, err := caFile(); err == nil {
						_, _ = fmt.Fprintf(w, "file %s\n", path)
						if status, err := (trust.Store{}).Status(path); err == nil {
							_, _ = fmt.Fprintln(w, status.Detail)
						}
					}
				})
			})
		},
	}
}

func (a *app) caExport() *cobra.Command {
	return &cobra.Command{
		Use: "export", Short: "write PEM to stdout", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, content, err := caFile()
			if err != nil {
				return err
			}
			return a.print(cmd, map[string]string{"pem": string(content)}, func(w io.Writer) { _, _ = w.Write(content) })
		},
	}
}

func (a *app) caTrust() *cobra.Command {
	return &cobra.Command{
		Use: "trust", Short: "make this system trust them", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, _, err := caFile()
			if err != nil {
				return err
			}
			if err := (trust.Store{}).Install(cmd.Context(), path); err != nil {
				return err
			}
			// Hosts that clients rejected us for need not wait; without a daemon there are none.
			_ = with(cmd, func(c *client.Client) error { return c.CATrusted(cmd.Context()) })
			return a.print(cmd, map[string]bool{"trusted": true}, func(w io.Writer) {
				_, _ = fmt.Fprintln(w, "trusted by this system; engines that run need a restart to see it")
			})
		},
	}
}

func (a *app) caUntrust() *cobra.Command {
	return &cobra.Command{
		Use: "untrust", Short: "take them out of this system's trust again", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := (trust.Store{}).Uninstall(cmd.Context()); err != nil {
				return err
			}
			return a.print(cmd, map[string]bool{"trusted": false}, func(w io.Writer) { _, _ = fmt.Fprintln(w, "no longer trusted by this system") })
		},
	}
}

func (a *app) caRotate() *cobra.Command {
	return &cobra.Command{
		Use: "rotate", Short: "new keys; the old ones stay trusted for an overlap", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := with(cmd, func(c *client.Client) error { return c.RotateCA(cmd.Context()) })
			if errors.Is(err, client.ErrNotRunning) {
				err = rotateOnDisk(cmd.ErrOrStderr())
			}
			if err != nil {
				return err
			}
			return a.print(cmd, map[string]bool{"rotated": true}, func(w io.Writer) { _, _ = fmt.Fprintln(w, "new keys; next: pulley ca trust") })
		},
	}
}

// rotateOnDisk is for when no daemon runs, above all because a damaged file keeps it from starting: that is set aside.
func rotateOnDisk(notes io.Writer) error {
	places, err := config.FindPlaces(os.Environ())
	if err != nil {
		return err
	}
	options := ca.Options{Dir: places.CADir}
	broken, err := ca.Repair(options)
	if err != nil {
		return err
	}
	for _, file := range broken {
		_, _ = fmt.Fprintln(notes, "set aside:", file)
	}
	store, err := ca.Open(options)
	if err != nil {
		return err
	}
	settings, err := config.Load(places.ConfigFile, os.Environ())
	if err != nil {
		return err
	}
	if err := store.Cover(daemon.CAHosts(settings)); err != nil || len(broken) > 0 {
		return err
	}
	return store.Rotate()
}
