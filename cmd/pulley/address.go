package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pulley/internal/control"
	"pulley/internal/control/client"
)

func (a *app) address() *cobra.Command {
	return group("address", "hosts that are dialled where you say, in place of the hosts file", a.addressList(), a.addressSet(), a.addressRemove())
}

func (a *app) addressList() *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "the hosts, where they are dialled, and what failed there lately", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd, func(c *client.Client) error {
				list, err := c.Addresses(cmd.Context())
				if err != nil {
					return err
				}
				return a.print(cmd, list, func(w io.Writer) { printAddresses(w, list) })
			})
		},
	}
}

func printAddresses(w io.Writer, list []control.Address) {
	if len(list) == 0 {
		_, _ = fmt.Fprintln(w, "none: names are looked up as the system does it; try: pulley address set registry-1.docker.io 192.0.2.1")
		return
	}
	var rows [][]string
	for _, one := range list {
		for i, use := range one.Use {
			host, state := "", "-"
			if i == 0 {
				host = one.Host
			}
			if slices.Contains(one.Bad, use) {
				state = "failed lately, tried last"
			}
			rows = append(rows, []string{host, use, state})
		}
	}
	table(w, "HOST ADDRESS STATE", rows)
}

func (a *app) addressSet() *cobra.Command {
	return &cobra.Command{
		Use: "set HOST IP[:PORT]…", Short: "dial a host at these addresses, in turn, and at no others", Args: between(2, -1, "a host and its addresses"),
		RunE: func(cmd *cobra.Command, args []string) error {
			one := control.Address{Host: args[0], Use: args[1:]}
			return with(cmd, func(c *client.Client) error {
				if err := c.SetAddress(cmd.Context(), one); err != nil {
					return err
				}
				return a.print(cmd, one, func(w io.Writer) { _, _ = fmt.Fprintln(w, one.Host, "is dialled at", strings.Join(one.Use, ", ")) })
			})
		},
	}
}

func (a *app) addressRemove() *cobra.Command {
	return &cobra.Command{
		Use: "rm HOST", Short: "look a host up again as the system does it", Args: exactly(1, "a host"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return with(cmd, func(c *client.Client) error {
				if err := c.RemoveAddress(cmd.Context(), args[0]); err != nil {
					return err
				}
				return a.print(cmd, control.Address{Host: args[0]}, func(w io.Writer) { _, _ = fmt.Fprintln(w, "removed") })
			})
		},
	}
}
