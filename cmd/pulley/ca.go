package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/control/client"
	"pulley/internal/daemon"
	"pulley/internal/sudo"
	"pulley/internal/trust"
	"pulley/proxy/ca"
)

func (a *app) ca() *cobra.Command {
	return group("ca", "the local certificate authority", a.caShow(), a.caExport(), a.caTrust(), a.caUntrust(), a.caRotate())
}

// caFile is the PEM of all current local authorities, and its content.
func caFile(ctx context.Context) (path string, content []byte, err error) {
	places, err := client.Places(ctx, os.Environ())
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(places.CADir, "ca.crt")
	content, err = os.ReadFile(path)
	if errors.Is(err, os.ErrPermission) && places == config.SystemPlaces() {
		return path, nil, fmt.Errorf("ca: %s is the system service's, whose files root reads; next: the same with: sudo %s", path, sudo.Program())
	}
	if errors.Is(err, os.ErrNotExist) {
		if user := os.Getenv("SUDO_USER"); user != "" {
			return path, nil, fmt.Errorf("ca: root has none at %s; without sudo, pulley ca trust says what root has to do for %s's", path, user)
		}
		return path, nil, fmt.Errorf("ca: there is none at %s yet; it is made by the first: pulley up", path)
	}
	return path, content, err
}

// shownCA is a CA, and who trusts it.
type shownCA struct {
	control.CA
	TrustedBy []string      `json:"trusted_by"`
	TrustedIn []trust.Where `json:"trusted_in"` // the same, for programs
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
				path, _, err := caFile(cmd.Context())
				if err != nil {
					return err
				}
				status, err := (trust.Store{}).Status(path)
				if err != nil {
					return err
				}
				shown := make([]shownCA, len(list))
				for i, ca := range list {
					shown[i] = shownCA{CA: ca, TrustedBy: []string{}, TrustedIn: []trust.Where{}}
					for _, s := range status.Stores {
						if slices.Contains(s.SHA256, strings.ToLower(ca.SHA256)) {
							shown[i].TrustedBy, shown[i].TrustedIn = append(shown[i].TrustedBy, s.Store), append(shown[i].TrustedIn, s.Where)
						}
					}
				}
				return a.print(cmd, shown, func(w io.Writer) {
					for _, ca := range list {
						_, _ = fmt.Fprintf(w, "%s\n  valid until %s\n  sha256 %s\n  may sign for %s\n", ca.Subject, ca.NotAfter.Format("2006-01-02"), ca.SHA256, strings.Join(ca.Permitted, " "))
					}
					_, _ = fmt.Fprintf(w, "file %s\n", path)
					for _, s := range status.Stores {
						_, _ = fmt.Fprintln(w, s.Detail)
					}
					if len(status.Stores) == 0 {
						_, _ = fmt.Fprintln(w, status.Detail)
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
			_, content, err := caFile(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(cmd, map[string]string{"pem": string(content)}, func(w io.Writer) { _, _ = w.Write(content) })
		},
	}
}

// trustAnswer is what `ca trust` and `ca untrust` print.
type trustAnswer struct {
	Trusted bool           `json:"trusted"` // by a store that engines look into
	Stores  []trust.Result `json:"stores"`
}

// trustPlan is what `ca trust --dry-run` prints: the same as lines for a person and for programs.
type trustPlan struct {
	Plan  []string     `json:"plan"`
	Deeds []trust.Deed `json:"deeds"`
}

func (a *app) caTrust() *cobra.Command {
	var system, dry bool
	cmd := &cobra.Command{
		Use: "trust", Short: "make this system trust them, and browsers that keep roots of their own", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, _, err := caFile(cmd.Context())
			if err != nil {
				return err
			}
			store := trust.Store{NoBrowsers: system}
			if dry {
				deeds, err := store.Deeds(path)
				if err != nil {
					return err
				}
				plan := trustPlan{Plan: trust.Lines(deeds), Deeds: append([]trust.Deed{}, deeds...)}
				return a.print(cmd, plan, func(w io.Writer) {
					for _, line := range plan.Plan {
						_, _ = fmt.Fprintln(w, line)
					}
				})
			}
			results, err := store.Apply(cmd.Context(), path)
			if err != nil {
				return err
			}
			answer := trustAnswer{Stores: results}
			for _, r := range results {
				answer.Trusted = answer.Trusted || r.Done && r.Kind != trust.Browser
			}
			if answer.Trusted {
				// Hosts that clients rejected us for need not wait; without a daemon there are none.
				_ = with(cmd, func(c *client.Client) error { return c.CATrusted(cmd.Context()) })
			}
			err = a.print(cmd, answer, func(w io.Writer) {
				printResults(w, results)
				if answer.Trusted {
					_, _ = fmt.Fprintln(w, "engines that run need a restart to see it")
				}
			})
			if err != nil {
				return err
			}
			return trust.Failed(results)
		},
	}
	cmd.Flags().BoolVar(&system, "system", false, "only where engines look: leave the browsers' own databases alone")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would be done, and do nothing")
	return cmd
}

// printResults prints what went well: what did not is the error's.
func printResults(w io.Writer, results []trust.Result) {
	for _, r := range results {
		if r.Err == nil && r.Detail != "" {
			_, _ = fmt.Fprintf(w, "%s: %s\n", r.Store, r.Detail)
		}
	}
}

func (a *app) caUntrust() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "untrust", Short: "take them out of everything that ca trust put them into", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			places, err := client.Places(cmd.Context(), os.Environ())
			if err != nil {
				return err
			}
			results, err := trust.Store{Dir: places.CADir, All: all}.Withdraw(cmd.Context())
			if err != nil {
				return err
			}
			failed := trust.Failed(results)
			err = a.print(cmd, trustAnswer{Stores: results, Trusted: failed != nil}, func(w io.Writer) {
				printResults(w, results)
				if failed == nil {
					_, _ = fmt.Fprintln(w, "no longer trusted by this system")
				}
			})
			if err != nil {
				return err
			}
			return failed
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "those of every Pulley, another user's or a former one's too")
	return cmd
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
