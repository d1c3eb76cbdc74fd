package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/control/client"
)

func (a *app) status() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "what runs, where bytes came from, what is cached, Hub pulls left", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return with(cmd, func(c *client.Client) error {
				state, err := c.State(cmd.Context())
				if err != nil {
					return err
				}
				return a.print(cmd, state, func(w io.Writer) { printStatus(w, state) })
			})
		},
	}
}

func printStatus(w io.Writer, s control.State) {
	line := func(what, format string, args ...any) {
		_, _ = fmt.Fprintf(w, "%-10s %s\n", what, fmt.Sprintf(format, args...))
	}
	switch {
	case s.Enabled:
		line("pulley", "on at %s", s.Listen)
	case s.PausedUntil != nil:
		line("pulley", "paused until %s (engines go straight through)", s.PausedUntil.Local().Format("15:04"))
	default:
		line("pulley", "off (engines go straight through %s)", s.Listen)
	}
	for _, key := range slices.Sorted(maps.Keys(s.Later)) {
		line("later", "%s is in force from the next start; until then it is %s", key, s.Later[key])
	}
	for _, p := range s.Problems {
		text := p.Text
		if p.Fix != "" {
			text += "; try: " + p.Fix
		}
		line("problem", "%s", text)
	}
	line("today", "%s from cache, %s from the network, %d requests", size(s.Traffic.Today.FromCache), size(s.Traffic.Today.FromNet), s.Traffic.Today.Requests)
	line("ever", "%s from cache, %s from the network%s", size(s.Traffic.Ever.FromCache), size(s.Traffic.Ever.FromNet), savedTime(s.Traffic.SavedTime))
	if s.Cache.Dir == "" {
		line("cache", "none: everything passes through")
	} else {
		line("cache", "%s, %s, %s saved, %s", fullness(s.Cache), counted(s.Cache.Images, "image"), size(s.Cache.Saved), s.Cache.Dir)
	}
	for _, r := range s.Registries {
		if r.Route != config.RouteAuto {
			line("route", "%s: %s", r.Name, r.Route)
		}
	}
	for _, l := range s.Limits {
		line("limit", "%s, %s: %s of %d pulls left%s (%s ago)", l.Registry, l.Identity, left(l), l.Limit, window(l), units.HumanDuration(time.Since(l.At)))
	}
	for _, t := range s.Active {
		total := "?"
		if t.Total >= 0 {
			total = size(t.Total)
		}
		line("pulling", "%s/%s %.19s… %s of %s, %d clients%s", t.Registry, t.Repository, t.Digest, size(t.Have), total, t.Clients, pace(t))
	}
}

// savedTime is what the cache saved, where that is known and worth a word.
func savedTime(d time.Duration) string {
	if d < time.Second {
		return ""
	}
	return ", " + units.HumanDuration(d) + " saved"
}

// pace is how fast a download is, and from whom.
func pace(t control.Transfer) string {
	if t.Rate <= 0 {
		return ""
	}
	return fmt.Sprintf(", %s/s%s", size(int64(t.Rate)), after(" from ", strings.Join(t.Sources, "+")))
}

// left is what remains of a limit, which not every registry says.
func left(l control.Limit) string {
	if l.Remaining < 0 {
		return "?"
	}
	return strconv.Itoa(l.Remaining)
}

func window(l control.Limit) string {
	if l.Window <= 0 {
		return ""
	}
	return " in " + units.HumanDuration(l.Window)
}

// counted is "1 image" or "2 images".
func counted[N int | int64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func size(n int64) string { return units.BytesSize(float64(n)) }
