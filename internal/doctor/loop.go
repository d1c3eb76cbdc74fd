package doctor

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"pulley/internal/config"
	"pulley/internal/control"
)

// loops looks whether something that Pulley is to go to is Pulley.
func (x *exam) loops(_ context.Context, n *notes) {
	for _, e := range x.cfg.Egresses {
		u, err := url.Parse(e.URL)
		if err == nil && u.Scheme != "ssh" && x.egress.PointsAtUs(egressAddress(u)) {
			n.add(Finding{
				ID: "loop.egress", Level: Problem, What: fmt.Sprintf("egress %s is Pulley itself (%s)", e.Name, shown(e.URL)), Fix: "pulley egress rm " + e.Name,
				Why: "Connections would go round in circles, so it is not used: they leave directly.",
			})
		}
	}
	for _, r := range x.cfg.Registries {
		for _, m := range r.Mirrors {
			if u, err := url.Parse(m.URL); err == nil && m.Enabled && x.us(u.Host, u.Scheme) {
				n.add(Finding{
					ID: "loop.mirror", Level: Problem, What: fmt.Sprintf("mirror %s of %s is Pulley itself (%s)", m.Name, r.Name, m.URL),
					Fix: switchMirror("off", &r, &m), Safe: true, Why: "It asks itself for what it lacks. A mirror is another machine.",
				})
			}
		}
		x.loopOrigin(n, r)
	}
	if x.state != nil {
		for _, p := range x.state.Problems {
			if p.Key == control.KeyEgressLoops {
				n.add(Finding{
					ID: "loop.proxy", Level: Problem, What: p.Text,
					Why: "That proxy has itself been told to use the system's proxy, which is Pulley. Have it connect directly.", Fix: "pulley egress ls",
				})
			}
		}
	}
	if len(n.out.findings) == 0 {
		n.ok("loops", "nothing leads back to Pulley")
	}
}

// loopOrigin looks whether a registry is said to be here.
func (x *exam) loopOrigin(n *notes, r config.Registry) {
	scheme := "https"
	if r.Insecure {
		scheme = "http"
	}
	for _, host := range r.Hosts {
		if strings.HasPrefix(host, "*") || !x.us(host, scheme) {
			continue
		}
		f := Finding{
			ID: "loop.origin", Level: Problem, What: fmt.Sprintf("the host %s of %s is Pulley itself", host, r.Name), Fix: "pulley config edit",
			Why: "An [[address]] or the registry's hosts lead to the port that Pulley listens at: it asks itself.",
		}
		n.add(f)
		if r.Name == x.reg.Name && host == x.host {
			n.stop(f.What)
		}
	}
}

// us reports whether a host leads to our port, by the settings' own addresses or as it stands there.
func (x *exam) us(host, scheme string) bool {
	hostport := withPort(host, scheme)
	name, port := bareHost(hostport), portOf(hostport)
	for _, a := range x.cfg.Addresses {
		if !strings.EqualFold(a.Host, name) {
			continue
		}
		for _, use := range a.Use {
			at := use
			if withPort(use, scheme) != use {
				at = strings.TrimSuffix(withPort(use, scheme), portOf(withPort(use, scheme))) + port
			}
			if x.egress.PointsAtUs(at) {
				return true
			}
		}
		return false
	}
	return x.egress.PointsAtUs(hostport)
}
