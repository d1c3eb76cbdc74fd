package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	page    = "benchmarks.md"
	picture = "benchmarks.svg"
	begins  = "<!-- what follows is written by `make bench DOCS=1` -->"
	ends    = "<!-- end -->"
)

// publish writes the results between the two marks of the page in a folder, and the picture beside it.
func publish(all *results, folder string) error {
	if all.Setup.Quick || all.Setup.Only != "" {
		return errors.New("results of a quick or partial run are not published")
	}
	name := filepath.Join(folder, page)
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(text, []byte(begins))
	_, after, closed := bytes.Cut(rest, []byte(ends))
	if !ok || !closed {
		return fmt.Errorf("%s: the marks %q and %q are not both there", name, begins, ends)
	}
	text = fmt.Appendf(nil, "%s%s\n\n%s%s%s", before, begins, all.markdown(), ends, after)
	return errors.Join(
		os.WriteFile(name, text, 0o644),                                            //nolint:gosec // a page for everybody
		os.WriteFile(filepath.Join(folder, picture), []byte(all.picture()), 0o644)) //nolint:gosec // the same
}

// markdown is the part of the page that a run makes.
func (all *results) markdown() string {
	var text strings.Builder
	text.WriteString("![Pulley beside the others](" + picture + ")\n\n")
	text.WriteString(all.where())
	text.WriteString("\n| product | version | how it is set up | how it reaches the Hub |\n|---|---|---|---|\n")
	for _, p := range all.Products {
		name := p.Name
		if p.Limit {
			name = "*" + name + "*"
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s |\n", name, dash(p.Version), p.About, dash(p.Upstream))
	}
	text.WriteString("\n" + all.standing() + "\n")
	var groups []string
	for _, r := range all.Rows {
		if !slices.Contains(groups, r.Group) {
			groups = append(groups, r.Group)
			text.WriteString(all.table(r.Group))
		}
	}
	return text.String()
}

// where is the machine and how the run was made.
func (all *results) where() string {
	m, s := all.Machine, all.Setup
	text := fmt.Sprintf("%s, %d processors, %.0f GiB of memory; %s, Linux %s; caches on %s; %s; %s. Medians of %d interleaved runs, in small print the least "+
		"and the most of them.", m.CPU, m.Processors, float64(m.MemoryMiB)/1024, m.System, m.Kernel, m.Files, m.Go, m.Day, s.Runs)
	if s.Pinned {
		text += " Servers on the first half of the processors, the client and the Hub on the others."
	} else {
		text += " No process is tied to a processor."
	}
	if s.Without != "" {
		text += " Left out: " + s.Without + "."
	}
	if len(s.Repeated) > 0 {
		text += " Repeated in a later run: " + strings.Join(s.Repeated, ", ") + "."
	}
	return text + "\n"
}

// standing is the tally for the page.
func (all *results) standing() string {
	count, behind := all.tally()
	text := fmt.Sprintf("Beside the best of the others Pulley is ahead in %d rows, level in %d and behind in %d", count["ahead"], count["level"], count["behind"])
	if len(behind) == 0 {
		return text + ".\n"
	}
	return text + ":\n\n- " + strings.Join(behind, "\n- ") + "\n"
}

// table is a group: a line for each row, a column for each product that has a figure in one of them.
func (all *results) table(group string) string {
	var rows []*row
	has := map[string]bool{}
	for _, r := range all.Rows {
		if r.Group == group {
			rows = append(rows, r)
			for _, c := range r.Cells {
				has[c.Product] = true
			}
		}
	}
	var names []string
	for _, p := range all.Products {
		if has[p.Name] {
			names = append(names, p.Name)
			delete(has, p.Name)
		}
	}
	for _, c := range rows[0].Cells { // a second Pulley
		if has[c.Product] {
			names = append(names, c.Product)
		}
	}
	var text strings.Builder
	better := "more is better"
	if rows[0].Less {
		better = "less is better"
	}
	fmt.Fprintf(&text, "### %s%s\n\n%s, %s.\n\n", strings.ToUpper(group[:1]), group[1:], rows[0].Unit, better)
	text.WriteString("| | " + strings.Join(names, " | ") + " | beside the best other | beside the limit |\n|---|" + strings.Repeat("---|", len(names)+2) + "\n")
	for _, r := range rows {
		text.WriteString("| " + r.Title)
		for _, name := range names {
			text.WriteString(" | " + r.of(name).markdown(name == ours))
		}
		text.WriteString(" | " + r.beside(false) + " | " + r.beside(true) + " |\n")
	}
	text.WriteString("\n")
	return text.String()
}

func (c *cell) markdown(bold bool) string {
	if c == nil {
		return "–"
	}
	median := figure(c.median())
	if bold {
		median = "**" + median + "**"
	}
	return fmt.Sprintf("%s<br><sub>%s–%s</sub>", median, figure(c.low()), figure(c.high()))
}

// beside is how Pulley stands to the best other product, or the best limit.
func (r *row) beside(limit bool) string {
	own, other := r.of(ours), r.best(limit)
	if own == nil || other == nil || r.Aside {
		return "–"
	}
	return fmt.Sprintf("%.2f × %s, %s", r.ratio(own, other), other.Product, r.verdict(own, other))
}

func dash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}
