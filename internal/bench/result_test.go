package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// found is a small result: a row where more is better, one where less is, and one that is nobody's merit.
func found() *results {
	return &results{
		Machine:  machine{CPU: "a processor", Processors: 2, MemoryMiB: 2048, Kernel: "6.1", System: "a system", Files: "tmpfs", Go: "go1.26", Day: "2026-01-02"},
		Setup:    setup{Runs: 3},
		Products: []productNote{{Name: ours, Version: "this tree"}, {Name: "nginx", Version: "1.22"}, {Name: "squid"}, {Name: "direct", Limit: true}},
		Rows: []*row{
			{Group: "warm blob", Title: "mirror door, 8 clients", Unit: "MiB/s", Cells: []*cell{
				{Product: ours, Runs: []float64{90, 110, 100}}, {Product: "nginx", Runs: []float64{95, 80, 105}},
				{Product: "squid", Runs: []float64{50, 51, 52}}, {Product: "direct", Limit: true, Runs: []float64{200, 210, 190}},
			}},
			{Group: "start-up", Title: "first start", Unit: "ms", Less: true, Cells: []*cell{
				{Product: ours, Runs: []float64{20, 21, 22}}, {Product: "nginx", Runs: []float64{10, 11, 12}},
			}},
			{Group: "client", Title: "its processor time", Unit: "s", Less: true, Aside: true, Cells: []*cell{
				{Product: ours, Runs: []float64{2}}, {Product: "nginx", Runs: []float64{1}},
			}},
		},
	}
}

func TestVerdictIsLevelWithinTheSpread(t *testing.T) {
	r := &row{}
	ours := &cell{Runs: []float64{100, 90, 110}}
	for _, c := range []struct {
		other []float64
		less  bool
		want  string
	}{
		{[]float64{95, 80, 105}, false, "level"},
		{[]float64{80, 85, 89}, false, "ahead"},
		{[]float64{80, 85, 89}, true, "behind"},
		{[]float64{111, 120, 130}, false, "behind"},
		{[]float64{111, 120, 130}, true, "ahead"},
		{[]float64{60, 120, 130}, false, "level"}, // theirs spreads over our median
		{[]float64{91, 80, 101}, false, "level"},  // our spread has theirs
	} {
		r.Less = c.less
		if got := r.verdict(ours, &cell{Runs: c.other}); got != c.want {
			t.Errorf("100 (90–110) beside %v, less is better: %v: %s, want %s", c.other, c.less, got, c.want)
		}
	}
}

func TestTheBestOtherIsNoLimitAndNotOurs(t *testing.T) {
	r := found().Rows[0]
	r.Cells = append(r.Cells, &cell{Product: "Pulley, 3 mirrors", Runs: []float64{1000}})
	if got := r.best(false).Product; got != "nginx" {
		t.Errorf("best other is %s", got)
	}
	if got := r.best(true).Product; got != "direct" {
		t.Errorf("best limit is %s", got)
	}
	if got := r.ratio(r.of(ours), r.of("squid")); got < 1.9 || got > 2 {
		t.Errorf("100 beside 51 is %.2f times better", got)
	}
}

func TestTallyLeavesNoRowOut(t *testing.T) {
	count, behind := found().tally()
	if count["level"] != 1 || count["behind"] != 1 || count["ahead"] != 0 {
		t.Errorf("tally: %v", count)
	}
	if len(behind) != 1 || behind[0] != "start-up, first start: 0.52 × nginx" {
		t.Errorf("behind: %q", behind)
	}
}

func TestFigureHasThreeDigits(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 1234.5: "1234", 123.4: "123", 12.34: "12.3", 1.234: "1.23", 0.1234: "0.123", 0.01234: "0.0123"} {
		if got := figure(x); got != want {
			t.Errorf("%v: %s, want %s", x, got, want)
		}
	}
}

func TestPublishReplacesItsPartOfThePage(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, page)
	if err := os.WriteFile(file, []byte("# Method\n\n"+begins+"\nold\n"+ends+"\n\nThe end.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := publish(found(), dir); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Method\n", "\nThe end.\n", "a processor, 2 processors, 2 GiB", "Medians of 3 interleaved runs",
		"| | Pulley | nginx | squid | direct | beside the best other | beside the limit |",
		"| mirror door, 8 clients | **100**<br><sub>90.0–110</sub> |", "| 1.05 × nginx, level | 0.50 × direct, behind |",
		"- start-up, first start: 0.52 × nginx",
	} {
		if strings.Count(string(text), want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "old\n") {
		t.Error("the old part is still there")
	}
	wellFormed(t, filepath.Join(dir, picture))
}

func TestQuickResultsAreNotPublished(t *testing.T) {
	for _, spoil := range []func(*setup){func(s *setup) { s.Quick = true }, func(s *setup) { s.Only = "warm" }} {
		all := found()
		spoil(&all.Setup)
		if err := publish(all, t.TempDir()); err == nil || !strings.Contains(err.Error(), "not published") {
			t.Errorf("publish: %v", err)
		}
	}
}

func TestResultsAreReadAsTheyWereWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results.json")
	if err := found().write(file); err != nil {
		t.Fatal(err)
	}
	all, err := readResults(file)
	if err != nil {
		t.Fatal(err)
	}
	if all.markdown() != found().markdown() {
		t.Error("they make another page")
	}
}

func TestRowsOfALaterRunReplaceTheFirsts(t *testing.T) {
	dir := t.TempDir()
	first, later := filepath.Join(dir, "first.json"), filepath.Join(dir, "later.json")
	again := func(change func(*results)) error {
		all := found()
		all.Machine.Day, all.Setup.Only, all.Rows = "2026-01-03", "start", all.Rows[1:2]
		all.Rows[0].Cells[0].Runs = []float64{9, 10, 11}
		change(all)
		return errors.Join(found().write(first), all.write(later))
	}
	if err := again(func(*results) {}); err != nil {
		t.Fatal(err)
	}
	all, err := readResults(first, later)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(all.where(), "Repeated in a later run: start.") {
		t.Error(all.where())
	}
	if len(all.Rows) != 3 || all.Rows[1].of(ours).median() != 10 || all.Rows[0].of(ours).median() != 100 || all.Setup.Only != "" {
		t.Errorf("rows %+v, setup %+v", all.Rows, all.Setup)
	}
	for name, change := range map[string]func(*results){
		"another machine":  func(r *results) { r.Machine.CPU = "another" },
		"fewer runs":       func(r *results) { r.Setup.Runs = 1 },
		"another version":  func(r *results) { r.Products[1].Version = "1.23" },
		"an unknown row":   func(r *results) { r.Rows[0].Title = "a second start" },
		"no product of it": func(r *results) { r.Products = r.Products[1:] },
	} {
		if err := again(change); err != nil {
			t.Fatal(err)
		}
		if _, err := readResults(first, later); err == nil || !strings.Contains(err.Error(), later) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// wellFormed reads an SVG to its end and looks for a bar for each product of its one panel.
func wellFormed(t *testing.T, file string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	bars := map[string]int{}
	for decoder := xml.NewDecoder(f); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "rect" {
			continue
		}
		for _, a := range start.Attr {
			if a.Name.Local == "class" {
				bars[a.Value]++
			}
		}
	}
	if bars["ours"] != 2 || bars["other"] != 3 || bars["limit"] != 2 { // one of each in the legend
		t.Errorf("bars: %v", bars)
	}
}
