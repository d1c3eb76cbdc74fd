package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"pulley/internal/control"
	"pulley/internal/control/client"
)

func (a *app) egress() *cobra.Command {
	return group("egress", "ways out of this machine: direct, http, https, socks5, ssh",
		a.egressList(), a.egressAdd(), a.egressRemove(), a.egressTest(), a.egressUse())
}

func (a *app) egressList() *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "the configured ways out and who leaves by them", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd, func(c *client.Client) error {
				list, err := c.Egresses(cmd.Context())
				if err != nil {
					return err
				}
				return a.print(cmd, list, func(w io.Writer) { printEgresses(w, list) })
			})
		},
	}
}

func printEgresses(w io.Writer, list []control.Egress) {
	if len(list) == 0 {
		_, _ = fmt.Fprintln(w, "none: connections leave by the system's or environment's proxy, or directly; try: pulley egress add jump ssh://user@host --for gcr.io")
		return
	}
	var rows [][]string
	for _, e := range list {
		state := or(e.Why, "-")
		if e.HostKey != nil {
			state = "unknown host key " + e.HostKey.Fingerprint + "; see: pulley egress test " + e.Name
		}
		rows = append(rows, []string{e.Name, e.URL, or(strings.Join(e.For, ","), "-"), or(strings.Join(e.Except, ","), "-"), state})
	}
	table(w, "NAME URL FOR EXCEPT STATE", rows)
}

func (a *app) egressAdd() *cobra.Command {
	var e control.Egress
	var accept string
	cmd := &cobra.Command{
		Use:   "add NAME URL",
		Short: "add a way out: http://, https://, socks5:// or ssh://user@host",
		Long: "Adds a way out. ssh:// needs nothing on the far side but sshd, and follows your own ssh settings, agent and keys:\n" +
			"  pulley egress add jump ssh://me@203.0.113.7 --for gcr.io,registry.k8s.io",
		Args: exactly(2, "a name and a URL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			e.Name, e.URL = args[0], args[1]
			return with(cmd, func(c *client.Client) error {
				return a.addEgress(cmd, c, e, accept)
			})
		},
	}
	cmd.Flags().StringSliceVar(&e.For, "for", nil, `registries that leave through it; "*" for all, tunnels too`)
	cmd.Flags().StringSliceVar(&e.Except, "except", nil, "registries and hosts that do not")
	cmd.Flags().StringVar(&accept, "accept", "", "fingerprint of the SSH server's key, SHA256:…, to be believed")
	return cmd
}

// addEgress adds a way out and tries it. One that fails stays, as a mirror does: what is wrong may be mended elsewhere.
func (a *app) addEgress(cmd *cobra.Command, c *client.Client, e control.Egress, accept string) error {
	if err := c.AddEgress(cmd.Context(), e); err != nil {
		return err
	}
	report, err := test(cmd, c, e.Name, "", accept)
	if err == nil {
		err = a.printEgressTest(cmd, report)
	}
	if err != nil {
		return fmt.Errorf("%w; it was added all the same; to take it out again: pulley egress rm %s", err, e.Name)
	}
	return nil
}

func (a *app) egressRemove() *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Short: "take a way out of the settings", Args: exactly(1, "a name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return with(cmd, func(c *client.Client) error {
				if err := c.RemoveEgress(cmd.Context(), args[0]); err != nil {
					return err
				}
				return a.print(cmd, control.Egress{Name: args[0]}, func(w io.Writer) { _, _ = fmt.Fprintln(w, "removed") })
			})
		},
	}
}

func (a *app) egressUse() *cobra.Command {
	return &cobra.Command{
		Use:   "use NAME [REGISTRY…]",
		Short: `say which registries leave by a way; none means all of them and tunnels ("*"), "-" means nobody`,
		Args:  between(1, -1, "a way out"),
		RunE: func(cmd *cobra.Command, args []string) error {
			use := control.EgressUse{Name: args[0], For: args[1:]}
			switch {
			case len(use.For) == 0:
				use.For = []string{"*"}
			case len(use.For) == 1 && use.For[0] == "-":
				use.For = nil
			}
			return with(cmd, func(c *client.Client) error {
				if err := c.UseEgress(cmd.Context(), use.Name, use.For); err != nil {
					return err
				}
				return a.print(cmd, use, func(w io.Writer) {
					_, _ = fmt.Fprintln(w, use.Name, "is used for", or(strings.Join(use.For, ", "), "nothing"))
				})
			})
		},
	}
}

func (a *app) egressTest() *cobra.Command {
	var accept string
	cmd := &cobra.Command{
		Use: "test [NAME [HOST]]", Short: "go out by a way, to Docker Hub or to another host", Args: between(0, 2, "a way out and a host"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, target := "direct", ""
			if len(args) > 0 {
				name = args[0]
			}
			if len(args) > 1 {
				target = args[1]
			}
			return with(cmd, func(c *client.Client) error {
				report, err := test(cmd, c, name, target, accept)
				if err != nil {
					return err
				}
				return a.printEgressTest(cmd, report)
			})
		},
	}
	cmd.Flags().StringVar(&accept, "accept", "", "fingerprint of the SSH server's key, SHA256:…, to be believed")
	return cmd
}

// test goes out by a way; where an SSH server's key is unknown it shows the fingerprint and asks, or takes the one the
// person has given beforehand.
func test(cmd *cobra.Command, c *client.Client, name, target, accept string) (control.EgressReport, error) {
	report, err := c.TestEgress(cmd.Context(), name, target)
	for range maxHops { // each jump host may have a key of its own to be vouched for
		if err != nil || report.HostKey == nil {
			return report, err
		}
		if err := vouch(cmd, c, name, *report.HostKey, accept); err != nil {
			return report, err
		}
		report, err = c.TestEgress(cmd.Context(), name, target)
	}
	return report, err
}

// maxHops is how many servers in a row may ask to be vouched for.
const maxHops = 8

var errNotVouched = errors.New("not accepted")

func vouch(cmd *cobra.Command, c *client.Client, name string, key control.HostKey, accept string) error {
	what := fmt.Sprintf("%s shows a key nobody has vouched for: %s %s", key.Host, key.Type, key.Fingerprint)
	switch {
	case accept == key.Fingerprint:
	case accept != "":
		return fmt.Errorf("%s: %s, not %s; compare it with the server's own", name, what, accept)
	case !term.IsTerminal(int(os.Stdin.Fd())): //nolint:gosec // a file descriptor is small
		return fmt.Errorf("%s: %s; if that is its key: pulley egress test %s --accept %s", name, what, name, key.Fingerprint)
	default:
		if err := confirm(cmd.Context(), cmd.ErrOrStderr(), os.Stdin, what+"; is that its key? [y/N] "); err != nil {
			return fmt.Errorf("%s: %s: %w", name, key.Host, err)
		}
	}
	return c.AcceptKey(cmd.Context(), name, key.Fingerprint)
}

// confirm asks a question that only "y" and "yes" answer well.
func confirm(ctx context.Context, w io.Writer, r io.Reader, question string) error {
	_, _ = fmt.Fprint(w, question)
	answers := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(r).ReadString('\n')
		answers <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case answer := <-answers:
		if answer == "y" || answer == "yes" {
			return nil
		}
		return errNotVouched
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// printEgressTest prints a report; a way that leads nowhere is a failure.
func (a *app) printEgressTest(cmd *cobra.Command, r control.EgressReport) error {
	if a.json || r.OK {
		if err := a.print(cmd, r, func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "%s reaches %s: way %s, target %s (%s)\n", r.Name, r.Target, ms(r.Connect), ms(r.Answer), or(r.Way, r.Name))
		}); err != nil {
			return err
		}
	}
	if !r.OK {
		return fmt.Errorf("%s: %s is not reached: %s", r.Name, r.Target, strings.TrimPrefix(r.Error, r.Target+": "))
	}
	return nil
}
