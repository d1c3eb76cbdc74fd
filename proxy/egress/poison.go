package egress

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Poison is an address that a name leads to and that answers with somebody
// else's certificate.
type Poison struct {
	Host      string
	Addr      netip.AddrPort
	Pinned    bool      // the address is of an [[address]] entry, not of a resolver
	Seen      time.Time // last
	CertNames []string  // whom its certificate is for, a few of them
}

// Poisoned lists what was found poisoned lately, by host.
//
// Such an address is tried after all others. When a name that the system
// resolved has nothing else to offer, the addresses that fetch.doh knows are
// tried, then the first [[egress]] that does not except the host; what helped is
// used for a while. Each is in the log once. Only names that no [[address]] and
// no way out takes care of are treated so, and none while enabled is false.
func (e *Egress) Poisoned() []Poison { return e.poison.list() }

// poisonFor is how long poison is remembered, and what helped against it used.
// Long enough for a pull and the next one, short enough that a laptop which was
// carried elsewhere finds out.
const poisonFor = 10 * time.Minute

// poisonBook remembers names whose addresses did not serve, and what did.
type poisonBook struct {
	now func() time.Time

	mu    sync.Mutex
	hosts map[string]*poisoned
}

type poisoned struct {
	bad   map[netip.AddrPort]Poison
	cure  []netip.Addr // from fetch.doh
	way   string       // name of an [[egress]]
	until time.Time    // when cure and way are forgotten
}

func bookName(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// get returns what is known of host, less what is too old; nil if that is
// nothing. With add it is made.
func (b *poisonBook) get(host string, add bool) *poisoned {
	host = bookName(host)
	h, now := b.hosts[host], b.now()
	if h != nil {
		for a, p := range h.bad {
			if now.Sub(p.Seen) > poisonFor {
				delete(h.bad, a)
			}
		}
		if now.After(h.until) {
			h.cure, h.way = nil, ""
		}
		if len(h.bad) > 0 || len(h.cure) > 0 || h.way != "" {
			return h
		}
		delete(b.hosts, host)
	}
	if !add {
		return nil
	}
	if b.hosts == nil {
		b.hosts = map[string]*poisoned{}
	}
	if len(b.hosts) >= 256 {
		clear(b.hosts)
	}
	h = &poisoned{bad: map[netip.AddrPort]Poison{}}
	b.hosts[host] = h
	return h
}

func (b *poisonBook) clear() {
	b.mu.Lock()
	clear(b.hosts)
	b.mu.Unlock()
}

func (b *poisonBook) list() []Poison {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Poison
	for host := range b.hosts {
		if h := b.get(host, false); h != nil {
			for _, p := range h.bad {
				out = append(out, p)
			}
		}
	}
	slices.SortFunc(out, func(x, y Poison) int {
		return cmp.Or(strings.Compare(x.Host, y.Host), x.Addr.Compare(y.Addr))
	})
	return out
}

// order puts the addresses that helped before those that a resolver gave, and
// poisoned ones behind all others.
func (b *poisonBook) order(host string, port uint16, list []candidate) []candidate {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.get(host, false)
	if h == nil {
		return list
	}
	var out, bad []candidate
	for _, a := range h.cure {
		out = append(out, candidate{AddrPort: netip.AddrPortFrom(a, port), doh: true})
	}
	for _, c := range list {
		switch _, is := h.bad[c.AddrPort]; {
		case slices.Contains(h.cure, c.Addr()):
		case is:
			bad = append(bad, c)
		default:
			out = append(out, c)
		}
	}
	return append(out, bad...)
}

// fits forgets that an address was poisoned, when its certificate was seen to
// fit.
func (b *poisonBook) fits(host string, c candidate, verified bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h := b.get(host, false); h != nil && verified {
		delete(h.bad, c.AddrPort)
	}
}

// cured notes what helped: addresses, or a way.
func (b *poisonBook) cured(host string, addrs []netip.Addr, way string, ttl time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.get(host, true)
	h.cure, h.way, h.until = addrs, way, b.now().Add(min(max(ttl, time.Minute), poisonFor))
}

// wayOf is the name of the [[egress]] that helped.
func (b *poisonBook) wayOf(host string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h := b.get(host, false); h != nil {
		return h.way
	}
	return ""
}

// uncured forgets what helped, since it helps no more.
func (b *poisonBook) uncured(host string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h := b.get(host, false); h != nil {
		h.cure, h.way = nil, ""
	}
}

// suspect looks whether a handshake failed since the certificate is somebody
// else's. One that is ours and out of date, or signed by nobody we know, is
// another matter: a wrong clock, a CA that belongs into fetch.extra_roots.
func (e *Egress) suspect(host string, c candidate, err error) {
	leaf := foreignLeaf(host, err)
	if leaf == nil {
		return
	}
	names := certNames(leaf)
	e.poison.mu.Lock()
	e.poison.get(host, true).bad[c.AddrPort] = Poison{bookName(host), c.AddrPort, c.pinned, e.now(), names}
	e.poison.mu.Unlock()
	e.changed()
	what := "a name is poisoned: its address answers with somebody else's certificate"
	if c.pinned {
		what = "an [[address]] entry leads to somebody else's certificate; correct or remove it"
	}
	e.once("poison "+host+" "+c.String(), what, "host", host, "address", c.String(), "certificate", strings.Join(names, " "))
}

// foreignLeaf returns the certificate that err is about, if it is not for host.
func foreignLeaf(host string, err error) *x509.Certificate {
	var bad *tls.CertificateVerificationError
	if !errors.As(err, &bad) || len(bad.UnverifiedCertificates) == 0 {
		return nil
	}
	leaf := bad.UnverifiedCertificates[0]
	if leaf.VerifyHostname(host) == nil {
		return nil
	}
	return leaf
}

// certNames names whom a certificate is for. What a stranger wrote there goes
// into a log and onto a screen: it is cut short and cleaned.
func certNames(c *x509.Certificate) []string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 && c.Subject.CommonName != "" {
		names = []string{c.Subject.CommonName}
	}
	names = names[:min(len(names), 4)]
	for i, n := range names {
		n = strings.Map(func(r rune) rune {
			if r < '!' || r > '~' {
				return '?'
			}
			return r
		}, n)
		names[i] = n[:min(len(n), 80)]
	}
	return names
}

// aside goes the way that helped a poisoned name last time; it returns neither
// a connection nor an error if there is none, or if it helps no more.
func (e *Egress) aside(ctx context.Context, p *plan, d destination, ready handshake) (net.Conn, error) {
	host := hostOnly(d.addr)
	name := e.poison.wayOf(host)
	if name == "" || !p.cfg.Enabled {
		return nil, nil
	}
	for _, w := range p.ways {
		if w.name == name && !w.excepts(d.registry, host) {
			c, err := e.through(ctx, p, w, d, ready)
			if err == nil || ctx.Err() != nil {
				return c, err
			}
		}
	}
	e.poison.uncured(host)
	return nil, nil
}

type plainKey struct{}

// around tries what is left when direct has failed with err.
func (e *Egress) around(ctx context.Context, p *plan, d destination, ready handshake, err error) (net.Conn, error) {
	host, port := splitHostPort(d.addr, "")
	if ip, _ := netip.ParseAddr(host); ip.IsValid() || !p.cfg.Enabled || d.scheme == "" ||
		ctx.Err() != nil || ctx.Value(plainKey{}) != nil || isRefused(err) || errors.Is(err, errNoneLeft) {
		return nil, err
	}
	n, perr := parsePort(ctx, d.network, port)
	if perr != nil || len(p.pinned(host, n)) > 0 {
		return nil, err
	}
	foreign := foreignLeaf(host, err) != nil
	if p.doh != nil && (foreign || e.mayAsk(ctx, d, host, err)) {
		c, more := e.byDoH(ctx, p, d, ready, err)
		if c != nil || ctx.Err() != nil {
			return c, more
		}
		foreign = foreign || foreignLeaf(host, more) != nil
		err = more
	}
	if !foreign {
		return nil, err
	}
	for _, w := range p.ways {
		if w.err != nil || w.excepts(d.registry, host) || e.isUs(ctx, p, w) {
			continue
		}
		c, werr := e.through(ctx, p, w, d, ready)
		if werr != nil {
			return nil, joined(host, []error{err, werr})
		}
		e.poison.cured(host, nil, w.name, poisonFor)
		e.once("around "+host+" "+w.name, "a poisoned name is reached through an egress", "host", host, "egress", w.name)
		return c, nil
	}
	return nil, err
}

// mayAsk reports whether fetch.doh may be told a name that is not known to be
// poisoned: when its addresses, which are on the internet, do not answer or
// reset, which is what poison without a server behind it looks like; and for a
// registry's request also when the system knows no address at all. A name that
// stands for something private is nobody else's business.
func (e *Egress) mayAsk(ctx context.Context, d destination, host string, err error) bool {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return d.registry != "" && dns.IsNotFound && strings.Contains(host, ".")
	}
	if !cutOff(err) {
		return false
	}
	list, err := e.resolve(ctx, host, 0)
	return err == nil && len(list) > 0 && !slices.ContainsFunc(list, func(c candidate) bool {
		return kindOf(c.Addr()) != ordinary || c.Addr().IsPrivate()
	})
}
