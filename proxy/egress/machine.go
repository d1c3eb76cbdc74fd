package egress

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"

	"pulley/internal/config"
	"pulley/proxy/egress/ssh"
)

// compileWays makes ways of the settings' entries. e.mu is held.
func (e *Egress) compileWays(list []config.Egress) []*way {
	out := make([]*way, 0, len(list))
	machines := map[string]*ssh.Client{}
	for _, eg := range list {
		w := &way{name: eg.Name, except: eg.Except, all: slices.Contains(eg.For, "*"), only: eg.For, url: &url.URL{}}
		out = append(out, w)
		u, err := url.Parse(eg.URL)
		switch {
		case err != nil || u.Host == "":
			w.err = &WayError{Name: w.name, Why: "its url is none; write scheme://host:port"}
			continue
		case u.Scheme != "ssh" && !spoken(u.Scheme):
			w.err = &WayError{Name: w.name, Why: u.Scheme + ":// is not spoken; use http, https, socks5 or ssh"}
		case u.Scheme == "ssh":
			key := eg.Name + " " + eg.URL
			if w.ssh = e.machines[key]; w.ssh == nil {
				w.ssh, err = ssh.New(ssh.Options{URL: u, Environ: e.environ, Dial: e.dialMachine, Log: e.log, Changed: e.changed})
			}
			if err != nil {
				w.ssh, w.err = nil, &WayError{Name: w.name, Why: err.Error()}
			} else {
				machines[key] = w.ssh
			}
		}
		w.url = u
	}
	for key, m := range e.machines {
		if machines[key] == nil {
			m.Close()
		}
	}
	e.machines = machines
	return out
}

// dialMachine connects to the first machine of an ssh:// way out.
func (e *Egress) dialMachine(ctx context.Context, network, addr string) (net.Conn, error) {
	return e.direct(ctx, e.current(), destination{network: network, addr: addr}, connectTimeout, nil)
}

// A Pending is the host key of a machine behind an ssh:// way out that the
// person's known_hosts does not have. Dials that way fail with a
// *ssh.HostKeyError until it is accepted.
type Pending struct {
	Egress      string // name of the [[egress]]
	Host        string // as known_hosts names it; may be a jump host
	Type        string // "ssh-ed25519"
	Fingerprint string // "SHA256:…", as ssh-keygen -l shows it
}

// Pending lists the host keys that wait for a person.
func (e *Egress) Pending() []Pending {
	var out []Pending
	for _, w := range e.current().ways {
		if w.ssh == nil {
			continue
		}
		for _, k := range w.ssh.Pending() {
			out = append(out, Pending{w.name, k.Host, k.Type, k.Fingerprint})
		}
	}
	return out
}

// Accept adds a pending host key of an egress to the person's known_hosts. The
// fingerprint says that it is the one the person has seen.
func (e *Egress) Accept(egress, fingerprint string) error {
	for _, w := range e.current().ways {
		if w.name == egress && w.ssh != nil {
			if err := w.ssh.Accept(fingerprint); err != nil {
				return fmt.Errorf("egress %s: %w", egress, err)
			}
			return nil
		}
	}
	return fmt.Errorf("egress %s: there is no ssh:// egress of that name; see: pulley egress ls", egress)
}
