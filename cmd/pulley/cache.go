package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"pulley/internal/control"
	"pulley/internal/control/client"
)

func (a *app) images() *cobra.Command {
	return &cobra.Command{
		Use: "images", Short: "what is in the cache, by name", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd, func(c *client.Client) error {
				images, err := c.Images(cmd.Context())
				if err != nil {
					return err
				}
				return a.print(cmd, images, func(w io.Writer) {
					var rows [][]string
					for _, image := range images {
						rows = append(rows, []string{image.Name(), fmt.Sprintf("%.19s", image.Digest), units.HumanDuration(time.Since(image.Stored)) + " ago"})
					}
					table(w, "IMAGE DIGEST STORED", rows)
				})
			})
		},
	}
}

func (a *app) cache() *cobra.Command {
	return group("cache", "the cache on disk", a.cacheStat())
}

func (a *app) cacheStat() *cobra.Command {
	return &cobra.Command{
		Use: "stat", Short: "how full it is", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd, func(c *client.Client) error {
				state, err := c.State(cmd.Context())
				if err != nil {
					return err
				}
				if state.Cache.Dir == "" {
					return noCache(state.Problems)
				}
				return a.print(cmd, state.Cache, func(w io.Writer) {
					_, _ = fmt.Fprintf(w, "%s\n%s\n", state.Cache.Dir, fullness(state.Cache))
				})
			})
		},
	}
}

// noCache says why there is none.
func noCache(problems []control.Problem) error {
	for _, p := range problems {
		if p.Kind == control.ProblemCache {
			return errors.New(p.Text)
		}
	}
	return errors.New("cache: none is in use; see: pulley status")
}

// fullness says how full the cache is.
func fullness(c control.Cache) string {
	limit := "no limit"
	if c.MaxSize > 0 {
		limit = "of " + size(c.MaxSize)
	}
	return fmt.Sprintf("%s %s in %d blobs", size(c.Size), limit, c.Blobs)
}
