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
	var follow, story bool
	var lines int
	cmd := &cobra.Command{
		Use: "log", Short: "every registry request: who, what, from where, how fast", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd, func(c *client.Client) error {
				if follow {
					return a.follow(cmd, c, lines, story)
				}
				events, err := c.Events(cmd.Context(), lines)
				for _, e := range events {
					a.printEvent(cmd.OutOrStdout(), e, story)
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on as requests come")
	cmd.Flags().BoolVar(&story, "story", false, "say below each blob where its bytes came from, and who was asked in vain")
	cmd.Flags().IntVarP(&lines, "lines", "n", 50, "how many of the last to begin with")
	return cmd
}

// follow prints the last n requests and then those that come. It listens before it asks for the past, so that none is lost
// between the two; those that are in both are told once.
func (a *app) follow(cmd *cobra.Command, c *client.Client, n int, story bool) error {
	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	past, told := false, map[string]bool{}
	err := c.Watch(ctx, true, func(m control.Message) {
		if m.State != nil && !past { // the first message: from here on we listen
			past = true
			events, err := c.Events(ctx, n)
			if err != nil {
				cancel(err)
			}
			for _, e := range events {
				a.printEvent(cmd.OutOrStdout(), e, story)
				told[identity(e)] = true
			}
		}
		if m.Event == nil {
			return
		}
		if id := identity(*m.Event); told[id] {
			delete(told, id)
		} else {
			a.printEvent(cmd.OutOrStdout(), *m.Event, story)
		}
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// identity is an event as text. No two are answered in the same nanosecond with all else the same.
func identity(e control.Event) string {
	text, _ := json.Marshal(e)
	return string(text)
}

// printEvent prints one line: JSON lines, not an indented document, since a log has no end.
func (a *app) printEvent(w io.Writer, e control.Event, story bool) {
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
	bytes := e.Bytes
	if bytes == 0 && e.Client == "" { // nobody was served: it was fetched
		bytes = e.FromNet
	}
	var line strings.Builder
	fmt.Fprintf(&line, "%s %-6s %-9s %3d %-4s %-8s %s  %s from %s in %s", e.Time.Local().Format(time.TimeOnly), e.Door, e.Client, e.Status, e.Method, e.What, name, size(bytes), source, e.Duration.Round(time.Millisecond))
	if speed := e.Duration.Seconds(); bytes > 1<<20 && speed > 0 {
		fmt.Fprintf(&line, " (%s/s)", size(int64(float64(bytes)/speed)))
	}
	if e.Way != "" {
		line.WriteString(" by " + e.Way)
	}
	if e.PullsLeft != nil {
		fmt.Fprintf(&line, "; %d pulls left", *e.PullsLeft)
	}
	for _, more := range []string{e.Note, e.Err} {
		if more != "" {
			line.WriteString("; " + more)
		}
	}
	_, _ = fmt.Fprintln(w, line.String())
	if story {
		printStory(w, e)
	}
}

// printStory prints where a blob's bytes came from, and what was tried in vain.
func printStory(w io.Writer, e control.Event) {
	for _, f := range e.Failed {
		_, _ = fmt.Fprintf(w, "         after %s: %s: %s\n", f.After.Round(time.Millisecond), f.Source, f.Err)
	}
	for _, p := range e.Parts {
		_, _ = fmt.Fprintf(w, "         %s to %s from %s\n", size(p.From), size(p.To), or(p.Source, "somebody"))
	}
}
