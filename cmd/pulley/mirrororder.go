package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pulley/internal/control"
	"pulley/internal/control/client"
)

func (a *app) mirrorOrder() *cobra.Command {
	return &cobra.Command{
		Use:   "order REGISTRY [NAME…]",
		Short: "say which mirrors you prefer, the most preferred first; with no names, say how it is",
		Long: "Says which mirrors of a registry you prefer, the most preferred first; those that are not named come after them, as before.\n" +
			"On the route auto what is measured counts, and this only between those of which nothing is known yet.\n" +
			"When the route names a mirror and that fails, the others are used in this order.",
		Args: between(1, -1, "a registry and its mirrors"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return with(cmd, func(c *client.Client) error {
				if len(args) > 1 {
					if err := c.OrderMirrors(cmd.Context(), args[0], args[1:]); err != nil {
						return err
					}
				}
				order := control.MirrorOrder{Registry: args[0]}
				var err error
				if order.Names, err = mirrorsInOrder(cmd.Context(), c, args[0]); err != nil {
					return err
				}
				return a.print(cmd, order, func(w io.Writer) { _, _ = fmt.Fprintln(w, or(strings.Join(order.Names, " "), "no mirrors")) })
			})
		},
	}
}

// mirrorsInOrder are the names of a registry's mirrors, the most preferred first.
func mirrorsInOrder(ctx context.Context, c *client.Client, registry string) (names []string, err error) {
	list, err := c.Sources(ctx, registry)
	list = slices.DeleteFunc(list, func(s control.Source) bool { return s.Place == 0 })
	slices.SortFunc(list, func(x, y control.Source) int { return cmp.Compare(x.Place, y.Place) })
	for _, s := range list {
		names = append(names, s.Name)
	}
	return names, err
}

func (a *app) mirrorSet() *cobra.Command {
	var m control.Mirror
	cmd := &cobra.Command{
		Use: "set REGISTRY NAME", Short: "change what is said of a mirror, and leave the rest of it as it is", Args: exactly(2, "a registry and a mirror"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return with(cmd, func(c *client.Client) error {
				list, err := c.Sources(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				for _, s := range list {
					if s.Name == args[1] {
						keep(cmd, &m, s)
					}
				}
				m.Registry, m.Name, m.Amend = args[0], args[1], true
				if err := c.AddMirror(cmd.Context(), m); err != nil {
					return err
				}
				return a.print(cmd, m, func(w io.Writer) { _, _ = fmt.Fprintln(w, "changed") })
			})
		},
	}
	cmd.Flags().StringVar(&m.URL, "url", "", "where it is")
	mirrorFlags(cmd, &m)
	return cmd
}

// keep has what no flag was given for stay as it is.
func keep(cmd *cobra.Command, m *control.Mirror, is control.Source) {
	given := cmd.Flags().Changed
	if !given("quota") {
		m.Quota = is.QuotaSet
	}
	if !given("auth") {
		m.Auth = is.Auth
	}
	if !given("trust-tags") {
		m.TrustTags = is.TrustTags
	}
	if !given("private") {
		m.Private = is.Private
	}
}

// mirrorFlags are what can be said of a mirror besides its name and place.
func mirrorFlags(cmd *cobra.Command, m *control.Mirror) {
	f := cmd.Flags()
	f.StringVar(&m.Style, "style", "", "host: same paths; prefix: /v2/REGISTRY/REPOSITORY; ns: ?ns=REGISTRY")
	f.StringVar(&m.Quota, "quota", "", "most bytes to take from it, as 10GiB/month")
	f.StringVar(&m.Auth, "auth", "", "its own credentials: env:NAME, docker, or file:PATH")
	f.BoolVar(&m.TrustTags, "trust-tags", false, "believe its tags when the origin cannot be reached")
	f.BoolVar(&m.Private, "private", false, "it may be told names of repositories that are not known to be public")
}
