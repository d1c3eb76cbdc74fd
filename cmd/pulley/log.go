package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pulley/internal/control"
	"pulley/internal/control/client"
)

func (a *app) log() *cobra.Command {
	var follow bool
	var lines int
	cmd := &cobra.Command{
		Use: "log", Short: "every registry request: who, what, from where, how fast", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd, func(c *client.Client) error {
				out := cmd.OutOrStdout()
				events, err := c.Events(cmd.Context(), lines)
				if err != nil {
					return err
				}
				for _, e := range events {
					a.printEvent(out, e)
				}
				if !follow {
					return nil
				}
				err = c.Watch(cmd.Context(), true, func(m control.Message) {
					if m.Event != nil {
						a.printEvent(out, *m.Event)
					}
				})
				if errors.Is(err, context.Canceled) {
					return nil
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on as requests come")
	cmd.Flags().IntVarP(&lines, "lines", "n", 50, "how many of the last to begin with")
	return cmd
}

// printEvent prints one line: JSON lines, not an indented document, since a log has no end.
func (a *app) printEvent(w io.Writer, e control.Event) {
	if a.json {
		_ = json.NewEncoder(w).Encode(e)
		return
	}
	name := e.Registry + "/" + e.Repository
	switch {
	case strings.HasPrefix(e.Reference, "sha256:"):
		name += "@" + e.Reference[:min(len(e.Reference), 19)]
	case e.Reference != "":
		name += ":" + e.Reference
	}
	source := e.Source
	if source == "" {
		source = "-"
	}
	_, _ = fmt.Fprintf(w, "%s %-6s %-9s %3d %-4s %-8s %s  %s from %s in %s", e.Time.Local().Format(time.TimeOnly), e.Door, e.Client, e.Status, e.Method, e.What, name, size(e.Bytes), source, e.Duration.Round(time.Millisecond))
	if speed := e.Duration.Seconds(); e.Bytes > 1<<20 && speed > 0 {
		_, _ = fmt.Fprintf(w, " (%s/s)", size(int64(float64(e.Bytes)/speed)))
	}
	for _, more := range []string{e.Note, e.Err} {
		if more != "" {
			_, _ = fmt.Fprintf(w, "; %s", more)
		}
	}
	_, _ = fmt.Fprintln(w)
}
