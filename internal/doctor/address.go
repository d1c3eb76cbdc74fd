package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// some: at least one address is as it should be.
func (x *exam) some(n *notes, v *visit) {
	bad := len(v.causes) - v.count(fine)
	if bad == 0 {
		n.ok("address", "%s: %s", v.host, answered(v))
		return
	}
	if v.onlySix() {
		if v.count(unreachable) == bad { // most networks are so, and nobody suffers
			n.ok("address", "%s: %s over IPv4; this network has no IPv6", v.host, answered(v))
			return
		}
		if !x.once("address.ipv6") {
			return
		}
		n.add(Finding{
			ID: "address.ipv6", Level: Warning, What: "IPv6 is broken: " + v.host + " answers over IPv4 alone",
			Why: "This machine believes it has IPv6, and connections over it fail (" + v.broken() + "). Pulley uses IPv4 after a moment; engines without it wait longer.",
		})
		return
	}
	if c := v.count(foreign); c > 0 && !v.pinned {
		at, k := v.first(foreign)
		n.add(Finding{
			ID: "names.poisoned", Level: Warning, Fix: x.useDoH(),
			What: fmt.Sprintf("%s answers from %s, an address it does not own (DNS poisoned)", v.host, at.Addr()),
			Why:  "There is a certificate for " + ownerOf(leafOf(k.Err)) + ". Others of its addresses are right, and Pulley uses those.",
		})
		return
	}
	if !x.once("address.some " + v.broken()) {
		return
	}
	n.add(Finding{
		ID: "address.some", Level: Warning, What: fmt.Sprintf("%d of %d addresses of %s do not work: %s", bad, len(v.causes), v.host, v.broken()),
		Why: "Pulley passes them over and uses the others; engines without it wait for them.", Fix: x.pin(v),
	})
}

// pin is the fix for an [[address]] some of which do not work: those that do.
func (x *exam) pin(v *visit) string {
	if !v.pinned {
		return ""
	}
	fix := "pulley address set " + v.host
	for i, c := range v.causes {
		if c != fine {
			continue
		}
		if at := v.addrs[i]; strconv.Itoa(int(at.Port())) == v.port {
			fix += " " + at.Addr().String()
		} else {
			fix += " " + at.String()
		}
	}
	return fix
}

// unpin is the fix for one that does more harm than good.
func unpin(v *visit) string { return "pulley address rm " + v.host }

func answered(v *visit) string {
	n := len(v.causes)
	if n == 1 {
		return v.addrs[0].Addr().String() + " answers"
	}
	return strconv.Itoa(v.count(fine)) + " of " + strconv.Itoa(n) + " addresses answer"
}

// broken lists the addresses that do not work, with why.
func (v *visit) broken() string {
	var list []string
	for i, c := range v.causes {
		if c != fine {
			list = append(list, v.addrs[i].Addr().String()+" "+said(c))
		}
	}
	if len(list) > 4 {
		list = append(list[:4], "…")
	}
	return strings.Join(list, ", ")
}

// said is a cause in a sentence.
func said(c cause) string {
	switch c {
	case refused:
		return "refuses connections"
	case reset:
		return "breaks connections off"
	case silent:
		return "does not answer"
	case unreachable:
		return "cannot be got to"
	case foreign:
		return "is somebody else's"
	case unknownCA:
		return "has a certificate by an unknown authority"
	case dated:
		return "has a certificate that is out of date"
	case plain:
		return "speaks no TLS"
	case fine, noName, noResolver, denied, balks, unvouched, other:
	}
	return "fails"
}

// onlySix reports whether all that work are IPv4 and all that do not are IPv6.
func (v *visit) onlySix() bool {
	for i, c := range v.causes {
		if v.addrs[i].Addr().Is4() != (c == fine) {
			return false
		}
	}
	return true
}

// dead: no address can be talked to.
func (x *exam) dead(ctx context.Context, n *notes, v *visit) {
	f := Finding{Level: Problem, Why: strings.TrimSpace(v.compared())}
	switch {
	case x.bypassed(ctx, n, v):
		return
	case v.all(unreachable):
		f.ID, f.What = "address.offline", "this machine has no way to "+v.host+": it is offline, or a VPN is down"
		f.Why = "The system says so of each address (" + v.broken() + "). What is cached still pulls."
	case v.count(reset) > 0:
		f.ID, f.What = "address.reset", "connections to "+v.host+" are broken off"
		f.Why = "They are made and then reset (" + v.broken() + "), which is what filters do that look at the name. " + f.Why
		f.Fix = x.helpful()
	case v.count(silent) > 0:
		f.ID, f.What = "address.timeout", v.host+" does not answer"
		f.Why = "No connection comes about within seconds (" + v.broken() + "). A firewall drops them, the registry is down, or a proxy is needed to get out of this network. " + f.Why
		f.Fix = x.helpful()
	default:
		f.ID, f.What = "address.refused", v.host+" refuses connections"
		f.Why = "Each address does (" + v.broken() + "). The registry is down, its port is another, or a firewall answers in its stead. " + f.Why
		f.Fix = x.helpful()
	}
	f.Why = strings.TrimSpace(f.Why)
	n.blame(f)
}

// unpinned: the addresses of the settings do not work, and those that the system knows do.
func (x *exam) unpinned(ctx context.Context, n *notes, v *visit) bool {
	var resolver interface {
		LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	} = net.DefaultResolver
	if x.o.Resolver != nil {
		resolver = x.o.Resolver
	}
	found, err := resolver.LookupNetIP(ctx, "ip", v.host)
	if err != nil {
		return false
	}
	port, err := strconv.ParseUint(v.port, 10, 16)
	if err != nil {
		return false
	}
	without := &visit{host: v.host}
	for _, ip := range found[:min(len(found), mostAddresses)] {
		without.addrs = append(without.addrs, netip.AddrPortFrom(ip.Unmap(), uint16(port)))
	}
	without.knocks, without.causes = x.knock(ctx, without.addrs, v.host, v.scheme)
	if without.count(fine) == 0 {
		return false
	}
	n.blame(Finding{
		ID: "address.pin", Level: Problem, Fix: unpin(v), What: "the [[address]] of " + v.host + " is out of date",
		Why: fmt.Sprintf("It does not work (%s), while the system's own addresses of that name do. Take the entry out or correct it.", v.broken()),
	})
	return true
}
