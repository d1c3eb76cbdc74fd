package source

import (
	"net"
	"strings"
	"testing"
)

// Two networks with one address are two by their routers; one whose router is not
// known yet is the one it was.
func TestNetworksByTheirRouters(t *testing.T) {
	text, device, behind := "", "", net.HardwareAddr(nil)
	n := &network{
		routes: func() (string, string) { return text, device },
		router: func(asked string) net.HardwareAddr {
			if asked != device {
				t.Errorf("asked for the router of %q", asked)
			}
			return behind
		},
	}
	if got := n.name(); got != "none" {
		t.Errorf("offline: %q", got)
	}
	const private = "wlan0 192.168.1.0/24\n"
	seen := map[string]string{}
	is := func(what, want, on, via, mac string) {
		t.Helper()
		text, device, behind = on, via, nil
		if mac != "" {
			behind, _ = net.ParseMAC(mac)
		}
		got := n.name()
		if mac != "" && strings.Contains(got, strings.ReplaceAll(mac, ":", "")) {
			t.Errorf("%s: %q tells the router", what, got)
		}
		for name, of := range seen {
			if (of == want) != (name == got) {
				t.Errorf("%s: %q, as %s was %q", what, got, of, name)
			}
		}
		seen[got] = want
	}
	is("at first", "unknown", private, "wlan0", "")
	is("at home", "home", private, "wlan0", "02:00:00:00:00:01")
	is("the router is forgotten", "home", private, "wlan0", "")
	is("in a café", "café", private, "wlan0", "02:00:00:00:00:02")
	is("offline", "offline", "", "", "")
	is("back, not asked yet", "café", private, "wlan0", "")
	is("at home again", "home", private, "wlan0", "02:00:00:00:00:01")
	is("at work", "work", "wlan0 10.1.0.0/16\n", "wlan0", "")
	is("the router at work", "work's router", "wlan0 10.1.0.0/16\n", "wlan0", "02:00:00:00:00:01")
	is("from work, not asked yet", "unknown", private, "wlan0", "")
	is("no IPv4", "six", "wlan0 2001:db8:1::/64\n", "", "")
}
