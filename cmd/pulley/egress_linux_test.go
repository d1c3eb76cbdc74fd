package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pulley/internal/hubtest"
	"pulley/internal/waytest"
)

// TestWayOutKilledInTheMiddle: each kind of way out, with real servers, dies in the middle of a blob and comes back; the
// client of that blob does not notice.
func TestWayOutKilledInTheMiddle(t *testing.T) {
	for name, way := range map[string]func(t *testing.T, p *trip) (url string, kill, start func()){
		"socks5": func(t *testing.T, _ *trip) (string, func(), func()) {
			s := waytest.SOCKS(t, "", "")
			return "socks5://" + s.Addr, s.Kill, s.Start
		},
		"http": func(t *testing.T, _ *trip) (string, func(), func()) {
			s := waytest.HTTP(t, "", "")
			return "http://" + s.Addr, s.Kill, s.Start
		},
		"ssh": func(t *testing.T, p *trip) (string, func(), func()) {
			m := waytest.SSHD(t, "")
			person := waytest.NewPerson(t, m)
			p.env = person.Environ()
			return m.URL(), m.Kill, m.Start
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newTrip(t)
			url, kill, start := way(t, p)
			p.settings.More = fmt.Sprintf("[[egress]]\nname = \"jump\"\nurl = %q\nfor = [\"docker.io\"]\n", url)
			p.start()
			p.vouch()
			p.origin.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Total: 4 << 20})
			p.pull(func() { kill(); start() })
			p.logSays(`manifest.* by egress jump`, `blob .* by egress jump`)
		})
	}
}

// vouch accepts the key of the way out, where it has one, as a person does who compares it.
func (p *trip) vouch() {
	p.t.Helper()
	_, said, err := p.run("egress", "test", "jump")
	if err == nil {
		return
	}
	offer := regexp.MustCompile(`if that is its key: pulley (egress test jump --accept SHA256:\S+)`).FindStringSubmatch(said)
	if offer == nil {
		p.t.Fatalf("egress test: %v: %s", err, said)
	}
	if _, said, err = p.run(strings.Fields(offer[1])...); err != nil {
		p.t.Fatalf("after accepting the key: %v: %s", err, said)
	}
}
