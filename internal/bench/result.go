package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
)

// results are what a run found, as they are kept in JSON.
type results struct {
	Machine  machine       `json:"machine"`
	Setup    setup         `json:"setup"`
	Products []productNote `json:"products"`
	Rows     []*row        `json:"rows"`
}

// setup is how the run was made.
type setup struct {
	Runs    int    `json:"runs"`
	Quick   bool   `json:"quick,omitempty"`
	Pinned  bool   `json:"pinned,omitempty"`
	Without string `json:"without,omitempty"`
	Only    string `json:"only,omitempty"`

	Repeated []string `json:"repeated,omitempty"` // measures whose rows are a later run's
}

// productNote is what a reader is told of a product.
type productNote struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	About    string `json:"about"`
	Upstream string `json:"upstream,omitempty"`
	Limit    bool   `json:"limit,omitempty"`
}

// row is one figure of everything that has it.
type row struct {
	Group string  `json:"group"` // rows that belong together
	Title string  `json:"title"`
	Unit  string  `json:"unit"`
	Less  bool    `json:"less,omitempty"`  // less is better
	Aside bool    `json:"aside,omitempty"` // for the reader's judgement, nobody's merit
	Cells []*cell `json:"cells"`
}

// cell is the figure of one product, from each run.
type cell struct {
	Product string    `json:"product"`
	Limit   bool      `json:"limit,omitempty"`
	Runs    []float64 `json:"runs"`
}

const ours = "Pulley"

// row is a new one of the results.
func (b *bench) row(group, title, unit string) *row {
	r := &row{Group: group, Title: title, Unit: unit}
	b.results.Rows = append(b.results.Rows, r)
	return r
}

// less is the same row where less is better.
func (r *row) less() *row {
	r.Less = true
	return r
}

// aside is the same row, of something that is no product's merit.
func (r *row) aside() *row {
	r.Aside = true
	return r
}

// add puts one run's figure of a product into the row.
func (r *row) add(p *product, figure float64) {
	c := r.of(p.name)
	if c == nil {
		c = &cell{Product: p.name, Limit: p.limit}
		r.Cells = append(r.Cells, c)
	}
	c.Runs = append(c.Runs, figure)
}

// of is a product's cell, nil if it has none.
func (r *row) of(product string) *cell {
	i := slices.IndexFunc(r.Cells, func(c *cell) bool { return c.Product == product })
	if i < 0 {
		return nil
	}
	return r.Cells[i]
}

// best is the best of the other products, or of the limits; nil if there is none.
func (r *row) best(limit bool) *cell {
	var best *cell
	for _, c := range r.Cells {
		if strings.HasPrefix(c.Product, ours) || c.Limit != limit {
			continue
		}
		if best == nil || r.ratio(c, best) > 1 {
			best = c
		}
	}
	return best
}

// ratio is how many times better a is than b.
func (r *row) ratio(a, b *cell) float64 {
	if r.Less {
		a, b = b, a
	}
	return a.median() / b.median()
}

// verdict compares two cells: "level" where the median of either is within what the other one spread over.
func (r *row) verdict(a, b *cell) string {
	within := func(x, of *cell) bool { return x.median() >= of.low() && x.median() <= of.high() }
	switch {
	case within(a, b) || within(b, a):
		return "level"
	case r.ratio(a, b) > 1:
		return "ahead"
	}
	return "behind"
}

func (c *cell) median() float64 {
	sorted := slices.Sorted(slices.Values(c.Runs))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func (c *cell) low() float64  { return slices.Min(c.Runs) }
func (c *cell) high() float64 { return slices.Max(c.Runs) }

// figure is a number with three digits that count, or more where it is large.
func figure(x float64) string {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return fmt.Sprint(x)
	}
	digits := max(0, 2-int(math.Floor(math.Log10(math.Abs(x)))))
	return fmt.Sprintf("%.*f", min(digits, 4), x)
}

// text is the row for a terminal: a line for each product, the best first, and how Pulley stands to it.
func (r *row) text() string {
	better := "more is better"
	if r.Less {
		better = "less is better"
	}
	text := fmt.Sprintf("%s, %s · %s, %s\n", r.Group, r.Title, r.Unit, better)
	cells := slices.Clone(r.Cells)
	slices.SortStableFunc(cells, func(a, b *cell) int {
		switch ratio := r.ratio(a, b); {
		case ratio > 1:
			return -1
		case ratio < 1:
			return 1
		}
		return 0
	})
	own := r.of(ours)
	for _, c := range cells {
		name := c.Product
		if c.Limit {
			name += " ·"
		}
		text += fmt.Sprintf("  %-20s %10s   %-20s", name, figure(c.median()), "("+figure(c.low())+"–"+figure(c.high())+")")
		if own != nil && c != own && !r.Aside {
			text += fmt.Sprintf("  Pulley %5.2f × %s", r.ratio(own, c), r.verdict(own, c))
		}
		text = strings.TrimRight(text, " ") + "\n"
	}
	return text
}

// tally counts how Pulley stands to the best other product in each row, and lists the rows where it is behind.
func (all *results) tally() (count map[string]int, behind []string) {
	count = map[string]int{}
	for _, r := range all.Rows {
		own, other := r.of(ours), r.best(false)
		if own == nil || other == nil || r.Aside {
			continue
		}
		verdict := r.verdict(own, other)
		count[verdict]++
		if verdict == "behind" {
			behind = append(behind, fmt.Sprintf("%s, %s: %.2f × %s", r.Group, r.Title, r.ratio(own, other), other.Product))
		}
	}
	return count, behind
}

// summary is the tally for a terminal.
func (all *results) summary() string {
	count, behind := all.tally()
	text := fmt.Sprintf("\nbeside the best other product: ahead in %d rows, level in %d, behind in %d\n", count["ahead"], count["level"], count["behind"])
	for _, line := range behind {
		text += "  " + line + "\n"
	}
	return text + "· is a limit that no cache passes; the ratio is how many times better Pulley's median is\n"
}

func (all *results) write(name string) error {
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o644) //nolint:gosec // figures
}

// readResults reads what a run found. Those of further runs, of some measures alone, must be of the same machine and
// products: their rows take the place of the ones they repeat.
func readResults(names ...string) (*results, error) {
	var all *results
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		one := &results{}
		if err := json.Unmarshal(text, one); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if all == nil {
			all = one
			continue
		}
		if err := all.replace(one); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return all, nil
}

// replace puts the rows of another run in the place of those that it repeats.
func (all *results) replace(other *results) error {
	same := func(a, b *results) bool {
		x, y := a.Machine, b.Machine
		x.Day, y.Day = "", ""
		return x == y && a.Setup.Runs == b.Setup.Runs && a.Setup.Pinned == b.Setup.Pinned && a.Setup.Quick == b.Setup.Quick &&
			slices.Equal(a.Products, b.Products)
	}
	if !same(all, other) {
		return errors.New("of another machine, other products or another number of runs: its rows do not fit beside the first's")
	}
	for _, r := range other.Rows {
		i := slices.IndexFunc(all.Rows, func(have *row) bool { return have.Group == r.Group && have.Title == r.Title })
		if i < 0 {
			return fmt.Errorf("the first has no row %q, %q", r.Group, r.Title)
		}
		all.Rows[i] = r
	}
	all.Setup.Repeated = append(all.Setup.Repeated, cmp.Or(other.Setup.Only, "all"))
	return nil
}
