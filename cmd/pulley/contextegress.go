package main

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"pulley/internal/control"
	"pulley/internal/control/client"
	dockercontext "pulley/internal/docker/context"
)

func (a *app) contextEgress() *cobra.Command {
	var e control.Egress
	var accept string
	cmd := &cobra.Command{
		Use: "egress NAME", Short: "make the machine of an ssh context a way out for this one", Args: exactly(1, "a name"),
		Long: "Adds a way out with the context's name and address, as `pulley egress add` does, and tries it. Without --for it is used\n" +
			"for nothing yet.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withContexts(func(b *dockercontext.Book) error {
				address, err := b.SSH(args[0])
				if err != nil {
					return err
				}
				e.Name = args[0]
				if e.URL, err = wayOut(address); err != nil {
					return fmt.Errorf("%s: %w", e.Name, err)
				}
				return with(cmd, func(c *client.Client) error {
					if err := a.addEgress(cmd, c, e, accept); err != nil {
						return err
					}
					if len(e.For) == 0 && !a.json {
						printUnusedWay(cmd.OutOrStdout(), e.Name)
					}
					return nil
				})
			})
		},
	}
	cmd.Flags().StringSliceVar(&e.For, "for", nil, `registries that leave through it; "*" for all, tunnels too`)
	cmd.Flags().StringSliceVar(&e.Except, "except", nil, "registries and hosts that do not")
	cmd.Flags().StringVar(&accept, "accept", "", "fingerprint of the SSH server's key, SHA256:…, to be believed")
	return cmd
}

func printUnusedWay(w io.Writer, name string) {
	_, _ = fmt.Fprintf(w, "nothing leaves by it yet; next: pulley egress use %s, or with registries: pulley egress use %s gcr.io\n", name, name)
}

// wayOut is a context's address without what is docker's alone: the path of the engine's socket.
func wayOut(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return "", fmt.Errorf("its address is no ssh://user@host; see: pulley context ls")
	}
	u.Path, u.RawQuery, u.Fragment = "", "", ""
	return strings.TrimSuffix(u.String(), "/"), nil
}
