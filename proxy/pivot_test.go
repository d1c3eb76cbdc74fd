package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pulley/internal/config"
	"pulley/proxy/egress"
)

// Clients elsewhere must not use us to reach what only this machine can.
func TestNoPivot(t *testing.T) {
	secret := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "secret") }))
	defer secret.Close()
	_, port, _ := net.SplitHostPort(secret.Listener.Addr().String())
	way := func(p *Options) {
		e := egress.New(egress.Options{Settings: p.Settings, Self: func() []string { return nil }, Log: slog.New(slog.DiscardHandler)})
		p.Dial = e.DialContext
	}
	near := newPort(t, options{options: way})
	wantGet(t, near.client(), "http://localhost:"+port+"/", "secret")
	far := newPort(t, options{options: way, listen: fromElsewhere})
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "169.254.169.254", "[fe80::1]", ownAddress(t),
		"[fd00:ec2::254]", "[fd20:ce::254]", "100.100.100.200", "168.63.129.16", "192.0.0.192", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]",
		"[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b:1::7f00:1]", "[::ffff:169.254.169.254]", "[fe80::1%25lo]", "127.1.2.3", "224.0.0.1", "255.255.255.255",
		"[64:ff9b::" + ownAddress(t) + "]"} {
		for _, form := range []string{"CONNECT " + host + ":" + port, "GET http://" + host + ":" + port + "/"} {
			c := far.connect()
			fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: x\r\n\r\n", form)
			if resp, body := readResponse(t, c); resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %s %q", form, resp.Status, body)
			}
		}
	}
}

func ownAddress(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	best := "127.0.0.2"
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			best = n.IP.String()
		}
	}
	return best
}

// names is a resolver.
type names map[string]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	a, err := netip.ParseAddr(n[strings.ToLower(strings.TrimSuffix(host, "."))])
	return []netip.Addr{a}, err
}

// A client elsewhere chooses what "*" in a registry's hosts stands for: the name
// is then dialled as any other, guarded, and never on the registry's account.
// What a person wrote down in full is that person's choice.
func TestNoPivotByWildcard(t *testing.T) {
	wild := func(c *config.Config) {
		c.Registries = append(c.Registries,
			config.Registry{Name: "wild", Hosts: []string{"*.wild.test", "exact.wild.test"}},
			config.Registry{Name: "weak", Hosts: []string{"*.weak.test"}, Insecure: true})
	}
	way := func(o *Options) {
		e := egress.New(egress.Options{Settings: o.Settings, Resolver: names{
			"evil.wild.test": "127.0.0.1", "exact.wild.test": "127.0.0.1", "evil.weak.test": "169.254.169.254",
		}})
		o.Dial = e.DialContext
	}
	ask := func(p *port, form string) int {
		c := p.connect()
		fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: x\r\n\r\n", form)
		resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: form[:strings.IndexByte(form, ' ')]})
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	near := newPort(t, options{options: way, config: wild})
	far := newPort(t, options{options: way, config: wild, listen: fromElsewhere})
	for form, far200 := range map[string]bool{
		"CONNECT evil.wild.test:443":          false,
		"CONNECT Evil.Wild.Test.:443":         false,
		"CONNECT evil.weak.test:80":           false,
		"GET https://evil.wild.test/v2/":      false,
		"GET http://evil.weak.test/v2/":       false,
		"CONNECT exact.wild.test:443":         true,
		"GET https://exact.wild.test/v2/":     true,
		"GET https://exact.wild.test:443/v2/": true,
	} {
		if got := ask(near, form); got != http.StatusOK {
			t.Errorf("from this machine: %s: %d", form, got)
		}
		want := http.StatusForbidden
		if far200 {
			want = http.StatusOK
		}
		if got := ask(far, form); got != want {
			t.Errorf("from elsewhere: %s: %d, want %d", form, got, want)
		}
	}
	for host, refused := range map[string]bool{"evil.wild.test": true, "exact.wild.test": false} {
		c := far.connect()
		fmt.Fprint(c, socksRequest(1, host, 443))
		wantRead(t, c, "\x05\x00\x05")
		reply := make([]byte, 1)
		if _, err := io.ReadFull(c, reply); err != nil || reply[0] != 0 != refused {
			t.Errorf("SOCKS5 to %s: reply %d, %v", host, reply[0], err)
		}
	}
	for _, target := range far.targets() {
		if target.Host != "exact.wild.test" {
			t.Errorf("a request for %s was answered as a registry's", target.Host)
		}
	}
}

// Where the guard lets it through, the client gets the real host.
func TestWildcardFromElsewhereIsTunnelled(t *testing.T) {
	p := newPort(t, options{listen: fromElsewhere, config: func(c *config.Config) {
		c.Registries = append(c.Registries, config.Registry{Name: "wild", Hosts: []string{"*.wild.test"}})
	}})
	ts := p.tlsServer("eu.wild.test:443")
	c := p.client(ts.Certificate())
	c.Transport.(*http.Transport).TLSClientConfig.ServerName = "example.com" // what httptest's certificate is for
	wantGet(t, c, "https://eu.wild.test/v2/", "real HTTP/2.0 /v2/")
	c.CloseIdleConnections()
	if e := p.event(1); e.Reason != ReasonWildcard || e.Host != "eu.wild.test:443" {
		t.Errorf("event: %+v", e)
	}
}

// flipping is a name server that gives a public address first and this machine's own
// the next time, and so on.
type flipping struct{ asked atomic.Int64 }

func (f *flipping) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	a := "203.0.113.7"
	if f.asked.Add(1)%2 == 0 {
		a = "127.0.0.1"
	}
	return []netip.Addr{netip.MustParseAddr(a)}, nil
}

// What is dialled for a client elsewhere is the address that was looked at, whatever
// the name stands for a moment later; and a name with several has none dialled that
// is refused.
func TestRebindingLeadsNowhere(t *testing.T) {
	var mu sync.Mutex
	var dialled []string
	way := func(r egress.Resolver) func(*Options) {
		return func(o *Options) {
			e := egress.New(egress.Options{Settings: o.Settings, Resolver: r, Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				dialled = append(dialled, addr)
				return nil, errors.New("nobody there")
			}})
			o.Dial = e.DialContext
		}
	}
	for _, r := range []egress.Resolver{&flipping{}, both{}} {
		far := newPort(t, options{options: way(r), listen: fromElsewhere})
		for range 10 {
			for _, form := range []string{"CONNECT evil.test:80", "GET http://evil.test/"} {
				c := far.connect()
				fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: x\r\n\r\n", form)
				if resp, body := readResponse(t, c); resp.StatusCode/100 == 2 {
					t.Errorf("%s: %s %q", form, resp.Status, body)
				}
			}
			c := far.connect()
			fmt.Fprint(c, socksRequest(1, "evil.test", 80))
			wantRead(t, c, "\x05\x00\x05")
			_, _ = io.Copy(io.Discard, c)
		}
	}
	if len(dialled) == 0 {
		t.Error("nothing was dialled: the test sees nothing")
	}
	for _, addr := range dialled {
		if addr != "203.0.113.7:80" {
			t.Errorf("dialled %s", addr)
		}
	}
}

// both gives every name a public address and two that are none.
type both struct{}

func (both) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("::ffff:169.254.169.254")}, nil
}
