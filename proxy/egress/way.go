package egress

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"pulley/proxy/egress/ssh"
)

// A way is a proxy that connections leave through.
type way struct {
	name    string // of the [[egress]] entry; Environment or System
	url     *url.URL
	ssh     *ssh.Client // for ssh:// alone
	err     error       // why it cannot be used; dials through it fail with this
	all     bool        // for "*"
	ambient bool        // the environment's or the system's, no [[egress]]
	only    []string
	except  []string
}

// address is host:port of the proxy.
func (w *way) address() string {
	port := w.url.Port()
	if port == "" {
		switch w.url.Scheme {
		case "https":
			port = "443"
		case "socks5", "socks5h":
			port = "1080"
		case "ssh":
			port = "22"
		default:
			port = "80"
		}
	}
	return net.JoinHostPort(w.url.Hostname(), port)
}

// String is safe to print: no user, no password.
func (w *way) String() string {
	if w.ambient {
		return "the " + w.name + "'s proxy " + w.url.Scheme + "://" + w.url.Host
	}
	return "egress " + w.name
}

func spoken(scheme string) bool {
	return slices.Contains([]string{"http", "https", "socks5", "socks5h"}, scheme)
}

// A WayError says why a configured way out cannot be used.
type WayError struct{ Name, Why string }

func (e *WayError) Error() string { return "egress " + e.Name + ": " + e.Why }

// serves reports whether the way is meant for a destination.
func (w *way) serves(registry, host string) bool {
	if !w.all && (registry == "" || !slices.Contains(w.only, registry)) {
		return false
	}
	return !w.excepts(registry, host)
}

// excepts reports whether a destination must not go this way.
func (w *way) excepts(registry, host string) bool {
	for _, x := range w.except {
		if x != "" && x == registry || matchHost(x, host) {
			return true
		}
	}
	return false
}

// matchHost matches "host" exactly and "*.domain" below domain.
func matchHost(pattern, host string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok && strings.HasPrefix(suffix, ".") {
		return len(host) > len(suffix) && strings.HasSuffix(host, suffix)
	}
	return pattern == host
}

// wayFor returns the proxy to go through, nil for none. The second is a proxy
// to try if connecting directly fails, when Pulley is switched off.
func (e *Egress) wayFor(ctx context.Context, p *plan, d destination) (w, fallback *way) {
	host := hostOnly(d.addr)
	if p.cfg.Enabled {
		for _, w := range p.ways {
			if w.serves(d.registry, host) {
				if w.err == nil && e.isUs(ctx, p, w) {
					continue
				}
				return w, nil
			}
		}
	}
	w = p.env(d.scheme, d.addr)
	if w == nil || e.pinnedAside(ctx, p, d) || e.isUs(ctx, p, w) {
		return nil, nil
	}
	if !p.cfg.Enabled {
		return nil, w
	}
	return w, nil
}

// pinnedAside reports whether an [[address]] puts the destination where the
// environment's proxy is not asked: NO_PROXY holds for addresses too, and
// loopback is never proxied.
func (e *Egress) pinnedAside(ctx context.Context, p *plan, d destination) bool {
	host, port := splitHostPort(d.addr, "443")
	n, err := parsePort(ctx, "tcp", port)
	if err != nil {
		return false
	}
	for _, c := range p.pinned(host, n) {
		if p.env(d.scheme, c.String()) == nil {
			return true
		}
	}
	return false
}

// isUs reports whether a proxy is this daemon, or leads back to it: following it
// would send every connection round in circles. The log names it once.
func (e *Egress) isUs(ctx context.Context, p *plan, w *way) bool {
	if w.ssh != nil {
		return false
	}
	switch {
	case e.pointsAtUs(ctx, p, w):
		e.once("loop "+w.address(), "proxy points back at pulley and is not used; unset it for pulley, engines need it and pulley does not",
			"proxy", w.String(), "address", w.address())
		e.note(p, w, Itself, "it is pulley itself, and is not used; engines need that setting and pulley does not")
	case e.leadsBack(ctx, p, w):
		e.once("loop "+w.address(), "proxy sends our connections back to pulley and is not used; have it connect directly",
			"proxy", w.String(), "address", w.address())
		e.note(p, w, Loops, "it sends our connections back to pulley, and is not used; have it connect directly, or exclude pulley there")
	default:
		return false
	}
	return true
}

// pointsAtUs reports whether a proxy's address is one that we listen on.
func (e *Egress) pointsAtUs(ctx context.Context, p *plan, w *way) bool {
	host, port := splitHostPort(w.address(), "")
	for _, s := range e.self() {
		self, err := netip.ParseAddrPort(s)
		if err != nil {
			continue
		}
		n, err := parsePort(ctx, "tcp", port)
		if err != nil || n != self.Port() {
			continue
		}
		list, err := e.candidates(withTries(ctx, nil), p, "tcp", host, port)
		if err != nil {
			return false
		}
		for _, c := range list {
			a := c.Addr().Unmap()
			if a == self.Addr().Unmap() || self.Addr().IsUnspecified() && (a.IsUnspecified() || isOwn(a)) || a.IsUnspecified() && self.Addr().IsLoopback() {
				return true
			}
		}
	}
	return false
}

// isOwn reports whether an address is one of this host's.
func isOwn(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, x := range addrs {
		if n, ok := x.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == a {
				return true
			}
		}
	}
	return false
}
