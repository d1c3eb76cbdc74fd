//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// lie is how a mirror lies.
type lie struct {
	name   string
	proven bool // it has brought a right image before
	at     int64
	mode   mode
}

// bigLayer is large enough for ranges with fetch.range_min = "1MiB".
const bigLayer = 8 << 20

var lies = []lie{
	{"early", true, 4096, viaHTTP},
	{"late", true, bigLayer - 700_000, viaHTTP},
	{"early, mirror", true, 4096, viaMirror},
	{"unproven", false, 4096, viaHTTP},
}

// TestLies: the mirror that the route names flips one byte of a big layer. No engine ever holds anything wrong. If a wrong
// byte was on its way to the engine already, its pull is broken off, and its own retry or the next pull brings the image; of a
// mirror that had proved nothing it never hears, and an engine that could not make up for a wrong byte never does. The liar is
// named and not asked again; another mirror stays.
func TestLies(t *testing.T) {
	var columns []string
	for _, l := range lies {
		columns = append(columns, l.name)
	}
	results := newTable(columns...)
	t.Run("engines", func(t *testing.T) {
		for _, e := range engines {
			for i, l := range lies {
				t.Run(e.name+"/"+l.name, func(t *testing.T) {
					t.Parallel()
					how := pullLie(t, e, l, uint64(100+i))
					if !t.Failed() {
						results.ran(e.name, l.name, how)
					}
				})
			}
		}
	})
	results.complete(t)
}

// pullLie returns how the engine came to the image.
func pullLie(t *testing.T, e engine, l lie, seed uint64) (how string) {
	t.Helper()
	r := newRigWith(t, settings{
		tagTTL: "1h", fetch: "range_min = \"1MiB\"\nconnections = 4", route: "m1",
		mirrors: []hubtest.Style{hubtest.StyleHost, hubtest.StylePrefix},
	})
	liar, w := r.mirrors[0], r.wiring(t, l.mode)
	s := r.open(t, e, l.mode)
	versions.Store(e.name, s.version(t))
	if l.proven {
		r.pullNew(t, s, w, "library/first", simple(seed+1000, 300<<10))
		if p := r.place(t, "m1"); !p.Proven {
			t.Fatalf("after a right image the mirror has not proved itself: %+v", p)
		}
	}

	image := simple(seed, bigLayer)
	layer := image.Layers[0].Digest
	r.hub.Push("library/big", "1", image)
	// As fast as a line may be, so that the engine reads what the mirror sends while it sends it.
	faults := []hubtest.Faults{{Digest: layer, WrongByte: hubtest.At(l.at)}, {Total: 24 << 20}}
	if !l.proven { // the config would prove it
		faults = append(faults, hubtest.Faults{Digest: image.Blobs()[0], Status: http.StatusNotFound})
	}
	liar.SetFaults(faults...)
	name := w.name("library/big", "1")
	how = "pull 1"
	began := time.Now()
	if err := s.pull(t, name, nil); err != nil {
		t.Logf("the first pull: %v", err)
		if !l.proven || strings.Contains(e.name, "new") || strings.Contains(e.name, "containerd") {
			t.Errorf("it was shown what it could not make up for")
		}
		s.sound(t, name)
		if err := s.pull(t, name, nil); err != nil {
			t.Fatalf("the next pull: %v", err)
		}
		how = "pull 2"
	}
	how += fmt.Sprintf(" %.1fs", time.Since(began).Seconds())
	s.check(t, name, image)
	r.committed(t)
	if liar.Ranges(layer).Total() == 0 {
		t.Error("the mirror was not asked for the layer")
	}
	if n := r.readers(t, layer.String()); n != 1 {
		if !l.proven {
			t.Errorf("the engine asked for the layer %d times", n)
		}
		how += fmt.Sprintf(" (%dx)", n)
	}
	r.expelled(t, "m1")
	if p := r.place(t, "m2"); !p.Usable {
		t.Errorf("the other mirror is not used any more: %+v", p)
	}
	liar.Reset()
	r.pullNew(t, s, w, "library/after", simple(seed+2000, 100<<10))
	if n := liar.Count("", "**"); n > 0 {
		t.Errorf("the liar was asked %d times for the image after", n)
	}
	return how
}

// expelled checks that a mirror is said to be out, and why, wherever a person would look.
func (r *rig) expelled(t *testing.T, name string) {
	t.Helper()
	if p := r.place(t, name); p.Usable || !strings.Contains(p.Why, "expelled") || !strings.Contains(p.Why, "wrong bytes") {
		t.Errorf("pulley mirror ls does not say that %s is expelled, and why: %+v", name, p)
	}
	if text := r.status(t); !strings.Contains(text, "mirror "+name+" of docker.io is not used: it sent wrong bytes") {
		t.Errorf("pulley status does not name the liar:\n%s", text)
	}
}
