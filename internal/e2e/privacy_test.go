//go:build e2e

package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// TestPrivacy: with a mirror of each style switched on, an engine that is logged in pulls private images and public ones,
// while the route goes from one mirror to the next. No mirror hears of the private ones, no credentials reach anybody but
// the origin and its token service, and nothing that Pulley writes down holds them.
func TestPrivacy(t *testing.T) {
	routes := []string{"auto", "m1", "m2", "m3"}
	results := newTable(routes...)
	t.Run("engines", func(t *testing.T) {
		for _, e := range engines {
			t.Run(e.name, func(t *testing.T) {
				t.Parallel()
				r := newRigWith(t, settings{
					tagTTL: "1ms", fetch: "range_min = \"1MiB\"\nconnections = 4",
					mirrors: []hubtest.Style{hubtest.StyleHost, hubtest.StylePrefix, hubtest.StyleNS},
				})
				// Slow enough that mirrors are of use whatever the route.
				r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Bandwidth: 2 << 20})
				s := r.open(t, e, viaHTTP)
				versions.Store(e.name, s.version(t))
				for i, route := range routes {
					began := time.Now()
					r.pullSecret(t, s, route, uint64(600+2*i))
					if !t.Failed() {
						results.ran(e.name, route, fmt.Sprintf("ok %.1fs", time.Since(began).Seconds()))
					}
				}
				r.daemon.stop() // so that all is written
				r.writesNoSecret(t)
			})
		}
	})
	results.complete(t)
}

// pullSecret pulls a private image and a public one, new ones, by a route.
func (r *rig) pullSecret(t *testing.T, s session, route string, seed uint64) {
	t.Helper()
	if _, err := runCommand(r.command("route", "docker.io", route)); err != nil {
		t.Fatal(err)
	}
	w := r.wiring(t, viaHTTP)
	secret, open := simple(seed, 2<<20), simple(seed+1, 2<<20)
	r.hub.Push("alice/secret-"+route, "1", secret)
	r.hub.SetPrivate("alice/secret-"+route, alice.user)
	r.hub.Push("alice/open-"+route, "1", open)
	for range 2 { // the second time Pulley has it, and makes sure of the right to it
		if err := s.pull(t, w.name("alice/secret-"+route, "1"), alice); err != nil {
			t.Fatal(err)
		}
	}
	s.check(t, w.name("alice/secret-"+route, "1"), secret)
	if err := s.pull(t, w.name("alice/open-"+route, "1"), alice); err != nil {
		t.Fatal(err)
	}
	s.check(t, w.name("alice/open-"+route, "1"), open)
	r.keptSecret(t, secret)
	for i, m := range r.mirrors {
		name := fmt.Sprintf("m%d", i+1)
		if asked := m.Count("GET", "/v2/**/open-"+route+"/**"); asked == 0 && route == name {
			t.Errorf("%s was not asked for the public image, so nothing was tried", name)
		}
	}
}

// keptSecret looks at all that the mirrors and the origin were asked.
func (r *rig) keptSecret(t *testing.T, image hubtest.Image) {
	t.Helper()
	private := []string{"secret-"}
	for _, d := range append(image.Blobs(), image.Digest()) {
		private = append(private, d.Encoded())
	}
	for i, m := range r.mirrors {
		for _, q := range m.Requests() {
			if words := fmt.Sprint(q.Path, q.Query, q.Referer, q.Header); slices.ContainsFunc(private, func(p string) bool { return strings.Contains(words, p) }) {
				t.Errorf("m%d was told of the private image: %s %s?%s", i+1, q.Method, q.Path, q.Query)
			}
			if q.Authorization != "" || q.Header.Get("Cookie") != "" { // nor did they ask for any
				t.Errorf("m%d was given credentials: %s %s", i+1, q.Method, q.Path)
			}
		}
	}
	for _, q := range r.hub.Requests() {
		if strings.HasPrefix(q.Host, r.hub.CDNHost) && (q.Authorization != "" || q.Header.Get("Cookie") != "") {
			t.Errorf("the CDN was given credentials: %s %s", q.Method, q.Path)
		}
	}
}

// writesNoSecret looks for the password, also as it is sent, in all that Pulley keeps and in what it printed.
func (r *rig) writesNoSecret(t *testing.T) {
	t.Helper()
	basic := base64.StdEncoding.EncodeToString([]byte(alice.user + ":" + alice.password))
	words := [][]byte{[]byte(alice.password), []byte(basic), []byte(digest.FromString(alice.password).Encoded())}
	look := func(where string, body []byte) {
		for _, word := range words {
			if bytes.Contains(body, word) {
				t.Errorf("%s holds the password, as %q", where, word)
			}
		}
	}
	look("what it printed", []byte(r.daemon.out.String()))
	err := filepath.WalkDir(r.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		body, err := os.ReadFile(path)
		look(path, body)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
