//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestFailOpen: an engine that trusts upstream's certificates but not Pulley's CA pulls all the same, through a tunnel,
// after the first try at the latest; `pulley status` names the host.
func TestFailOpen(t *testing.T) {
	image := testImage(t)
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "1ms")
			r.hub.Push("library/rootfs", "1", image)
			w := r.wiring(t, viaHTTP)
			w.ca = r.hub.RootsPEM()
			s := newSandbox(t)
			s.trust(t, r.hub.RootsPEM())
			name := w.name("library/rootfs", "1")
			running := e.open(t, s, w)
			if err := running.pull(t, name, nil); err != nil {
				t.Logf("the first try: %v", err)
				if err := running.pull(t, name, nil); err != nil {
					t.Fatal(err)
				}
			}
			running.check(t, name, image)
			out, err := runCommand(r.command("status", "--json"))
			if err != nil {
				t.Fatal(err)
			}
			if !json.Valid([]byte(out)) || !strings.Contains(out, "registry-1.docker.io") || !strings.Contains(out, "pulley ca trust") {
				t.Errorf("status does not say which host is tunnelled and how to trust the CA:\n%s", out)
			}
		})
	}
}

// TestOff: with `pulley off` every way still leads to the registry, and nothing is intercepted or kept; `pulley on` brings
// it back for an engine that runs on.
func TestOff(t *testing.T) {
	image := testImage(t)
	for _, e := range engines {
		for _, m := range modes {
			t.Run(e.name+"/"+string(m), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, "1ms")
				r.hub.Push("library/rootfs", "1", image)
				r.hub.Push("library/other", "1", another("other"))
				if _, err := runCommand(r.command("off")); err != nil {
					t.Fatal(err)
				}
				w := r.wiring(t, m)
				s := newSandbox(t)
				switch m {
				case viaHTTP, viaSOCKS: // the tunnel shows upstream's own certificate
					w.ca = append(w.ca, r.hub.RootsPEM()...)
					s.trust(t, w.ca)
				case viaMirror: // the engine falls back to the origin, which it can reach through the proxy alone
					s.proxy("http://" + r.addr)
					s.trust(t, r.hub.RootsPEM())
				default:
				}
				running := e.open(t, s, w)
				hub := "" // which an explicit name has to say, or it is a mirror's, and those are told to go to the registry
				if m == viaName {
					hub = "docker.io/"
				}
				name := w.name(hub+"library/rootfs", "1")
				if err := running.pull(t, name, nil); err != nil {
					t.Fatal(err)
				}
				running.check(t, name, image)
				if n := r.kept(t); n != 0 {
					t.Errorf("%d blobs were kept while off", n)
				}

				if _, err := runCommand(r.command("on")); err != nil {
					t.Fatal(err)
				}
				r.hub.Reset()
				if err := running.pull(t, w.name("library/other", "1"), nil); err != nil {
					t.Fatal(err)
				}
				if n := r.hub.Count(http.MethodGet, "/v2/library/other/manifests/*"); n == 0 {
					t.Error("upstream was not asked for the second image")
				}
				if n := r.kept(t); n < len(another("other").Blobs()) {
					t.Errorf("%d blobs are kept after `pulley on`", n)
				}
			})
		}
	}
}

// kept is how many blobs are in Pulley's cache.
func (r *rig) kept(t *testing.T) int {
	t.Helper()
	out, err := runCommand(r.command("cache", "stat", "--json"))
	if err != nil {
		t.Fatal(err)
	}
	var stat struct{ Blobs int }
	if err := json.Unmarshal([]byte(out), &stat); err != nil {
		t.Fatalf("pulley cache stat: %v: %s", err, out)
	}
	return stat.Blobs
}
