package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"pulley/internal/config"
	"pulley/internal/daemon"
	"pulley/internal/service"
)

func (a *app) up() *cobra.Command {
	var file, listen string
	var verbose, takeOver bool
	cmd := &cobra.Command{
		Use: "up", Short: "run the daemon in the foreground", Args: exactly(0, "no arguments"),
		Long: "Runs the daemon until it is interrupted. Prints one line that starts with `ready` and the address once it serves.\n\n" +
			"With --take-over it takes the place of a daemon that runs already: the port is never closed, what that one had\n" +
			"begun it finishes, and then it ends. If this one cannot start, the running one goes on as if nothing was.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			places, err := config.FindPlaces(os.Environ())
			if err != nil {
				return err
			}
			if file != "" {
				if places.ConfigFile, err = filepath.Abs(file); err != nil {
					return err
				}
				if _, err := os.Stat(places.ConfigFile); errors.Is(err, fs.ErrNotExist) {
					_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "pulley: %s is not there: the defaults are in force\n", places.ConfigFile)
				}
			}
			environ := os.Environ()
			if listen != "" {
				environ = append(environ, config.Flag("listen", listen))
			}
			level := slog.LevelWarn
			if verbose {
				level = slog.LevelDebug
			}
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
			d, err := daemon.New(daemon.Options{
				Places: places, Environ: environ, Version: programVersion(), TakeOver: takeOver,
				Log: log,
			})
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "ready %s\n", d.Address()); err != nil {
				d.Close()
				return err
			}
			defer time.AfterFunc(calm, limitMemory).Stop()
			if err := service.Notify(service.Ready, service.MainPID(os.Getpid())); err != nil {
				log.Warn("not announced", "err", err)
			}
			defer context.AfterFunc(cmd.Context(), func() { _ = service.Notify(service.Stopping) })()
			return d.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "settings file in place of the usual one")
	cmd.Flags().StringVar(&listen, "listen", "", "address in place of the one in the settings")
	cmd.Flags().BoolVar(&takeOver, "take-over", false, "take the place of the daemon that runs here, without closing its port")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "log what happens inside")
	return cmd
}
