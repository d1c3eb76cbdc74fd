package egress

import (
	"net/netip"
	"slices"
)

// kind is what is special about an address.
type kind string

const (
	ordinary  kind = ""
	loopback  kind = "loopback"
	own       kind = "local" // of one of this machine's interfaces
	linkLocal kind = "link-local"
	metadata  kind = "cloud metadata"
	nowhere   kind = "unspecified or multicast"
)

// here says that it is this machine which has the address.
func (k kind) here() bool { return k == loopback || k == own }

// metadataServices are where clouds tell a machine, and whoever speaks for it, its
// secrets; the others are link-local.
var metadataServices = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // Amazon
	netip.MustParseAddr("fd20:ce::254"),    // Google
	netip.MustParseAddr("168.63.129.16"),   // Azure's WireServer
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("192.0.0.192"),     // Oracle
}

// kindOf classifies an address.
func kindOf(a netip.Addr) kind {
	a = Plain(a)
	if k := reserved(a); k != ordinary {
		return k
	}
	if isOwn(a) {
		return own
	}
	return ordinary
}

// Reserved reports whether a, or the IPv4 address in it, is one that means
// something else on each machine: loopback, link-local, a cloud's metadata service,
// unspecified, broadcast and multicast. It does not know this machine's own.
func Reserved(a netip.Addr) bool { return reserved(Plain(a)) != ordinary }

func reserved(a netip.Addr) kind {
	switch {
	case a.IsLoopback():
		return loopback
	case a.IsLinkLocalUnicast():
		return linkLocal
	case slices.Contains(metadataServices, a):
		return metadata
	case !a.IsValid(), a.IsUnspecified(), a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return nowhere
	case a.Is4() && a.As4()[0] == 0: // 0.0.0.0/8 reaches this host on Linux (RFC 1122, section 3.2.1.3)
		return nowhere
	}
	return ordinary
}

// carriers are the prefixes under which an IPv6 address leads to an IPv4 one, where
// somebody on the way, or this system, translates; at is where the IPv4 address
// stands.
var carriers = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64 (RFC 6052)
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},  // NAT64, local use (RFC 8215), in its /96 form
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4 (RFC 3056)
	{netip.MustParsePrefix("::/96"), 12},           // IPv4-compatible (RFC 4291, section 2.5.5.1)
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // IPv4-translated (RFC 7915)
}

// Plain is an address without zone, and the IPv4 address that it carries if it is
// an IPv6 address made for that.
func Plain(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if !a.Is6() || a.IsLoopback() || a.IsUnspecified() {
		return a
	}
	for _, c := range carriers {
		if c.prefix.Contains(a) {
			b := a.As16()
			return netip.AddrFrom4([4]byte(b[c.at : c.at+4]))
		}
	}
	return a
}
