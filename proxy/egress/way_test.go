package egress_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/armon/go-socks5"

	"pulley/internal/config"
	"pulley/internal/waytest"
	"pulley/proxy/egress"
)

func TestEnvironmentProxy(t *testing.T) {
	live := waytest.Echo(t, "127.0.0.1:0", "live")
	p := newProxy(t, live, false)
	e := newRig(t, egress.Options{
		Environ:  []string{"HTTPS_PROXY=" + p.URL, "NO_PROXY=direct.example,127.0.0.5"},
		Resolver: names{"direct.example": {"127.0.0.1"}},
	}, pins("pinned.example", "192.0.2.1:8443"), pins("near.example", "127.0.0.1"), pins("excepted.example", "127.0.0.1"))
	for addr, want := range map[string]string{
		"far.example:443":                "CONNECT:far.example:443",
		"pinned.example:443":             "CONNECT:192.0.2.1:8443", // the address, not the name
		"direct.example:" + portOf(live): "",
		"near.example:" + portOf(live):   "", // loopback is never proxied
		live:                             "",
	} {
		p.asked = nil
		c, err := e.DialContext(t.Context(), "tcp", addr)
		if got := hello(t, c, err); got != "live" || p.requests() != want {
			t.Errorf("%s: %s by %q, want %q", addr, got, p.requests(), want)
		}
	}
}

func TestProxyPassword(t *testing.T) {
	live := waytest.Echo(t, "127.0.0.1:0", "live")
	p := newProxy(t, live, false)
	p.auth = "Basic dXNlcjpwQHNz"
	good, bad := url.UserPassword("user", "p@ss"), url.UserPassword("user", "wr0ng")
	for user, ok := range map[*url.Userinfo]bool{good: true, bad: false} {
		u := &url.URL{Scheme: "http", Host: strings.TrimPrefix(p.URL, "http://"), User: user}
		e := newRig(t, egress.Options{Environ: []string{"https_proxy=" + u.String()}})
		c, err := e.DialContext(t.Context(), "tcp", "far.example:443")
		if got := hello(t, c, err); (got == "live") != ok {
			t.Errorf("as %s: %s", user.Username(), got)
		}
		if err != nil && (strings.Contains(err.Error(), "wr0ng") || !strings.Contains(err.Error(), "407")) {
			t.Errorf("the error: %v", err)
		}
	}
}

// A proxy setting that points back at us is not followed, and said once.
func TestLoopIsSeen(t *testing.T) {
	live := waytest.Echo(t, "127.0.0.1:0", "live")
	self := waytest.Echo(t, "127.0.0.1:0", "ourselves")
	for _, tt := range []struct{ proxy, self string }{
		{"http://" + self, self},
		{"http://localhost:" + portOf(self), self},
		{"socks5://me:secret@" + self, self},
		{"http://" + self, "0.0.0.0:" + portOf(self)},
		{"http://" + self, "[::]:" + portOf(self)},
		{"http://0.0.0.0:" + portOf(self), self},
	} {
		e := newRig(t, egress.Options{
			Environ: []string{"HTTPS_PROXY=" + tt.proxy}, Self: func() []string { return []string{"not an address", tt.self} },
			Resolver: names{"far.example": {"127.0.0.1"}, "localhost": {"127.0.0.1", "::1"}},
		})
		for range 2 {
			c, err := e.DialContext(t.Context(), "tcp", "far.example:"+portOf(live))
			if got := hello(t, c, err); got != "live" {
				t.Errorf("%v: %s", tt, got)
			}
		}
		if n := strings.Count(e.log.String(), "points back at pulley"); n != 1 || strings.Contains(e.log.String(), "secret") {
			t.Errorf("%v: said %d times: %s", tt, n, e.log)
		}
	}
	// The same port elsewhere is somebody else.
	p := newProxy(t, live, false)
	e := newRig(t, egress.Options{Environ: []string{"HTTPS_PROXY=" + p.URL}, Self: func() []string { return []string{"127.0.0.77:" + portOf(p.Listener.Addr().String())} }})
	c, err := e.DialContext(t.Context(), "tcp", "far.example:443")
	if got := hello(t, c, err); got != "live" || p.requests() == "" {
		t.Errorf("a neighbour's proxy was taken for us: %s", got)
	}
}

func TestSOCKS(t *testing.T) {
	live := waytest.Echo(t, "127.0.0.1:0", "live")
	asked := make(chan string, 10)
	srv, err := socks5.New(&socks5.Config{
		Resolver:    keepNames{},
		Credentials: socks5.StaticCredentials{"user": "pass"},
		Rules:       asking{asked},
		Rewriter:    rewrite{live},
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's listener
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() { _ = srv.Serve(l) }()
	for _, scheme := range []string{"socks5", "socks5h"} {
		e := newRig(t, egress.Options{}, func(c *config.Config) {
			c.Egresses = []config.Egress{{Name: "s", URL: scheme + "://user:pass@" + l.Addr().String(), For: []string{"*"}}}
		})
		c, err := e.DialContext(t.Context(), "tcp", "far.example:443")
		if got := hello(t, c, err); got != "live" {
			t.Fatal(got)
		}
		if name := <-asked; name != "far.example" {
			t.Errorf("%s: the proxy was asked for %q", scheme, name)
		}
	}
}

func TestEgressEntries(t *testing.T) {
	live := waytest.Echo(t, "127.0.0.1:0", "live")
	a, b, env := newProxy(t, live, false), newProxy(t, live, false), newProxy(t, live, false)
	entries := func(c *config.Config) {
		c.Egresses = []config.Egress{
			{Name: "a", URL: a.URL, For: []string{"gcr.io"}},
			{Name: "b", URL: b.URL, For: []string{"*"}, Except: []string{"ghcr.io", "*.internal.example"}},
			{Name: "jump", URL: "ssh://root:secret@203.0.113.7", For: []string{"ghcr.io"}},
		}
	}
	o := egress.Options{Environ: []string{"HTTPS_PROXY=" + env.URL}}
	e := newRig(t, o, entries)
	get := func(registry, host string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := e.Transport(registry).RoundTrip(req); err == nil {
			_ = resp.Body.Close()
			t.Errorf("%s: an echo spoke TLS", host)
		}
	}
	get("gcr.io", "gcr.io")
	get("docker.io", "registry-1.docker.io")
	c, err := e.DialContext(t.Context(), "tcp", "tunnel.example:443")
	hello(t, c, err)
	c, err = e.DialContext(t.Context(), "tcp", "host.internal.example:443")
	hello(t, c, err)
	for name, tt := range map[string]struct {
		p    *httpProxy
		want string
	}{
		"a":   {a, "CONNECT:gcr.io:443"},
		"b":   {b, "CONNECT:registry-1.docker.io:443 CONNECT:tunnel.example:443"},
		"env": {env, "CONNECT:host.internal.example:443"},
	} {
		if got := tt.p.requests(); got != tt.want {
			t.Errorf("%s was asked for %q, want %q", name, got, tt.want)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://ghcr.io/", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Transport("ghcr.io").RoundTrip(req) //nolint:bodyclose // fails
	var way *egress.WayError
	if !errors.As(err, &way) || way.Name != "jump" || strings.Contains(err.Error(), "secret") {
		t.Errorf("ssh: %v", err)
	}
	// Switched off there is none, and the environment's proxy is for when
	// nothing else works.
	e = newRig(t, egress.Options{Environ: o.Environ, Resolver: names{"far.example": {"127.0.0.1"}}}, entries, func(c *config.Config) { c.Enabled = false })
	env.asked, b.asked = nil, nil
	c, err = e.DialContext(t.Context(), "tcp", "far.example:"+portOf(live))
	if got := hello(t, c, err); got != "live" || env.requests() != "" {
		t.Errorf("off: %s by %q", got, env.requests())
	}
	c, err = e.DialContext(t.Context(), "tcp", "unresolvable.example:443")
	if got := hello(t, c, err); got != "live" || env.requests() != "CONNECT:unresolvable.example:443" || b.requests() != "" {
		t.Errorf("off, with no direct way: %s by %q", got, env.requests())
	}
}

// A guard sees addresses also where a proxy would resolve the name.
func TestGuardBehindProxy(t *testing.T) {
	live := waytest.Echo(t, "127.0.0.1:0", "live")
	p := newProxy(t, live, false)
	e := newRig(t, egress.Options{Environ: []string{"HTTPS_PROXY=" + p.URL, "HTTP_PROXY=" + p.URL}, Resolver: names{
		"inside.example": {"10.0.0.1"}, "mixed.example": {"192.0.2.9", "10.0.0.1"}, "out.example": {"192.0.2.8"},
	}})
	ctx := egress.WithGuard(t.Context(), func(a netip.Addr) error {
		if a.IsPrivate() || a.IsLoopback() {
			return errors.New("not for you")
		}
		return nil
	})
	for addr, want := range map[string]string{
		"inside.example:443": "", "10.1.1.1:443": "", "unknown.example:443": "", p.Listener.Addr().String(): "",
		"mixed.example:443": "CONNECT:192.0.2.9:443", // never the name: the proxy is on this host
		"out.example:443":   "CONNECT:192.0.2.8:443",
		"192.0.2.7:443":     "CONNECT:192.0.2.7:443",
	} {
		p.asked = nil
		c, err := e.DialContext(ctx, "tcp", addr)
		if got := hello(t, c, err); (got == "live") != (want != "") || p.requests() != want {
			t.Errorf("%s: %s by %q, want %q", addr, got, p.requests(), want)
		}
	}
	// Plain requests in absolute form carry names: a guarded one goes by CONNECT.
	p.asked = nil
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://inside.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Transport("").RoundTrip(req); err == nil || p.requests() != "" { //nolint:bodyclose // fails
		t.Errorf("%v by %q", err, p.requests())
	}
}

func TestPlainRequestsGoInAbsoluteForm(t *testing.T) {
	for _, secure := range []bool{false, true} {
		p := newProxy(t, "127.0.0.1:1", secure)
		roots := ""
		if secure {
			roots = pemFile(t, p.Certificate())
		}
		e := newRig(t, egress.Options{Environ: []string{"HTTP_PROXY=" + p.URL}, Resolver: names{}}, func(c *config.Config) {
			if secure {
				c.Fetch.ExtraRoots = []string{roots}
			}
		})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://far.example/x?y", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := e.Transport("").RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) != "plain by proxy" || p.requests() != "GET:http://far.example/x?y" {
			t.Errorf("%q by %q", body, p.requests())
		}
	}
}
