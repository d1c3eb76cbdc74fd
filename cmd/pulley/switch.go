package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/control/client"
)

func (a *app) on() *cobra.Command {
	return a.enabled("on", "intercept, mirror and cache", true)
}

func (a *app) off() *cobra.Command {
	return a.enabled("off", "let engines go straight through, without stopping anything", false)
}

func (a *app) enabled(use, short string, on bool) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd, func(c *client.Client) error {
				if err := c.SetEnabled(cmd.Context(), on); err != nil {
					return err
				}
				return a.print(cmd, control.Enabled{Enabled: on}, func(w io.Writer) { _, _ = fmt.Fprintln(w, use) })
			})
		},
	}
}

func (a *app) pause() *cobra.Command {
	return &cobra.Command{
		Use: "pause DURATION", Short: "off, and on again by itself", Args: exactly(1, "a duration such as 1h"),
		RunE: func(cmd *cobra.Command, args []string) error {
			length, err := config.ParseDuration(args[0])
			if err != nil || length == 0 {
				return usageError{fmt.Errorf("pause: %q is not a duration such as 30m or 1h", args[0])}
			}
			return with(cmd, func(c *client.Client) error {
				if err := c.Pause(cmd.Context(), length); err != nil {
					return err
				}
				until := time.Now().Add(length)
				return a.print(cmd, map[string]time.Time{"paused_until": until}, func(w io.Writer) {
					_, _ = fmt.Fprintln(w, "paused until", until.Format("15:04"))
				})
			})
		},
	}
}

func (a *app) route() *cobra.Command {
	return &cobra.Command{
		Use: "route [REGISTRY auto|direct|offline|MIRROR]", Short: "show or switch where a registry's bytes come from, live",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 0 && len(args) != 2 {
				return usageError{fmt.Errorf("route: want a registry and a route, or nothing; see: pulley route --help")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return with(cmd, func(c *client.Client) error {
				if len(args) == 2 {
					if err := c.SetRoute(cmd.Context(), args[0], args[1]); err != nil {
						return err
					}
				}
				state, err := c.State(cmd.Context())
				if err != nil {
					return err
				}
				return a.print(cmd, state.Registries, func(w io.Writer) { printRoutes(w, state.Registries, args) })
			})
		},
	}
}

func printRoutes(w io.Writer, registries []control.Registry, only []string) {
	var rows [][]string
	for _, r := range registries {
		if len(only) > 0 && r.Name != only[0] {
			continue
		}
		used := "never"
		if r.LastUsed != nil {
			used = units.HumanDuration(time.Since(*r.LastUsed)) + " ago"
		}
		rows = append(rows, []string{r.Name, r.Route, used, strings.Join(r.Routes, "|")})
	}
	table(w, "REGISTRY ROUTE USED CAN-BE", rows)
}
