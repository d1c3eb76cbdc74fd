package egress

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"pulley/internal/config"
)

// A pin is one address of an [[address]] entry; port 0 keeps the port asked for.
type pin struct {
	addr netip.Addr
	port uint16
}

// A candidate is an address that a name stands for.
type candidate struct {
	netip.AddrPort
	pinned bool // from an [[address]] entry
	doh    bool // from fetch.doh, because the system's answer did not serve
}

// compilePins leaves out what does not parse: the settings were validated when
// they were loaded, and a test's need not be.
func compilePins(list []config.Address) map[string][]pin {
	m := map[string][]pin{}
	for _, a := range list {
		host := strings.ToLower(strings.TrimSuffix(a.Host, "."))
		for _, u := range a.Use {
			if ap, err := netip.ParseAddrPort(u); err == nil {
				m[host] = append(m[host], pin{ap.Addr().Unmap(), ap.Port()})
			} else if ip, err := netip.ParseAddr(strings.Trim(u, "[]")); err == nil {
				m[host] = append(m[host], pin{ip.Unmap(), 0})
			}
		}
	}
	return m
}

// pinned returns the addresses that the settings give host:port.
func (p *plan) pinned(host string, port uint16) []candidate {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	pins := p.pins[net.JoinHostPort(host, strconv.Itoa(int(port)))]
	if pins == nil {
		pins = p.pins[host]
	}
	out := make([]candidate, 0, len(pins))
	for _, pn := range pins {
		if pn.port == 0 {
			pn.port = port
		}
		out = append(out, candidate{AddrPort: netip.AddrPortFrom(pn.addr, pn.port), pinned: true})
	}
	return out
}

// candidates returns what host stands for, best first: in the order given or
// resolved, families interleaved (RFC 8305, 4), those that failed lately last,
// those that the request in ctx has tried already not at all.
func (e *Egress) candidates(ctx context.Context, p *plan, network, host, port string) ([]candidate, error) {
	n, err := parsePort(ctx, network, port)
	if err != nil {
		return nil, err
	}
	list := p.pinned(host, n)
	if len(list) == 0 {
		list, err = e.resolve(ctx, host, n)
		if list = e.poison.order(host, n, list); len(list) == 0 {
			return nil, err
		}
	}
	list = slices.DeleteFunc(list, func(c candidate) bool {
		return network == "tcp4" && !c.Addr().Is4() || network == "tcp6" && c.Addr().Is4()
	})
	if len(list) == 0 {
		return nil, &net.DNSError{Err: "no suitable address", Name: host, IsNotFound: true}
	}
	list = e.sick.last(list)
	if t := triesOf(ctx); t != nil {
		list = slices.DeleteFunc(list, func(c candidate) bool { return t.has(c.String()) })
		if len(list) == 0 {
			return nil, errNoneLeft
		}
	}
	return list, nil
}

func (e *Egress) resolve(ctx context.Context, host string, port uint16) ([]candidate, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []candidate{{AddrPort: netip.AddrPortFrom(ip.Unmap(), port)}}, nil
	}
	ips, err := e.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	return interleave(ips, port), nil
}

// interleave makes candidates of addresses: the first one's family first, then
// the families in turn.
func interleave(ips []netip.Addr, port uint16) []candidate {
	var first, second []candidate
	for _, ip := range ips {
		c := candidate{AddrPort: netip.AddrPortFrom(ip.Unmap(), port)}
		if len(first) == 0 || c.Addr().Is4() == first[0].Addr().Is4() {
			first = append(first, c)
		} else {
			second = append(second, c)
		}
	}
	out := make([]candidate, 0, len(ips))
	for i := range max(len(first), len(second)) {
		if i < len(first) {
			out = append(out, first[i])
		}
		if i < len(second) {
			out = append(out, second[i])
		}
	}
	return out
}

func parsePort(ctx context.Context, network, port string) (uint16, error) {
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		return uint16(n), nil
	}
	n, err := net.DefaultResolver.LookupPort(ctx, network, port)
	if err != nil {
		return 0, fmt.Errorf("port %q: %w", port, err)
	}
	return uint16(n), nil //nolint:gosec // LookupPort answers with a port
}

// sickFor is how long an address that failed is tried after all others. Long
// enough that a pull of many layers pays for a dead address once, short enough
// that a repaired one is first again for the next.
const sickFor = 2 * time.Minute

// sickList remembers addresses that could not be connected to.
type sickList struct {
	now func() time.Time

	mu    sync.Mutex
	until map[netip.AddrPort]time.Time
}

func (s *sickList) add(a netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.until == nil {
		s.until = map[netip.AddrPort]time.Time{}
	}
	if len(s.until) >= 512 { // tunnels go anywhere: keep this small
		for k, t := range s.until {
			if now.After(t) || len(s.until) >= 512 {
				delete(s.until, k)
			}
		}
	}
	s.until[a] = now.Add(sickFor)
}

func (s *sickList) remove(a netip.AddrPort) {
	s.mu.Lock()
	delete(s.until, a)
	s.mu.Unlock()
}

func (s *sickList) clear() {
	s.mu.Lock()
	clear(s.until)
	s.mu.Unlock()
}

// Failing are those of an [[address]]'s use ("ip" or "ip:port") that were passed over not long ago; one without a port
// whatever port it was for.
func (e *Egress) Failing(use []string) (list []string) {
	e.sick.mu.Lock()
	defer e.sick.mu.Unlock()
	now := e.sick.now()
	for _, text := range use {
		for _, pins := range compilePins([]config.Address{{Use: []string{text}}}) {
			for at, until := range e.sick.until {
				if at.Addr() == pins[0].addr && (pins[0].port == 0 || at.Port() == pins[0].port) && now.Before(until) {
					list = append(list, text)
					break
				}
			}
		}
	}
	return list
}

// last moves the addresses that failed lately behind the others.
func (s *sickList) last(list []candidate) []candidate {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(list) < 2 || len(s.until) == 0 {
		return list
	}
	now := s.now()
	slices.SortStableFunc(list, func(a, b candidate) int {
		return btoi(now.Before(s.until[a.AddrPort])) - btoi(now.Before(s.until[b.AddrPort]))
	})
	return list
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// splitHostPort takes "host", "host:port", "[v6]" and "[v6]:port".
func splitHostPort(s, port string) (string, string) {
	if h, p, err := net.SplitHostPort(s); err == nil {
		return h, p
	}
	return strings.Trim(s, "[]"), port
}

func hostOnly(s string) string {
	h, _ := splitHostPort(s, "")
	return strings.ToLower(strings.TrimSuffix(h, "."))
}
