//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// event is a line of `pulley log --json`.
type event struct {
	Door, Method, Repository, What, Reference, Digest string
	Status                                            int
	Source, Way, Note, Err                            string
}

// ask runs a command of pulley's that prints JSON.
func (r *rig) ask(t *testing.T, into any, args ...string) {
	t.Helper()
	out, err := runCommand(r.command(append(args, "--json")...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("pulley %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// log is what Pulley says of the requests about a repository that clients made: GET and HEAD of manifests and blobs.
func (r *rig) log(t *testing.T, repository string) (list []event) {
	t.Helper()
	out, err := runCommand(r.command("log", "--json", "--lines", "10000"))
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(out)))
	for {
		var e event
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatalf("pulley log: %v: %s", err, out)
		}
		if e.Repository == repository && (e.What == "manifest" || e.What == "blob") {
			list = append(list, e)
		}
	}
}

// from lists all that brought bytes of a repository's blobs, by the log, in order.
func (r *rig) from(t *testing.T, repository string) (sources []string) {
	t.Helper()
	for _, e := range r.log(t, repository) {
		if e.What == "blob" && e.Source != "" {
			sources = append(sources, strings.Split(e.Source, "+")...)
		}
	}
	slices.Sort(sources)
	return slices.Compact(sources)
}

// readers is how often engines asked for a blob.
func (r *rig) readers(t *testing.T, blob string) (n int) {
	t.Helper()
	for _, e := range r.log(t, "library/big") {
		if e.What == "blob" && e.Method == http.MethodGet && e.Reference == blob {
			n++
		}
	}
	return n
}

// place is one of `pulley mirror ls`.
type place struct {
	Name           string
	Usable, Proven bool
	Why            string
}

// place is how a mirror of Docker Hub's stands.
func (r *rig) place(t *testing.T, name string) place {
	t.Helper()
	var list []place
	r.ask(t, &list, "mirror", "ls", "docker.io")
	for _, p := range list {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("pulley mirror ls does not know %s: %v", name, list)
	return place{}
}

// status is what `pulley status` prints.
func (r *rig) status(t *testing.T) string {
	t.Helper()
	out, err := runCommand(r.command("status"))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// committed checks that Pulley's own store holds no blob that is wrong.
func (r *rig) committed(t *testing.T) {
	t.Helper()
	checkFolder(t, r.home+"/cache/blobs/sha256")
}
