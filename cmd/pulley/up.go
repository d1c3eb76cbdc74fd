package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"pulley/internal/config"
	"pulley/internal/daemon"
)

// Memory: the collector's default lets the heap double, which for a program whose live heap is a few MiB wastes most of
// what it holds. Half of that costs next to nothing, and the limit makes it work harder before many transfers at once
// reach what we promise; GOGC and GOMEMLIMIT in the environment go first.
const (
	collectAt   = 50
	memoryLimit = 80 << 20
)

func (a *app) up() *cobra.Command {
	var file, listen string
	var verbose bool
	cmd := &cobra.Command{
		Use: "up", Short: "run the daemon in the foreground", Args: exactly(0, "no arguments"),
		Long: "Runs the daemon until it is interrupted. Prints one line that starts with `ready` and the address once it serves.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			places, err := config.FindPlaces(os.Environ())
			if err != nil {
				return err
			}
			if file != "" {
				if places.ConfigFile, err = filepath.Abs(file); err != nil {
					return err
				}
			}
			environ := os.Environ()
			if listen != "" {
				environ = append(environ, config.Flag("listen", listen))
			}
			limitMemory()
			level := slog.LevelWarn
			if verbose {
				level = slog.LevelDebug
			}
			d, err := daemon.New(daemon.Options{
				Places: places, Environ: environ, Version: programVersion(),
				Log: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level})),
			})
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "ready %s\n", d.Address()); err != nil {
				d.Close()
				return err
			}
			return d.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "settings file in place of the usual one")
	cmd.Flags().StringVar(&listen, "listen", "", "address in place of the one in the settings")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "log what happens inside")
	return cmd
}

func limitMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}
