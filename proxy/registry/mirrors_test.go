package registry_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
	"pulley/proxy/source"
)

// addMirror starts a mirror of the hub and puts it into docker.io's settings,
// switched on, under a host name of its own.
func (r *room) addMirror(name string, style hubtest.Style, change ...func(*config.Mirror)) *hubtest.Hub {
	r.t.Helper()
	hub := hubtest.MirrorOf(r.t, r.hub, style)
	host := hub.Hosts()[0]
	m := config.Mirror{Name: name, URL: "https://" + host, Style: string(style), Enabled: true}
	for _, f := range change {
		f(&m)
	}
	use := hub.Addr()
	if strings.HasPrefix(m.URL, "http://") {
		use = hub.PlainAddr()
	}
	r.settle(func(c *config.Config) {
		c.Addresses = append(c.Addresses, config.Address{Host: host, Use: []string{use}})
		reg, _ := c.Registry("docker.io")
		reg.Mirrors = append(slices.Clone(reg.Mirrors), m)
	})
	return hub
}

func plain(m *config.Mirror)    { m.URL = "http://" + strings.TrimPrefix(m.URL, "https://") }
func trusting(m *config.Mirror) { m.TrustTags = true }
func private(m *config.Mirror)  { m.Private = true }

// settle is set, and tells what goes on already, as the daemon does.
func (r *room) settle(change func(*config.Config)) {
	r.set(change)
	r.handler.Update()
}

// switchTo changes docker.io's route live.
func (r *room) switchTo(route string) {
	r.route("docker.io", route)
	r.handler.Update()
}

func (r *room) place(name string) *source.Place {
	r.t.Helper()
	reg, _ := r.settings().Registry("docker.io")
	for _, p := range r.sources.Places(reg) {
		if p.Name() == name {
			return p
		}
	}
	r.t.Fatalf("no place %q", name)
	return nil
}

func (r *room) standing(name string) source.Standing {
	r.t.Helper()
	reg, _ := r.settings().Registry("docker.io")
	for _, s := range r.sources.Standings(reg) {
		if s.Name == name {
			return s
		}
	}
	r.t.Fatalf("no standing of %q", name)
	return source.Standing{}
}

// blobEvent waits for the event of an answered GET of a blob; of which, or of any.
func (r *room) blobEvent(of ...digest.Digest) registry.Event {
	r.t.Helper()
	return r.event(func(e registry.Event) bool {
		return e.What == "blob" && e.Method == http.MethodGet && e.Door != "fill" && (len(of) == 0 || slices.Contains(of, e.Digest))
	})
}

// reader is a GET under way.
type reader struct {
	t   testing.TB
	rsp *http.Response
	end context.CancelFunc
}

// reading starts a GET of a blob of library/a at the mirror door.
func (r *room) reading(d digest.Digest, header ...string) *reader {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	rsp, err := r.start(ctx, "GET", blobURL(d), nil, header...)
	if err != nil {
		cancel()
		r.t.Fatal(err)
	}
	s := &reader{r.t, rsp, cancel}
	r.t.Cleanup(s.hangUp)
	return s
}

func (s *reader) hangUp() {
	s.end()
	_ = s.rsp.Body.Close()
}

// take reads n bytes.
func (s *reader) take(n int64) []byte {
	s.t.Helper()
	b := make([]byte, n)
	if got, err := io.ReadFull(s.rsp.Body, b); err != nil {
		s.t.Fatalf("after %d of %d bytes: %v", got, n, err)
	}
	return b
}

// rest reads to the end.
func (s *reader) rest() ([]byte, error) { return io.ReadAll(s.rsp.Body) }

// wantBlob asks for a whole blob of library/a and checks it.
func (r *room) wantBlob(what string, d digest.Digest, header ...string) {
	r.t.Helper()
	got := r.do("GET", blobURL(d), header...)
	wantStatus(r.t, what, got.StatusCode, http.StatusOK)
	if got.err != nil || digest.FromBytes(got.body) != d {
		r.t.Fatalf("%s: %d bytes, not the blob's: %v", what, len(got.body), got.err)
	}
}
