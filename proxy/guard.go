package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"pulley/proxy/ca"
	"pulley/proxy/egress"
)

// dial opens a connection on behalf of client, which may be anywhere: one that
// is not on this machine must not reach, through us, what only this machine can.
func (s *Server) dial(ctx context.Context, client netip.Addr, hostport string) (net.Conn, error) {
	if isLocal(client) {
		return s.opt.Dial(ctx, "tcp", hostport)
	}
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		if ip, err := netip.ParseAddr(host); err == nil {
			if err := s.guard(ip.Unmap().WithZone("")); err != nil {
				return nil, fmt.Errorf("%s: %w", hostport, err)
			}
		}
	}
	return s.opt.Dial(egress.WithGuard(ctx, s.guard), "tcp", hostport)
}

// isLocal reports whether a client is on this machine. One without an IP
// address, as over a pipe, can be nowhere else.
func isLocal(client netip.Addr) bool { return !client.IsValid() || client.IsLoopback() }

// errPivot is what guard's errors are.
var errPivot = errors.New("refused for clients that are not on this machine")

// guard is asked about every address that is dialled for a client elsewhere.
func (s *Server) guard(a netip.Addr) error {
	if egress.Reserved(a) || s.own.contain(egress.Plain(a), s.opt.Now()) {
		return errPivot
	}
	return nil
}

// ownAddresses are those of this machine's interfaces.
type ownAddresses struct {
	mu  sync.Mutex
	at  time.Time
	set map[netip.Addr]bool
}

// ownFresh is how long the list is believed: interfaces come and go with VPNs.
const ownFresh = 5 * time.Second

func (o *ownAddresses) contain(a netip.Addr, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.set == nil || now.Sub(o.at).Abs() > ownFresh {
		addrs, err := net.InterfaceAddrs()
		if err != nil {
			return true // unknown: the safe side
		}
		o.set, o.at = make(map[netip.Addr]bool), now
		for _, addr := range addrs {
			if n, ok := addr.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(n.IP); ok {
					o.set[ip.Unmap()] = true
				}
			}
		}
	}
	return o.set[a]
}

// isSelf reports whether host and port are those of r's own listener, as far as
// that can be told without resolving a name.
func (r *run) isSelf(host, port string) bool {
	l, ok := r.ln.Addr().(*net.TCPAddr)
	if !ok || port != strconv.Itoa(l.Port) {
		return false
	}
	listen := l.AddrPort().Addr().Unmap().WithZone("")
	ip, err := netip.ParseAddr(host)
	if err != nil {
		host = strings.ToLower(strings.TrimSuffix(host, "."))
		return isDoorName(host) && (listen.IsLoopback() || listen.IsUnspecified())
	}
	ip = ip.Unmap().WithZone("")
	switch {
	case ip == listen:
		return true
	case ip.IsUnspecified():
		return listen.IsLoopback() || listen.IsUnspecified()
	case listen.IsUnspecified():
		return ip.IsLoopback() || r.s.own.contain(ip, r.s.opt.Now())
	}
	return false
}

// isDoorName reports whether name is one by which this machine is reached.
func isDoorName(name string) bool {
	return ca.IsDoorHost(name) || strings.HasSuffix(name, ".localhost")
}

// splitTarget checks what a client wants to be connected to: a host name or
// address and a port.
func splitTarget(hostport string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(hostport)
	if err != nil {
		return "", "", fmt.Errorf("%q is not host:port", hostport)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", "", fmt.Errorf("%q has no valid port", hostport)
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return host, port, nil
	}
	if host == "" || len(host) > 254 {
		return "", "", fmt.Errorf("%q has no valid host", hostport)
	}
	for i := range len(host) {
		// Names that resolvers take, internationalised ones in whatever coding
		// included; nothing that could be taken for something else in a log or URL.
		if b := host[i]; b <= ' ' || b == 0x7f || strings.IndexByte(`/\?#@:[]<>"'%`, b) >= 0 {
			return "", "", fmt.Errorf("%q has no valid host", hostport)
		}
	}
	return host, port, nil
}
