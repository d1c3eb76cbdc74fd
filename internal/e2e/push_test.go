//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// proxied are the modes in which pushes and credentials go through Pulley; mirrors are for reading alone.
var proxied = []mode{viaHTTP, viaSOCKS}

// TestPush: an engine that logged in pushes through the proxy over a tag that Pulley believes for an hour; the origin has
// the image at once, and so has everybody who asks Pulley.
func TestPush(t *testing.T) {
	each(t, func(t *testing.T, e engine, m mode) {
		r := newRig(t, "1h")
		before, after := another("before"), another("after "+e.name)
		r.hub.Push("alice/app", "1", before)
		r.hub.Push("library/new", "1", after)
		w := r.wiring(t, m)
		w.login = true
		s := e.open(t, newSandbox(t), w)
		if got := r.tag(t, "alice/app", "1"); got != before.Digest() {
			t.Fatalf("before the push the tag stands for %s, want %s", got, before.Digest())
		}
		if err := s.pull(t, w.name("library/new", "1"), nil); err != nil {
			t.Fatal(err)
		}
		if err := s.push(t, w.name("library/new", "1"), w.name("alice/app", "1"), nil); err == nil {
			t.Error("a push without login went through")
		}
		// dockerd starts an upload over, after 5, 10, 15 and 20 seconds, unless the refusal says that the token is the wrong one.
		if took := r.span(http.MethodPost, "/v2/alice/app/blobs/uploads/"); took > 20*time.Second {
			t.Errorf("without login the engine tried for %s before it gave up", took)
		}
		if err := s.push(t, w.name("library/new", "1"), w.name("alice/app", "1"), alice); err != nil {
			t.Fatal(err)
		}
		pushed := r.atHub(t, "alice/app", "1")
		if pushed == before.Digest() {
			t.Fatal("the origin's tag has not moved")
		}
		if got := r.tag(t, "alice/app", "1"); got != pushed {
			t.Errorf("after the push Pulley's tag stands for %s, want %s (before: %s)", got, pushed, before.Digest())
		}
		fresh := e.open(t, newSandbox(t), w)
		if err := fresh.pull(t, w.name("alice/app", "1"), nil); err != nil {
			t.Fatal(err)
		}
		// Engines may compress again, so the manifest may differ; skopeo and containerd push what they hold.
		if pushed == after.Digest() {
			fresh.check(t, w.name("alice/app", "1"), after)
		}
	})
}

// TestPrivate: a private image opens to nobody but the person whose credentials the origin accepts, cached or not, with
// the origin there or not.
func TestPrivate(t *testing.T) {
	each(t, func(t *testing.T, e engine, m mode) {
		r := newRig(t, "1ms")
		secret := another("secret")
		r.hub.Push("alice/secret", "1", secret)
		r.hub.SetPrivate("alice/secret", alice.user)
		name := r.wiring(t, m).name("alice/secret", "1")
		refused := func(when string, who *login) {
			t.Helper()
			if err := r.open(t, e, m).pull(t, name, who); err == nil {
				t.Errorf("%s: a private image was given to a stranger", when)
			}
		}
		accepted := func(when string) {
			t.Helper()
			s := r.open(t, e, m)
			if err := s.pull(t, name, alice); err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			s.check(t, name, secret)
		}
		refused("cold", nil)
		accepted("cold")
		r.hub.Reset()
		accepted("cached")
		r.none(t)
		refused("cached", nil)
		refused("cached", &login{alice.user, "wrong"})
		r.hub.Down()
		accepted("offline")
		refused("offline", nil)
		refused("offline", &login{alice.user, "wrong"})
	})
}

// TestPrivateBehindMirror: the mirror door has no private images, so an engine goes on to the registry, here through the
// proxy, where the person's credentials count.
func TestPrivateBehindMirror(t *testing.T) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "1ms")
			secret := another("secret")
			r.hub.Push("alice/secret", "1", secret)
			r.hub.SetPrivate("alice/secret", alice.user)
			w := r.wiring(t, viaMirror)
			name := w.name("alice/secret", "1")
			for _, who := range []*login{nil, alice, nil, {alice.user, "wrong"}} {
				s := newSandbox(t)
				s.proxy("http://" + r.addr)
				s.trust(t, w.ca)
				running := e.open(t, s, w)
				err := running.pull(t, name, who)
				if who != alice {
					if err == nil {
						t.Error("a private image was given to a stranger")
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				running.check(t, name, secret)
			}
		})
	}
}

// each runs a test for every engine in every proxied mode, two at a time, and fails if one did not run.
func each(t *testing.T, test func(t *testing.T, e engine, m mode)) {
	t.Helper()
	var columns []string
	for _, m := range proxied {
		columns = append(columns, string(m))
	}
	results := newTable(columns...)
	t.Run("engines", func(t *testing.T) {
		for _, e := range engines {
			for _, m := range proxied {
				t.Run(e.name+"/"+string(m), func(t *testing.T) {
					t.Parallel()
					began := time.Now()
					test(t, e, m)
					if !t.Failed() {
						results.ran(e.name, string(m), fmt.Sprintf("ok %.1fs", time.Since(began).Seconds()))
					}
				})
			}
		}
	})
	results.complete(t)
}

// tag asks Pulley's mirror door what a tag stands for.
func (r *rig) tag(t *testing.T, repository, tag string) digest.Digest {
	t.Helper()
	return manifest(t, http.DefaultClient, "http://"+r.addr+"/v2/"+repository+"/manifests/"+tag)
}

// span is the time from the first to the last request of a kind that upstream saw.
func (r *rig) span(method, path string) time.Duration {
	var first, last time.Time
	for _, q := range r.hub.Requests() {
		if q.Method != method || q.Path != path {
			continue
		}
		if first.IsZero() {
			first = q.Start
		}
		last = q.Start
	}
	return last.Sub(first)
}

// atHub is what the origin itself says.
func (r *rig) atHub(t *testing.T, repository, tag string) digest.Digest {
	t.Helper()
	d, _, _, ok := r.hub.Site("").Manifest(repository, tag)
	if !ok {
		t.Fatalf("the hub has no %s:%s", repository, tag)
	}
	return d
}

func manifest(t *testing.T, client *http.Client, url string) digest.Digest {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, accept := range []string{
		hubtest.DockerManifest, hubtest.DockerManifestList,
		"application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json",
	} {
		req.Header.Add("Accept", accept)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s: %s", url, res.Status, body)
	}
	return digest.FromBytes(body)
}
