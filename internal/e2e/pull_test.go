//go:build e2e

package e2e

import (
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// table remembers which step of which engine in which mode was run to its end, and prints it. What is not in it at the
// end did not run, which is a failure: an engine that is quietly skipped proves nothing.
type table struct {
	mu      sync.Mutex
	done    map[string]map[string]string // engine → column → how it went
	columns []string
}

// versions is what each engine said of itself when it was last started.
var versions sync.Map

func newTable(columns ...string) *table {
	return &table{done: map[string]map[string]string{}, columns: columns}
}

func (tb *table) ran(engine, column, how string) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if tb.done[engine] == nil {
		tb.done[engine] = map[string]string{}
	}
	tb.done[engine][column] = how
}

// complete prints the table and fails the test for every cell that is empty.
func (tb *table) complete(t *testing.T) {
	t.Helper()
	row := func(cells ...string) string {
		var line strings.Builder
		fmt.Fprintf(&line, "%-30s %-16s", cells[0], cells[1])
		for _, c := range cells[2:] {
			fmt.Fprintf(&line, " %-18s", c)
		}
		return strings.TrimRight(line.String(), " ")
	}
	filtered := flag.Lookup("test.run").Value.String() != ""
	fmt.Println(row(append([]string{"engine", "version"}, tb.columns...)...))
	for _, e := range engines {
		version, _ := versions.LoadOrStore(e.name, "")
		cells := []string{e.name, version.(string)}
		for _, column := range tb.columns {
			how := tb.done[e.name][column]
			if how == "" {
				how = "did not run"
				if !filtered { // -run asks for some of them
					t.Errorf("%s: %s did not run to its end", e.name, column)
				}
			}
			cells = append(cells, how)
		}
		fmt.Println(row(cells...))
	}
}

// TestPull: a cold pull asks upstream for each blob once, a second one with an emptied store for none, a third works with
// upstream gone and the tag's time run out. What the engine holds is the image, byte for byte, each time.
func TestPull(t *testing.T) {
	var columns []string
	for _, m := range modes {
		columns = append(columns, string(m))
	}
	results := newTable(columns...)
	t.Run("engines", func(t *testing.T) {
		for _, e := range engines {
			for _, m := range modes {
				t.Run(e.name+"/"+string(m), func(t *testing.T) {
					t.Parallel()
					began := time.Now()
					pullThrice(t, e, m)
					if !t.Failed() {
						results.ran(e.name, string(m), fmt.Sprintf("ok %.1fs", time.Since(began).Seconds()))
					}
				})
			}
		}
	})
	results.complete(t)
}

func pullThrice(t *testing.T, e engine, m mode) {
	t.Helper()
	r := newRig(t, "1ms")
	image := testImage(t)
	r.hub.Push("library/rootfs", "1", image)
	name := r.wiring(t, m).name("library/rootfs", "1")

	for _, step := range []string{"cold", "emptied", "offline"} {
		t.Run(step, func(t *testing.T) {
			r.hub.Reset()
			if step == "offline" {
				r.hub.Down()
			}
			s := r.open(t, e, m)
			versions.Store(e.name, s.version(t))
			if err := s.pull(t, name, nil); err != nil {
				t.Fatal(err)
			}
			s.check(t, name, image)
			if step == "cold" {
				r.once(t, own(image))
				return
			}
			r.none(t)
		})
		if t.Failed() {
			return
		}
	}
}
