package doctor

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"pulley/proxy/egress"
)

// Host is one that a pull has to reach, and how that went.
type Host struct {
	Host      string    `json:"host"` // host:port
	Way       string    `json:"way"`  // by which Pulley goes there
	Pinned    bool      `json:"pinned,omitempty"`
	Addresses []Address `json:"addresses,omitempty"` // none behind a proxy, which resolves names itself
	Took      string    `json:"took,omitempty"`      // how Pulley came there in the end
	Error     string    `json:"error,omitempty"`     // or why it did not
}

// Address is one of a host's.
type Address struct {
	Addr    string   `json:"addr"`
	State   string   `json:"state"`
	Connect Duration `json:"connect,omitempty"`
	TLS     Duration `json:"tls,omitempty"`
	Cert    string   `json:"certificate,omitempty"` // whom it is for, where it is refused
	Issuer  string   `json:"issuer,omitempty"`
	Error   string   `json:"error,omitempty"`
}

// visit is the examination of a host that is reached directly.
type visit struct {
	host, port, scheme string
	addrs              []netip.AddrPort
	pinned             bool
	err                error // of the resolver
	doh                []netip.Addr
	dohErr             error
	knocks             []egress.Knock
	causes             []cause
	tried              error  // what Pulley's own request failed with
	way                string // it went, if it did not fail
}

// mostAddresses bounds how many of a name are knocked at.
const mostAddresses = 12

// way looks at the way to the registry's host.
func (x *exam) way(ctx context.Context, n *notes) {
	if x.foreign {
		n.info("registry.unknown", "%s is none of the registries that Pulley knows: its traffic is passed on untouched and not cached; to cache it add a [[registry]]: pulley config edit", x.reg.Name)
	}
	x.reach(ctx, n, x.host, x.scheme())
}

// reach looks at the way to a host, says what is wrong, and reports whether Pulley gets there.
func (x *exam) reach(ctx context.Context, n *notes, hostname, scheme string) bool {
	hostport := withPort(hostname, scheme)
	route := x.egress.Route(ctx, x.reg.Name, scheme, hostport)
	v := &visit{host: bareHost(hostport), port: portOf(hostport), scheme: scheme}
	var both sync.WaitGroup
	both.Go(func() { v.way, v.tried = x.try(ctx, scheme+"://"+hostname+"/v2/") })
	if route.Proxy == "" {
		both.Go(func() { x.visit(ctx, v) })
	}
	both.Wait()
	h := Host{Host: hostport, Way: route.Way, Pinned: v.pinned, Took: v.way}
	if v.tried != nil {
		h.Error = oneLine(v.tried)
	}
	for i, k := range v.knocks {
		h.Addresses = append(h.Addresses, shownAddress(v.addrs[i], k, v.causes[i]))
	}
	x.mu.Lock()
	x.report.Hosts = append(x.report.Hosts, h)
	x.mu.Unlock()
	if route.Proxy != "" {
		return x.behind(ctx, n, v, route)
	}
	return x.judge(ctx, n, v)
}

func portOf(hostport string) string { return hostport[strings.LastIndexByte(hostport, ':')+1:] }

// try goes there as the daemon does, with all that it does when something does not work.
func (x *exam) try(ctx context.Context, url string) (way string, err error) {
	ctx, trail := egress.WithTrail(ctx)
	resp, err := x.get(ctx, http.MethodGet, url, http.Header{})
	if err != nil {
		return "", err
	}
	_ = resp.Body.Close()
	return trail.Way(), nil
}

// visit resolves a name and knocks at each address.
func (x *exam) visit(ctx context.Context, v *visit) {
	v.addrs, v.pinned, v.err = x.egress.Addresses(ctx, v.host, v.port)
	if len(v.addrs) > mostAddresses {
		v.addrs = v.addrs[:mostAddresses]
	}
	v.knocks, v.causes = x.knock(ctx, v.addrs, v.host, v.scheme)
	if v.askable() {
		v.doh, v.dohErr = x.egress.AskDoH(ctx, v.host)
	}
}

// askable reports whether fetch.doh may be told the name: as the daemon has it, only one that does not work and does not
// stand for something private.
func (v *visit) askable() bool {
	if _, err := netip.ParseAddr(v.host); err == nil || v.pinned || v.count(fine) > 0 {
		return false
	}
	if v.err != nil {
		return causeOf(v.err, v.host) == noName && strings.Contains(v.host, ".")
	}
	return v.count(foreign) > 0 || !slices.ContainsFunc(v.addrs, func(a netip.AddrPort) bool {
		ip := a.Addr()
		return ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast()
	})
}

// knockLimit is less than a step has, so that there is something to say at its end.
const knockLimit = StepLimit - 1500*time.Millisecond

// knock tries addresses, all at once.
func (x *exam) knock(ctx context.Context, addrs []netip.AddrPort, host, scheme string) ([]egress.Knock, []cause) {
	ctx, cancel := context.WithTimeout(ctx, knockLimit)
	defer cancel()
	if scheme != "https" {
		host = ""
	}
	knocks, causes := make([]egress.Knock, len(addrs)), make([]cause, len(addrs))
	var all sync.WaitGroup
	for i, a := range addrs {
		all.Go(func() {
			knocks[i] = x.egress.Knock(ctx, a, host)
			causes[i] = causeOf(knocks[i].Err, host)
		})
	}
	all.Wait()
	return knocks, causes
}

func shownAddress(a netip.AddrPort, k egress.Knock, c cause) Address {
	s := Address{Addr: a.String(), State: string(c), Connect: Duration(k.Connected), TLS: Duration(k.Secured)}
	if k.Err != nil {
		s.Error = oneLine(k.Err)
	}
	if leaf := leafOf(k.Err); leaf != nil {
		s.Cert, s.Issuer = ownerOf(leaf), issuerOf(leaf)
	}
	return s
}

// all reports whether every address has one of these causes.
func (v *visit) all(of ...cause) bool {
	return len(v.causes) > 0 && v.count(of...) == len(v.causes)
}

func (v *visit) count(of ...cause) (n int) {
	for _, c := range v.causes {
		for _, o := range of {
			if c == o {
				n++
			}
		}
	}
	return n
}

// first is the first address with a cause, and what it answered.
func (v *visit) first(of cause) (netip.AddrPort, egress.Knock) {
	for i, c := range v.causes {
		if c == of {
			return v.addrs[i], v.knocks[i]
		}
	}
	return netip.AddrPort{}, egress.Knock{}
}

// judge names the cause where there is one: what the name stands for counts before what is at its addresses, and that
// before what is spoken there.
func (x *exam) judge(ctx context.Context, n *notes, v *visit) bool {
	before := len(n.out.findings)
	switch {
	case v.err != nil || len(v.addrs) == 0:
		if !x.bypassed(ctx, n, v) {
			x.unresolved(n, v)
		}
	case x.bogus(v):
		x.lied(n, v)
	case v.count(fine) > 0:
		x.some(n, v)
	case v.pinned && x.unpinned(ctx, n, v):
	case v.count(foreign) > 0:
		x.poisoned(n, v)
	case v.count(unknownCA, dated, plain) > 0:
		x.untrusted(ctx, n, v)
	default:
		x.dead(ctx, n, v)
	}
	if v.tried != nil && len(n.out.findings) == before {
		n.blame(Finding{ID: "registry.unreachable", Level: Problem, What: v.host + " is not reached: " + oneLine(v.tried), Why: "Its addresses answer, but a request does not come through."})
	}
	switch {
	case v.tried != nil && n.out.broken == "":
		n.stop(v.host + " is not reached")
	case v.tried == nil: // it may have got there in another way
		n.out.broken = ""
		x.round(n, v, before)
	}
	return v.tried == nil
}

// round makes warnings of problems that Pulley gets round.
func (x *exam) round(n *notes, v *visit, from int) {
	for i := from; i < len(n.out.findings); i++ {
		if f := &n.out.findings[i]; f.Level == Problem {
			f.Level = Warning
			f.Why = "Pulley gets round it (" + v.way + "); engines that do not go through Pulley cannot. " + f.Why
		}
	}
}

// helpful is a way out that could be used instead of a blocked direct one: the first that the settings have.
func (x *exam) helpful() string {
	if len(x.cfg.Egresses) == 0 {
		return "pulley egress add jump ssh://USER@HOST --for " + x.reg.Name
	}
	return "pulley egress use " + x.cfg.Egresses[0].Name + " " + x.reg.Name
}
