package doctor

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pulley/proxy/egress"
)

// aResolver is one that many know, for a fix that can be typed as it is.
const aResolver = "https://1.1.1.1/dns-query"

// useDoH is the fix for a resolver that lies.
func (x *exam) useDoH() string {
	if x.cfg.Fetch.DoH != "" || len(x.cfg.Egresses) > 0 {
		return x.helpful()
	}
	return "pulley config set fetch.doh " + aResolver
}

// compared says what the resolver of fetch.doh knows.
func (v *visit) compared() string {
	switch {
	case len(v.doh) > 0:
		return "fetch.doh knows it at " + joined(v.doh) + "."
	case errors.Is(v.dohErr, egress.ErrNoDoH) || v.dohErr == nil:
		return ""
	}
	return "fetch.doh does not help: " + oneLine(v.dohErr) + "."
}

func joined(addrs []netip.Addr) string {
	var list []string
	for _, a := range addrs {
		list = append(list, a.String())
	}
	if len(list) > 4 {
		list = append(list[:4], "…")
	}
	return strings.Join(list, ", ")
}

// unresolved: the name stands for nothing.
func (x *exam) unresolved(n *notes, v *visit) {
	switch {
	case causeOf(v.err, v.host) == noResolver || causeOf(v.err, v.host) == silent:
		n.blame(Finding{
			ID: "names.resolver", Level: Problem, What: "the system's resolver does not answer when asked for " + v.host, Fix: x.useDoH(),
			Why: strings.TrimSpace("No name can be looked up: " + oneLine(v.err) + ". Is this machine online, and its DNS server the right one? " + v.compared()),
		})
	case len(v.doh) > 0:
		n.blame(Finding{
			ID: "names.blocked", Level: Problem, What: "the system's resolver says that there is no " + v.host + ", and there is", Fix: x.useDoH(),
			Why: strings.TrimSpace("It blocks that name. " + v.compared()),
		})
	default:
		n.blame(Finding{
			ID: "names.unknown", Level: Problem, What: "the system knows no address of " + v.host, Fix: x.misspelt(v),
			Why: strings.TrimSpace(x.whyUnknown(v) + " " + v.compared()),
		})
	}
}

func (x *exam) whyUnknown(v *visit) string {
	if x.public(v.host) {
		return "It has some: the DNS server keeps that name from you, or only a proxy leads out of this network."
	}
	return "Is the registry's name spelt right, and is a VPN or another DNS server needed for it?"
}

// misspelt is the fix for a registry's host that nobody knows.
func (x *exam) misspelt(v *visit) string {
	if x.foreign {
		if near := nearest(x.reg.Name, registryNames(x)); near != "" {
			return "pulley doctor " + near + "/" + x.repository + x.suffix()
		}
		return ""
	}
	if x.public(v.host) {
		return x.useDoH()
	}
	return "pulley config edit"
}

func (x *exam) suffix() string {
	if x.digest != "" {
		return "@" + x.digest
	}
	return ":" + x.tag
}

func registryNames(x *exam) (names []string) {
	for _, r := range x.cfg.Registries {
		names = append(names, r.Name)
	}
	return names
}

// public reports whether a host is a built-in registry's: those are on the internet.
func (x *exam) public(host string) bool {
	return x.reg.Sample != "" && (slices.Contains(x.reg.Hosts, host) || strings.HasSuffix(host, "docker.io") || strings.HasSuffix(host, "docker.com"))
}

// bogus reports whether all that the resolver gave for a public name are addresses where nothing public can be.
func (x *exam) bogus(v *visit) bool {
	if v.pinned || !x.public(v.host) || v.count(fine) > 0 { // a proxy that the network puts in between, and that is who it says
		return false
	}
	return !slices.ContainsFunc(v.addrs, func(a netip.AddrPort) bool {
		ip := a.Addr()
		return !ip.IsLoopback() && !ip.IsUnspecified() && !ip.IsPrivate() && !ip.IsLinkLocalUnicast() && !ip.IsMulticast()
	})
}

// lied: it stands for a place where it cannot be.
func (x *exam) lied(n *notes, v *visit) {
	n.blame(Finding{
		ID: "names.bogus", Level: Problem, Fix: x.useDoH(),
		What: fmt.Sprintf("the system's resolver says that %s is at %s, where no public registry is", v.host, addresses(v)),
		Why:  strings.TrimSpace("The DNS server, the hosts file or a filter on this machine blocks that name. " + v.compared()),
	})
}

func addresses(v *visit) string {
	var list []netip.Addr
	for _, a := range v.addrs {
		list = append(list, a.Addr())
	}
	return joined(list)
}

// poisoned: somebody else answers.
func (x *exam) poisoned(n *notes, v *visit) {
	at, k := v.first(foreign)
	whose := "a certificate for " + ownerOf(leafOf(k.Err))
	if v.pinned {
		n.blame(Finding{
			ID: "address.pin", Level: Problem, Fix: unpin(v),
			What: fmt.Sprintf("the [[address]] of %s leads to %s, which is somebody else's", v.host, at.Addr()),
			Why:  "It answers with " + whose + ". Correct the entry or take it out.",
		})
		return
	}
	n.blame(Finding{
		ID: "names.poisoned", Level: Problem, Fix: x.useDoH(),
		What: fmt.Sprintf("%s answers from %s, an address it does not own (DNS poisoned)", v.host, at.Addr()),
		Why:  strings.TrimSpace("There is " + whose + ". Somebody between here and the DNS server gives wrong answers. " + v.compared()),
	})
}
