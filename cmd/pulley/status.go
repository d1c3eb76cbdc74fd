package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
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
				return a.print(cmd, state, func(w io.Writer) { printStatus(w, state, isTerminal(w)) })
			})
		},
	}
}

const (
	labels     = 10             // columns of what a line is about
	pageWidth  = 80             // of a terminal that nobody has made wider
	lately     = 24 * time.Hour // registries that were used since then are shown
	mostBlobs  = 12             // that are shown of those on their way
	shownTexts = pageWidth - labels - 1
)

// statusPage is what a person reads, what matters most first: lines of a label and a text, in groups with a line between.
type statusPage struct {
	w      io.Writer
	narrow bool
	lines  int
	gap    bool
}

// group begins another group, if there will be something in it.
func (p *statusPage) group() { p.gap = p.lines > 0 }

// line writes a line, whose label is in a colour where there are any; "" is none.
func (p *statusPage) line(label, colour, text string) {
	if p.gap {
		_, _ = fmt.Fprintln(p.w)
	}
	p.gap = false
	p.lines++
	padded := fmt.Sprintf("%-*s ", labels, label)
	if colour != "" {
		padded = painted(p.w, colour, label) + padded[len(label):]
	}
	_, _ = fmt.Fprintln(p.w, strings.TrimRight(padded+text, " "))
}

// text writes as many lines as a text takes.
func (p *statusPage) text(label, colour, text string) {
	if !p.narrow {
		p.line(label, colour, text)
		return
	}
	for _, line := range wrapped(text, shownTexts) {
		p.line(label, colour, line)
		label, colour = "", ""
	}
}

// printStatus prints the page; narrow: within the width of a terminal. For whoever greps, a text is one line.
func printStatus(w io.Writer, s control.State, narrow bool) {
	p := &statusPage{w: w, narrow: narrow}
	switch {
	case s.Enabled:
		p.line("pulley", "green", "on at "+s.Listen)
	case s.PausedUntil != nil:
		p.text("pulley", "yellow", fmt.Sprintf("paused until %s: engines go straight through %s", s.PausedUntil.Local().Format("15:04"), s.Listen))
	default:
		p.text("pulley", "yellow", fmt.Sprintf("off: engines go straight through %s", s.Listen))
	}
	p.troubles(s)
	p.group()
	p.transfers(s.Active)
	p.group()
	p.traffic(s.Traffic)
	p.cache(s.Cache)
	p.group()
	for _, l := range s.Limits {
		p.text("limit", "", limited(l))
	}
	p.group()
	p.routes(s.Registries)
}

// troubles are what a person should do something about.
func (p *statusPage) troubles(s control.State) {
	p.group()
	for _, one := range s.Problems {
		p.text("problem", "red", one.Text)
		if one.Fix != "" {
			p.line("", "", "try: "+one.Fix) // in one piece, to be copied
		}
	}
	p.group()
	for _, key := range slices.Sorted(maps.Keys(s.Later)) {
		p.text("later", "yellow", fmt.Sprintf("%s is in force from the next start; until then it is %s", key, s.Later[key]))
	}
}

// transfers are the blobs on their way, by image, in the order in which they began: what is looked at again stands where it stood.
func (p *statusPage) transfers(list []control.Transfer) {
	list = slices.Clone(list)
	name := func(t control.Transfer) string { return familiar(t.Registry, t.Repository) }
	began := map[string]time.Time{}
	for _, t := range list {
		if at, ok := began[name(t)]; !ok || t.Since.Before(at) {
			began[name(t)] = t.Since
		}
	}
	slices.SortFunc(list, func(a, b control.Transfer) int {
		return cmp.Or(began[name(a)].Compare(began[name(b)]), cmp.Compare(name(a), name(b)), a.Since.Compare(b.Since), cmp.Compare(a.Digest, b.Digest))
	})
	clients := map[string]int{}
	for _, t := range list {
		clients[name(t)] = max(clients[name(t)], t.Clients)
	}
	label, image := "pulling", ""
	for i, t := range list {
		if i == mostBlobs {
			p.line("", "", fmt.Sprintf("and %s more", counted(len(list)-i, "blob")))
			return
		}
		if name(t) != image {
			image = name(t)
			several := ""
			if n := clients[image]; n > 1 {
				several = fmt.Sprintf(", for %d clients", n)
			}
			p.line(label, "", image+several)
			label = ""
		}
		p.line("", "", "  "+amounts(t))
	}
}

// amounts are how far a blob is, each in a column of its own.
func amounts(t control.Transfer) string {
	percent, total := "", "?"
	if t.Total >= 0 {
		total = size(t.Total)
		percent = fmt.Sprintf("%d%%", 100*t.Have/max(t.Total, 1))
	}
	line := fmt.Sprintf("%-12s %4s %8s of %8s", shortDigest(t.Digest), percent, size(t.Have), total)
	if t.Rate <= 0 {
		return line
	}
	line += fmt.Sprintf(" %8s/s", size(int64(t.Rate)))
	from := strings.Join(t.Sources, "+")
	if more := len(t.Sources) - 1; more > 0 && len(line)+len(from)+3 > shownTexts {
		from = fmt.Sprintf("%s+%d", t.Sources[0], more)
	}
	return line + after(" ", from)
}

// traffic is where bytes came from.
func (p *statusPage) traffic(t control.Traffic) {
	if t.Ever.Requests == 0 && t.Ever.FromCache == 0 && t.Ever.FromNet == 0 {
		p.line("today", "", "nothing came through yet; engines are wired by: pulley connect")
		return
	}
	line := func(what string, b control.Bytes, more string) {
		p.line(what, "", fmt.Sprintf("%8s from cache, %8s from the network%s", size(b.FromCache), size(b.FromNet), more))
	}
	line("today", t.Today, ", "+counted(t.Today.Requests, "request"))
	line("ever", t.Ever, savedTime(t.SavedTime))
}

func (p *statusPage) cache(c control.Cache) {
	if c.Dir == "" {
		p.line("cache", "", "none: everything passes through")
		return
	}
	p.text("cache", "", fmt.Sprintf("%s, %s, %s saved", fullness(c), counted(c.Images, "image"), size(c.Saved)))
	p.line("", "", c.Dir)
}

// routes are where the bytes of registries come from that were used lately, or that somebody has switched.
func (p *statusPage) routes(list []control.Registry) {
	var b strings.Builder
	columns := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range list {
		used := "not used"
		if r.LastUsed != nil {
			used = ago(*r.LastUsed)
		}
		if r.Route == config.RouteAuto && (r.LastUsed == nil || time.Since(*r.LastUsed) > lately) {
			continue
		}
		route := r.Route
		if route == config.RouteAuto && r.Best != "" && r.Best != "origin" {
			route += ", " + r.Best + " first"
		}
		_, _ = fmt.Fprintf(columns, "%s\t%s\t%s\n", r.Name, route, used)
	}
	_ = columns.Flush()
	label := "route"
	for line := range strings.Lines(b.String()) {
		p.line(label, "", strings.TrimRight(line, "\n"))
		label = ""
	}
}

// limited is what a registry said of its limit.
func limited(l control.Limit) string {
	more := ""
	if l.Again != nil {
		more = ", some again by " + l.Again.Local().Format("15:04")
	}
	return fmt.Sprintf("%s, %s: %s of %d pulls left%s%s (%s)", l.Registry, l.Identity, left(l), l.Limit, window(l), more, ago(l.At))
}

// savedTime is what the cache saved, where that is known and worth a word.
func savedTime(d time.Duration) string {
	if d < time.Second {
		return ""
	}
	return ", " + units.HumanDuration(d) + " saved"
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
