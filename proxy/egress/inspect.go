package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// A Route is the way that a connection would take, as far as that can be said without making it.
type Route struct {
	Name   string // [Direct], [Environment], [System], or that of an [[egress]]
	Way    string // as [Trail.Way] names it, less the address
	Scheme string // of the proxy; "" for none
	Proxy  string // host:port of the proxy; "" for none
	Err    error  // it cannot be used
}

// Route says which way a request of a registry to host:port goes; scheme is "https" or "http". Proxies that are, or lead
// back to, ourselves are passed over, and then among the [Egress.Problems].
func (e *Egress) Route(ctx context.Context, registry, scheme, hostport string) Route {
	w, _ := e.wayFor(ctx, e.current(), destination{registry: registry, scheme: scheme, network: "tcp", addr: hostport})
	if w == nil {
		return Route{Name: Direct, Way: Direct}
	}
	return Route{Name: w.name, Way: w.String(), Scheme: w.url.Scheme, Proxy: w.address(), Err: w.err}
}

// Ambient is the environment's or the system's proxy, whatever [[egress]] and exceptions there are, and whether they have
// one at all.
func (e *Egress) Ambient(scheme string) (Route, bool) {
	w := e.current().env(scheme, "ambient.invalid:443")
	if w == nil {
		return Route{}, false
	}
	return Route{Name: w.name, Way: w.String(), Scheme: w.url.Scheme, Proxy: w.address()}, true
}

// Addresses are those that a name stands for where no proxy resolves it, and whether an [[address]] says so. What is known
// of them is left out of account.
func (e *Egress) Addresses(ctx context.Context, host, port string) (list []netip.AddrPort, pinned bool, err error) {
	n, err := parsePort(ctx, "tcp", port)
	if err != nil {
		return nil, false, err
	}
	found := e.current().pinned(host, n)
	if pinned = len(found) > 0; !pinned {
		found, err = e.resolve(ctx, host, n)
	}
	for _, c := range found {
		list = append(list, c.AddrPort)
	}
	return list, pinned, err
}

// ErrNoDoH says that fetch.doh is not set.
var ErrNoDoH = errors.New("fetch.doh is not set")

// AskDoH asks the resolver of fetch.doh. The error Is ErrNoDoH where there is none.
func (e *Egress) AskDoH(ctx context.Context, host string) ([]netip.Addr, error) {
	p := e.current()
	if p.doh == nil {
		return nil, ErrNoDoH
	}
	addrs, _, err := p.doh.lookup(ctx, host, e.now())
	return addrs, err
}

// A Knock is what one address answered to a connection and a TLS handshake.
type Knock struct {
	Connected time.Duration // 0: it was not
	Secured   time.Duration // 0: it was not
	Err       error
	State     tls.ConnectionState // also where the certificate was refused, as far as it came
}

// Knock connects to an address directly and, with a host, makes a handshake with it for that host as all others are made.
// Nothing is sent.
func (e *Egress) Knock(ctx context.Context, addr netip.AddrPort, host string) (k Knock) {
	begin := time.Now()
	c, err := e.tcp(ctx, "tcp", addr.String())
	if err != nil {
		k.Err = err
		return k
	}
	defer func() { _ = c.Close() }()
	k.Connected = max(time.Since(begin), 1)
	if host == "" {
		return k
	}
	cfg, err := e.tlsConfig(e.current(), host)
	if err != nil {
		k.Err = err
		return k
	}
	cfg.ClientSessionCache = nil // what is resumed shows no certificate
	t := tls.Client(c, cfg)
	if k.Err = t.HandshakeContext(ctx); k.Err == nil {
		k.Secured = max(time.Since(begin), 1)
		k.State = t.ConnectionState()
	}
	return k
}

// PointsAtUs reports whether "host:port" is an address that we listen on, as far as it is one of this machine's.
func (e *Egress) PointsAtUs(hostport string) bool {
	host, port := splitHostPort(hostport, "")
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	local := isLocalhost(host) || err == nil && (isOwn(ip.Unmap()) || ip.IsUnspecified())
	for _, s := range e.self() {
		self, err := netip.ParseAddrPort(s)
		if err != nil || strconv.Itoa(int(self.Port())) != port {
			continue
		}
		if local || ip.IsValid() && ip.Unmap() == self.Addr().Unmap() {
			return true
		}
	}
	return false
}

// Dial connects to "host:port" directly: the name as the settings and the system have it, no proxy, nothing else tried.
func (e *Egress) Dial(ctx context.Context, hostport string) (net.Conn, error) {
	return e.direct(ctx, e.current(), destination{network: "tcp", addr: hostport}, connectTimeout, nil)
}
