package egress_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/internal/waytest"
	"pulley/proxy/egress"
)

func pins(host string, use ...string) func(*config.Config) {
	return func(c *config.Config) { c.Addresses = append(c.Addresses, config.Address{Host: host, Use: use}) }
}

func TestAddressEntries(t *testing.T) {
	a, b := waytest.Echo(t, "127.0.0.1:0", "a"), waytest.Echo(t, "127.0.0.2:0", "b")
	e := newRig(t, egress.Options{Resolver: names{"plain.example": {"127.0.0.1"}}},
		pins("one.example", a), pins("port.example", "127.0.0.2"), pins("ported.example:99", b), pins("dead.example", waytest.FreeAddr(t), b))
	for addr, want := range map[string]string{
		"one.example:443":                 "a", // another port than asked for
		"ONE.example.:443":                "a",
		"port.example:" + portOf(b):       "b", // an address without port keeps the port asked for
		"ported.example:99":               "b",
		"dead.example:443":                "b", // tried in turn
		"plain.example:" + portOf(a):      "a",
		"127.0.0.1:" + portOf(a):          "a",
		"[::ffff:127.0.0.2]:" + portOf(b): "b",
	} {
		c, err := e.DialContext(t.Context(), "tcp", addr)
		if got := hello(t, c, err); got != want {
			t.Errorf("%s leads to %q, want %q", addr, got, want)
		}
	}
	// An entry for one port says nothing of the name's others.
	if c, err := e.DialContext(t.Context(), "tcp", "ported.example:98"); err == nil {
		_ = c.Close()
		t.Error("ported.example:98 leads somewhere")
	}
	if _, err := e.DialContext(t.Context(), "tcp", "nowhere.example:1"); err == nil || !strings.Contains(err.Error(), "nowhere.example") {
		t.Errorf("an unknown name: %v", err)
	}
	if _, err := e.DialContext(t.Context(), "tcp6", "one.example:443"); err == nil {
		t.Error("an IPv4 address was used for tcp6")
	}
	if _, err := e.DialContext(t.Context(), "tcp", "no port"); err == nil {
		t.Error("dialled no port")
	}
}

// Every address a name resolves to is tried, and one that failed is last for a
// while.
func TestEveryAddressIsTried(t *testing.T) {
	live := waytest.Echo(t, "127.0.0.2:0", "live")
	port := portOf(live)
	var asked []netip.Addr
	ctx := egress.WithGuard(t.Context(), func(a netip.Addr) error { asked = append(asked, a); return nil })
	now := time.Now()
	e := newRig(t, egress.Options{Resolver: names{"x.example": {"127.0.0.3", "::1", "127.0.0.2"}}, Now: func() time.Time { return now }})
	for _, want := range []string{"127.0.0.3 ::1 127.0.0.2", "127.0.0.2 127.0.0.3 ::1"} {
		asked = nil
		c, err := e.DialContext(ctx, "tcp", "x.example:"+port)
		if got := hello(t, c, err); got != "live" {
			t.Fatal(got)
		}
		if got := strings.Trim(fmt.Sprint(asked), "[]"); got != want {
			t.Errorf("order %s, want %s", got, want)
		}
	}
	now = now.Add(time.Hour)
	asked = nil
	c, err := e.DialContext(ctx, "tcp", "x.example:"+port)
	if hello(t, c, err); asked[0].String() != "127.0.0.3" {
		t.Errorf("an old failure is still remembered: %v", asked)
	}
}

func TestGuard(t *testing.T) {
	live := waytest.Echo(t, "127.0.0.1:0", "live")
	port := portOf(live)
	noLoopback := func(a netip.Addr) error {
		if a.IsLoopback() {
			return errors.New("not for you")
		}
		return nil
	}
	e := newRig(t, egress.Options{Resolver: names{"x.example": {"127.0.0.1"}, "both.example": {"127.0.0.1", "::1"}}}, pins("pinned.example", live))
	ctx := egress.WithGuard(t.Context(), noLoopback)
	for _, host := range []string{"x.example", "both.example", "pinned.example", "127.0.0.1", "[::ffff:127.0.0.1]", "[::1]"} {
		c, err := e.DialContext(ctx, "tcp", host+":"+port)
		var refused *egress.RefusedError
		if !errors.As(err, &refused) || !refused.Addr.IsLoopback() {
			t.Errorf("%s: %v, %v", host, c, err)
		}
	}
	// Another guard does not replace the first.
	both := egress.WithGuard(ctx, func(netip.Addr) error { return nil })
	if _, err := e.DialContext(both, "tcp", live); err == nil {
		t.Error("the second guard lifted the first")
	}
	c, err := e.DialContext(t.Context(), "tcp", live)
	if got := hello(t, c, err); got != "live" {
		t.Errorf("without a guard: %s", got)
	}
	// One address refused does not refuse the other.
	only := egress.WithGuard(t.Context(), func(a netip.Addr) error {
		if a.Is6() {
			return errors.New("no")
		}
		return nil
	})
	c, err = e.DialContext(only, "tcp", "both.example:"+port)
	if got := hello(t, c, err); got != "live" {
		t.Errorf("the allowed address: %s", got)
	}
}

func TestDirectIsPlainTCP(t *testing.T) {
	live := waytest.Echo(t, "127.0.0.1:0", "live")
	e := newRig(t, egress.Options{})
	c, err := e.DialContext(t.Context(), "tcp", live)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, ok := c.(*net.TCPConn); !ok { // sendfile and splice need it
		t.Errorf("got a %T", c)
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	// 198.51.100.0/24 is for documentation (RFC 5737): nothing answers there.
	e := newRig(t, egress.Options{Resolver: names{"x.example": {"198.51.100.1", "198.51.100.2"}}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.DialContext(ctx, "tcp", "x.example:443"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// FuzzProxyAnswer has an HTTP proxy answer anything at all.
func FuzzProxyAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\nhello"))
	f.Add([]byte("HTTP/1.1 407 No\r\nContent-Length: 5\r\n\r\nhello"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's listener
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = l.Close() })
	answers := make(chan []byte)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write(<-answers)
			_ = c.Close()
		}
	}()
	cfg := config.Default()
	e := egress.New(egress.Options{
		Settings: func() *config.Config { return cfg }, Environ: []string{"HTTPS_PROXY=http://" + l.Addr().String()},
	})
	f.Fuzz(func(t *testing.T, answer []byte) {
		go func() { answers <- answer }()
		c, err := e.DialContext(t.Context(), "tcp", "far.example:443")
		if err != nil {
			return
		}
		got, _ := io.ReadAll(c)
		_ = c.Close()
		if !bytes.HasSuffix(answer, got) {
			t.Fatalf("%q came through as %q", answer, got)
		}
	})
}
