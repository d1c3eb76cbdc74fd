//go:build !darwin

// macOS answers at 127.0.0.1 alone of 127.0.0.0/8.

package main

import (
	"slices"
	"testing"

	"pulley/internal/control"
	"pulley/internal/hubtest"
)

// TestPullsGoAnotherWay: whatever is broken between here and the registry, a pull goes another way where there is one, and
// the log says which.
func TestPullsGoAnotherWay(t *testing.T) {
	for _, c := range []struct {
		name    string
		mirrors bool
		broken  func(p *trip)
		log     []string
	}{
		{"the origin is gone", true, func(p *trip) { p.origin.Down() }, []string{`manifest.* from m\d.*; tag from m\d and m\d: `, `blob .* from m\d`}},
		{"the mirrors are gone", true, func(p *trip) { p.mirrors[0].Down(); p.mirrors[1].Down() }, []string{`manifest.* from origin .*by direct 127\.0\.0\.1`, `blob .* from origin`}},
		{"the token service is reset", true, func(p *trip) {
			p.origin.SetFaults(hubtest.Faults{Host: p.origin.AuthHost, ResetHandshake: true})
		}, []string{`tag from m\d and m\d: .*auth\.docker\.io`, `blob .* from m\d`}},
		{"an address is reset at connect", false, func(p *trip) {
			p.origin.SetFaults(hubtest.Faults{Addr: "127.0.0.1", Refuse: true})
		}, []string{`from origin .*by direct 127\.0\.0\.2`}},
		{"an address is reset in the handshake", false, func(p *trip) {
			p.origin.SetFaults(hubtest.Faults{Addr: "127.0.0.1", ResetHandshake: true})
		}, []string{`from origin .*by direct 127\.0\.0\.2`}},
		{"an address is reset after the request", false, func(p *trip) {
			p.origin.SetFaults(hubtest.Faults{Addr: "127.0.0.1", Reset: true})
		}, []string{`from origin .*by direct 127\.0\.0\.2`, `direct 127\.0\.0\.1:\d+: read`}},
		{"two addresses are somebody else's", false, func(p *trip) {
			p.origin.SetFaults(hubtest.Faults{Addr: "127.0.0.1", WrongCert: true}, hubtest.Faults{Addr: "127.0.0.2", WrongName: true})
		}, []string{`from origin .*by direct 127\.0\.0\.3`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newTrip(t)
			p.withMirrors = c.mirrors
			p.start()
			c.broken(p)
			p.pull(nil)
			p.logSays(c.log...)
		})
	}
}

// TestPlacesAreRememberedOverARestart: how fast a place is need not be found out anew.
func TestPlacesAreRememberedOverARestart(t *testing.T) {
	p := newTrip(t)
	p.start()
	p.pull(nil)
	p.restart()
	var list []control.Source
	p.json(&list, "mirror", "ls", "docker.io")
	if !slices.ContainsFunc(list, func(s control.Source) bool { return s.Rate > 0 && s.FirstByte > 0 }) {
		t.Errorf("nothing is remembered of any place: %+v", list)
	}
}
