package egress_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"pulley/internal/config"
	"pulley/internal/waytest"
	"pulley/proxy/egress"
)

func TestScreen(t *testing.T) {
	live := waytest.Echo(t, "127.0.0.1:0", "live")
	port := portOf(live)
	own := ownAddress(t)
	onOwn := waytest.Echo(t, net.JoinHostPort(own, port), "live") // the same port there
	if portOf(onOwn) != port {
		t.Fatal(onOwn)
	}
	e := newRig(t, egress.Options{Resolver: names{
		"lan.example": {own}, "far.example": {"203.0.113.7"}, "near.example": {"127.0.0.9"}, "cdn.example": {"127.0.0.1"}, "meta.example": {"169.254.169.254"}, "ec2.example": {"fd00:ec2::254"}, "nat.example": {"64:ff9b::a9fe:a9fe"}, "zero.example": {"0.0.0.0"},
	}}, pins("pinned.example", live))
	for _, tt := range []struct {
		home, target string
		ok           bool
	}{
		{"far.example", "cdn.example", false},
		{"far.example:443", "meta.example", false},
		{"far.example", "zero.example", false},
		{"far.example", "ec2.example", false},
		{"far.example", "nat.example", false},
		{"far.example", "[2002:7f00:1::1]", false},
		{"far.example", "[64:ff9b::7f00:1]", false},
		{"far.example", "[::127.0.0.1]", false},
		{"far.example", "100.100.100.200", false},
		{"near.example", "100.100.100.200", false},
		{"far.example", "127.0.0.1", false},
		{"far.example", "pinned.example", true},
		{"near.example:5000", "cdn.example", true},
		{"near.example:5000", "127.0.0.1", true},
		{"far.example", "lan.example", false},
		{"far.example", own, false},
		{"near.example", "lan.example", true},
		{"lan.example", "cdn.example", true},
		{"lan.example", "meta.example", false},
		{"near.example", "meta.example", false},
		{"near.example", "zero.example", false},
	} {
		c, err := e.DialContext(e.Screen(t.Context(), tt.home, tt.target), "tcp", tt.target+":"+port)
		if tt.ok {
			if got := hello(t, c, err); got != "live" {
				t.Errorf("%s → %s: %s", tt.home, tt.target, got)
			}
		} else if got := hello(t, c, err); !strings.Contains(got, "[[address]]") {
			t.Errorf("%s → %s: %s", tt.home, tt.target, got)
		}
	}
}

// ownAddress is one of this machine's that is not loopback, as every machine
// with a network has.
func ownAddress(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	t.Fatal("no address but loopback")
	return ""
}

// What needs no resolver to be known is screened behind a proxy too: that proxy
// may be on this machine.
func TestScreenBehindProxy(t *testing.T) {
	live := waytest.Echo(t, "127.0.0.1:0", "live")
	p := newProxy(t, live, false)
	e := newRig(t, egress.Options{Resolver: names{"far.example": {"203.0.113.7"}}}, func(c *config.Config) {
		c.Egresses = []config.Egress{{Name: "way", URL: p.URL, For: []string{"*"}}}
	})
	for host, want := range map[string]bool{
		"localhost": false, "LOCALHOST.": false, "x.localhost": false, "127.0.0.1": false, "[::1]": false, "169.254.169.254": false, "0.0.0.0": false,
		"168.63.129.16": false, "[fd00:ec2::254]": false, "[64:ff9b::a9fe:a9fe]": false,
		"cdn.example": true, "192.0.2.9": true,
	} {
		ctx := e.Screen(t.Context(), "far.example", host+":443")
		c, err := e.DialContext(ctx, "tcp", host+":443")
		if got := hello(t, c, err); (got == "live") != want {
			t.Errorf("%s by CONNECT: %s", host, got)
		}
		p.asked = nil
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := e.Transport("").RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if !want && (err == nil || p.requests() != "") {
			t.Errorf("%s in absolute form: %v by %q", host, err, p.requests())
		}
	}
}
