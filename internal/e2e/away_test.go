//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// outage is what cannot be reached.
type outage struct {
	name  string
	mode  mode
	begin func(r *rig)
	// from is where blobs may come from then.
	from []string
	// tag is what the log says of the tag that was believed, "" where the origin said it.
	tag string
}

var (
	theMirrors = []string{"m1", "m2"}
	byBoth     = "tag from m1 and m2"
)

var outages = []outage{
	{"origin refuses", viaHTTP, func(r *rig) { r.hub.Down() }, theMirrors, byBoth},
	{"origin resets", viaHTTP, func(r *rig) { r.hub.SetFaults(hubtest.Faults{ResetHandshake: true}) }, theMirrors, byBoth},
	{"… mirror door", viaMirror, func(r *rig) { r.hub.Down() }, theMirrors, byBoth},
	{"mirrors refuse", viaHTTP, mirrorsDown, []string{"origin"}, ""},
}

func mirrorsDown(r *rig) {
	for _, m := range r.mirrors {
		m.Down()
	}
}

// TestAway: an image that nobody has seen is pulled by its tag while the origin cannot be reached and two mirrors can, or
// the other way round. The log says where it came from and whose word counted.
func TestAway(t *testing.T) {
	var columns []string
	for _, o := range outages {
		columns = append(columns, o.name)
	}
	results := newTable(columns...)
	t.Run("engines", func(t *testing.T) {
		for _, e := range engines {
			for i, o := range outages {
				t.Run(e.name+"/"+o.name, func(t *testing.T) {
					t.Parallel()
					began := time.Now()
					from := pullAway(t, e, o, uint64(300+i))
					if !t.Failed() {
						results.ran(e.name, o.name, fmt.Sprintf("%s %.1fs", from, time.Since(began).Seconds()))
					}
				})
			}
		}
	})
	results.complete(t)
}

func pullAway(t *testing.T, e engine, o outage, seed uint64) (from string) {
	t.Helper()
	r := newRigWith(t, settings{
		tagTTL: "1h", fetch: "range_min = \"1MiB\"\nconnections = 4",
		mirrors: []hubtest.Style{hubtest.StyleHost, hubtest.StyleNS},
	})
	o.begin(r)
	s := r.open(t, e, o.mode)
	versions.Store(e.name, s.version(t))
	began := time.Now()
	r.pullNew(t, s, r.wiring(t, o.mode), "library/new", hubtest.MultiArch(map[string]hubtest.Image{
		"linux/amd64": hubtest.RandomImage(seed, 3, 2<<20), "linux/arm64": hubtest.RandomImage(seed+1000, 3, 2<<20),
	}))
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	sources := r.from(t, "library/new")
	if len(sources) == 0 || slices.ContainsFunc(sources, func(s string) bool { return !slices.Contains(o.from, s) }) {
		t.Errorf("the log says that blobs came from %v, want them from %v", sources, o.from)
	}
	if o.tag != "" && !slices.ContainsFunc(r.log(t, "library/new"), func(e event) bool {
		return e.What == "manifest" && e.Reference == "1" && strings.Contains(e.Note, o.tag)
	}) {
		t.Errorf("the log does not say %q", o.tag)
	}
	r.committed(t)
	return strings.Join(sources, "+")
}
