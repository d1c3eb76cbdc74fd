//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// refusal is a way in which Docker Hub says "too many requests".
type refusal struct {
	name  string
	fault hubtest.Faults
}

// soon is when to come back. podman and skopeo do by themselves, four times, and say nothing meanwhile.
const soon = "1"

var refusals = []refusal{
	// The pull limit counts a GET of a manifest and lets HEAD pass …
	{"pull limit", hubtest.PullLimit("", soon)},
	// … and who asks for too much gets nothing at all.
	{"too many requests", tooMany()},
}

func tooMany() hubtest.Faults {
	f := hubtest.Abuse(soon)
	f.Host = "registry-1.docker.io"
	return f
}

// TestPullLimit: while the origin says "too many requests", what was pulled once pulls again, and whoever wants something
// new is told in the engine's own error when to try again and what would help. Only an engine that is refused a HEAD, to
// which no reason can be given, says no more than 429.
func TestPullLimit(t *testing.T) {
	var columns []string
	for _, f := range refusals {
		columns = append(columns, f.name)
	}
	results := newTable(columns...)
	t.Run("engines", func(t *testing.T) {
		for _, e := range engines {
			for _, f := range refusals {
				t.Run(e.name+"/"+f.name, func(t *testing.T) {
					t.Parallel()
					began := time.Now()
					told := pullLimited(t, e, f)
					if !t.Failed() {
						results.ran(e.name, f.name, fmt.Sprintf("%s %.1fs", told, time.Since(began).Seconds()))
					}
				})
			}
		}
	})
	results.complete(t)
}

// pullLimited returns what the engine's user is told.
func pullLimited(t *testing.T, e engine, f refusal) (told string) {
	t.Helper()
	r := newRig(t, "1ms")
	w := r.wiring(t, viaHTTP)
	cached := simple(500, 300<<10)
	// Pulley has it, and the engine has not.
	r.hub.Push("library/cached", "1", cached)
	r.hub.Push("library/new", "1", simple(501, 300<<10))
	r.pulled(t, "library/cached", cached)
	r.hub.SetFaults(f.fault)
	s := r.open(t, e, viaHTTP)
	versions.Store(e.name, s.version(t))
	name := w.name("library/cached", "1")
	if err := s.pull(t, name, nil); err != nil {
		t.Fatalf("what is cached: %v", err)
	}
	s.check(t, name, cached)

	err := s.pull(t, w.name("library/new", "1"), nil)
	if err == nil {
		t.Fatal("a new image came through the limit")
	}
	said := err.Error()
	t.Logf("the engine says: %s", said)
	if strings.Contains(said, "not found") || strings.Contains(said, "manifest unknown") {
		t.Errorf("the engine says that there is no such image: %s", said)
	}
	if r.headOnly(t, "library/new") {
		// An answer to HEAD has no body, so there is nothing but its status to tell.
		if !strings.Contains(said, "429 Too Many Requests") {
			t.Errorf("the engine does not say what was answered: %s", said)
		}
		return "429 of HEAD"
	}
	for _, want := range []string{"try again in ", "docker login", "pulley mirror on "} {
		if !strings.Contains(said, want) {
			t.Errorf("the engine does not say %q: %s", want, said)
		}
	}
	return "advice"
}

// headOnly says that the engine asked for a repository's manifests with HEAD alone, and so was told no reason.
func (r *rig) headOnly(t *testing.T, repository string) bool {
	t.Helper()
	return !slices.ContainsFunc(r.log(t, repository), func(e event) bool { return e.Method == http.MethodGet })
}

// pulled fetches an image by Pulley's mirror door, as a client that keeps nothing.
func (r *rig) pulled(t *testing.T, repository string, image hubtest.Image) {
	t.Helper()
	r.tag(t, repository, "1")
	for _, d := range image.Blobs() {
		manifest(t, http.DefaultClient, "http://"+r.addr+"/v2/"+repository+"/blobs/"+d.String())
	}
}
