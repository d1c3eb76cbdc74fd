//go:build !darwin

// macOS answers at 127.0.0.1 alone of 127.0.0.0/8.

package egress_test

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/internal/waytest"
	"pulley/proxy/egress"
)

// trustingly lets settings use a resolver.
func trustingly(r *waytest.Resolver) func(*config.Config) {
	return func(c *config.Config) {
		c.Fetch.DoH = r.URL
		c.Fetch.ExtraRoots = append(c.Fetch.ExtraRoots, r.Root)
	}
}

// All that the system knows of a name is poisoned: fetch.doh is asked, and its
// answer kept.
func TestPoisonIsCuredByDoH(t *testing.T) {
	h := newHub(t)
	h.SetFaults(hubtest.Faults{Addr: three[0], WrongName: true}, hubtest.Faults{Addr: three[1], WrongCert: true})
	r := waytest.DoH(t, map[string][]string{hubHost: {"0.0.0.0", three[0], three[2]}})
	now := time.Now()
	e := newRig(t, egress.Options{Resolver: names{hubHost: three[:2]}, Now: func() time.Time { return now }}, trusting(h), trustingly(r))
	for range 3 {
		ctx, trail := egress.WithTrail(t.Context())
		if code, err := ask(ctx, e.Egress, h, http.MethodGet); code != 401 || err != nil || trail.Way() != "direct 127.0.0.3 (doh)" {
			t.Fatalf("%d, %v, %q", code, err, trail.Way())
		}
		e.Close()
	}
	// Tunnels have it too.
	c, err := e.DialContext(t.Context(), "tcp", hubHost+":"+portOf(h.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.RemoteAddr().String(); got != h.Addrs()[2] {
		t.Errorf("a tunnel leads to %s", got)
	}
	_ = c.Close()
	if q := r.Questions(); len(q) != 2 || len(e.Poisoned()) != 2 {
		t.Errorf("asked %q; poisoned %v", q, e.Poisoned())
	}
	if n := strings.Count(e.log.String(), "fetch.doh"); n != 1 {
		t.Errorf("said %d times: %s", n, e.log)
	}
	// It is forgotten when the poison is old.
	now = now.Add(time.Hour)
	h.SetFaults()
	ctx, trail := egress.WithTrail(t.Context())
	if code, err := ask(ctx, e.Egress, h, http.MethodGet); code != 401 || err != nil || trail.Way() != "direct 127.0.0.1" {
		t.Errorf("%d, %v, %q", code, err, trail.Way())
	}
	if len(e.Poisoned()) != 0 {
		t.Errorf("still poisoned: %v", e.Poisoned())
	}
}

// The resolver is told nothing that is not its business.
func TestWhatDoHIsAsked(t *testing.T) {
	h := newHub(t)
	h.Down()
	port := portOf(h.Addr())
	r := waytest.DoH(t, nil)
	e := newRig(t, egress.Options{Resolver: names{"private.example": {"127.0.0.1"}, "pinned.example": {"127.0.0.1"}}},
		trustingly(r), pins("pinned.example", "127.0.0.1:"+port))
	get := func(registry, host string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+":"+port+"/v2/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := e.Transport(registry).RoundTrip(req); err == nil {
			_ = resp.Body.Close()
			t.Error(host + " answered")
		}
	}
	get("lab", "private.example") // it stands for a private address
	get("lab", "pinned.example")  // the settings say where it is
	get("lab", "127.0.0.1")
	get("lab", "intranet") // not a name of the internet
	get("", "unknown.example")
	if c, err := e.DialContext(t.Context(), "tcp", "unknown.example:"+port); err == nil {
		_ = c.Close()
	}
	if q := r.Questions(); len(q) != 0 {
		t.Errorf("asked %q", q)
	}
	get("lab", "unknown.example") // a registry's name that the system says is none
	if q := r.Questions(); len(q) != 2 {
		t.Errorf("asked %q", q)
	}
	// Switched off, we stay out of the way.
	off := newRig(t, egress.Options{Resolver: names{}}, trustingly(r), func(c *config.Config) { c.Enabled = false })
	if _, err := ask(t.Context(), off.Egress, h, http.MethodGet); err == nil || len(r.Questions()) != 2 {
		t.Errorf("asked %q, %v", r.Questions(), err)
	}
}

// A resolver that fails leaves the first error to be seen, and is left alone for
// a while.
func TestDoHFails(t *testing.T) {
	h := newHub(t)
	h.SetFaults(hubtest.Faults{WrongName: true})
	r := waytest.DoH(t, nil)
	r.Fail(http.StatusInternalServerError)
	e := newRig(t, egress.Options{Resolver: names{hubHost: three[:1]}}, trusting(h), trustingly(r))
	for range 2 {
		_, err := ask(t.Context(), e.Egress, h, http.MethodGet)
		if err == nil || !strings.Contains(err.Error(), "certificate") || !strings.Contains(err.Error(), "fetch.doh") {
			t.Errorf("got %v", err)
		}
	}
	if q := r.Questions(); len(q) != 2 {
		t.Errorf("asked %q", q)
	}
}

// With no resolver, or one that is no help, the first egress that does not
// except the host is the way, and stays it for a while.
func TestPoisonIsPassedByAnEgress(t *testing.T) {
	h := newHub(t)
	h.SetFaults(hubtest.Faults{Addr: three[0], WrongName: true})
	first, second := newProxy(t, h.Addrs()[2], false), newProxy(t, h.Addrs()[2], false)
	second.quiet = true
	e := newRig(t, egress.Options{Resolver: names{hubHost: three[:1]}}, trusting(h), func(c *config.Config) {
		c.Egresses = []config.Egress{
			{Name: "first", URL: first.URL, For: []string{"gcr.io"}, Except: []string{"*.docker.io"}},
			{Name: "second", URL: second.URL, For: []string{"gcr.io"}},
		}
	})
	for range 2 {
		ctx, trail := egress.WithTrail(t.Context())
		if code, err := ask(ctx, e.Egress, h, http.MethodGet); code != 401 || err != nil || trail.Way() != "egress second" {
			t.Fatalf("%d, %v, %q", code, err, trail.Way())
		}
		e.Close()
	}
	// Two connections went there, and the poisoned address was tried once.
	if n, _ := h.Connections(); n != 3 || first.requests() != "" || strings.Count(second.requests(), "CONNECT") != 2 {
		t.Errorf("%d connections; first %q, second %q", n, first.requests(), second.requests())
	}
	if n := strings.Count(e.log.String(), "reached through an egress"); n != 1 {
		t.Errorf("said %d times: %s", n, e.log)
	}
	// A name that is merely not there goes nowhere it was not meant to.
	h.SetFaults(hubtest.Faults{Addr: three[0], Refuse: true})
	e.NetworkChanged()
	ctx, trail := egress.WithTrail(t.Context())
	if _, err := ask(ctx, e.Egress, h, http.MethodGet); err == nil || strings.Count(second.requests(), "CONNECT") != 2 {
		t.Errorf("%v, %q, %q", err, second.requests(), trail.Way())
	}
}

// FuzzDNSAnswer has a resolver answer anything at all.
func FuzzDNSAnswer(f *testing.F) {
	q := dnsmessage.Message{Header: dnsmessage.Header{Response: true}, Questions: []dnsmessage.Question{{
		Name: dnsmessage.MustNewName("far.example."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET,
	}}}
	wire, err := q.Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire)
	q.Answers = []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: q.Questions[0].Name, Class: dnsmessage.ClassINET},
		Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
	}}
	if wire, err = q.Pack(); err != nil {
		f.Fatal(err)
	}
	f.Add(wire)
	f.Add(wire[:len(wire)-2])
	f.Add([]byte("<html>"))
	var mu sync.Mutex
	var answer []byte
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = w.Write(answer)
	}))
	f.Cleanup(srv.Close)
	file := filepath.Join(f.TempDir(), "root.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		f.Fatal(err)
	}
	cfg := config.Default()
	cfg.Fetch.DoH, cfg.Fetch.ExtraRoots = srv.URL, []string{file}
	start := time.Now()
	var hours atomic.Int64 // a resolver that fails is not asked again at once
	e := egress.New(egress.Options{
		Settings: func() *config.Config { return cfg }, Resolver: names{},
		Now: func() time.Time { return start.Add(time.Duration(hours.Add(1)) * time.Hour) },
	})
	f.Cleanup(e.Close)
	f.Fuzz(func(t *testing.T, body []byte) {
		mu.Lock()
		answer = body
		mu.Unlock()
		// The answer may name anybody: nobody is bothered.
		ctx := egress.WithGuard(t.Context(), func(netip.Addr) error { return errors.New("only a test") })
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://far.example:1/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := e.Transport("lab").RoundTrip(req); err == nil {
			_ = resp.Body.Close()
			t.Errorf("%q led somewhere", body)
		}
	})
}
