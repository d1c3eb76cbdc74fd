package egress

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
)

// guard is a policy on addresses, chained to the one that was there before.
type guard struct {
	check  func(netip.Addr) error
	screen bool // says nothing about pinned addresses nor about what only a proxy's resolver knows
	prev   *guard
}

type guardKey struct{}

// WithGuard returns a context whose dials ask check about every address they
// are about to connect to, after resolution; an error refuses that address
// alone, and the dial fails with it if no other is left. Addresses arrive
// unmapped (no ::ffff:0:0/96) and without zone. Several guards must all agree.
//
// Behind a proxy the proxy resolves names, which would let a name escape its
// check. So a guarded name is resolved here first and each of its addresses
// must pass; a proxy on this very host is then given the checked address
// instead of the name, and a name that does not resolve here does not go there.
//
// A guard holds for dials: a request over a connection that a pool already
// holds is not asked about. Give guarded requests their own transport.
func WithGuard(ctx context.Context, check func(netip.Addr) error) context.Context {
	return context.WithValue(ctx, guardKey{}, &guard{check: check, prev: guardOf(ctx)})
}

func guardOf(ctx context.Context) *guard {
	g, _ := ctx.Value(guardKey{}).(*guard)
	return g
}

// refuses asks every guard of the chain.
func (g *guard) refuses(host string, c candidate) error {
	addr := c.Addr().Unmap().WithZone("")
	for ; g != nil; g = g.prev {
		if g.screen && c.pinned {
			continue
		}
		if err := g.check(addr); err != nil {
			return &RefusedError{Host: host, Addr: addr, Err: err}
		}
	}
	return nil
}

// strict reports whether a guard is there that must see resolved addresses.
func (g *guard) strict() bool {
	for ; g != nil; g = g.prev {
		if !g.screen {
			return true
		}
	}
	return false
}

// sees reports whether host must be checked here though a proxy is to resolve
// it: under a strict guard always, under a screen when no resolver is needed to
// know what it stands for.
func (g *guard) sees(host string) bool {
	if g == nil || g.strict() {
		return g != nil
	}
	_, err := netip.ParseAddr(host)
	return err == nil || isLocalhost(host)
}

// isLocalhost reports whether a name is loopback whoever is asked (RFC 6761,
// section 6.3).
func isLocalhost(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// A RefusedError says that a guard refused an address.
type RefusedError struct {
	Host string     // as asked for
	Addr netip.Addr // what it stands for; invalid if it was never resolved
	Err  error      // the guard's own error
}

func (e *RefusedError) Error() string {
	if !e.Addr.IsValid() || e.Host == e.Addr.String() {
		return fmt.Sprintf("%s: refused: %v", e.Host, e.Err)
	}
	return fmt.Sprintf("%s: %s refused: %v", e.Host, e.Addr, e.Err)
}

func (e *RefusedError) Unwrap() error { return e.Err }

// Screen returns a context for a request to target, a host that another host
// (home, "host[:port]", a registry) named in a redirect or a token realm. Such
// a request may not be used to reach what only this machine can reach: loopback,
// this machine's own, link-local (cloud metadata services live there),
// unspecified and multicast addresses are refused, unless home itself is on an
// address of that kind or an [[address]] entry says where target is. Other
// private addresses are allowed: inside a company registry, storage and token
// service live there, with names that a public resolver may know as well.
func (e *Egress) Screen(ctx context.Context, home, target string) context.Context {
	if hostOnly(home) == hostOnly(target) {
		return ctx
	}
	check := func(a netip.Addr) error {
		k := kindOf(a)
		if k == ordinary {
			return nil
		}
		host, port := splitHostPort(home, "443")
		list, err := e.candidates(ctx, e.current(), "tcp", host, port)
		if err == nil && k != nowhere {
			for _, c := range list {
				if h := kindOf(c.Addr().Unmap()); h == k || h.here() && k.here() {
					return nil
				}
			}
		}
		return fmt.Errorf("%s sent us to a %s address; if that is right, name it in an [[address]] entry", hostOnly(home), k)
	}
	return context.WithValue(ctx, guardKey{}, &guard{check: check, screen: true, prev: guardOf(ctx)})
}
