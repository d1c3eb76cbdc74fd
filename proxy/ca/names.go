package ca

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// nameSet is what one authority permits: DNS names, which cover their
// subdomains, and single addresses.
type nameSet struct {
	dns []string
	ips []netip.Addr
}

func (n nameSet) empty() bool { return len(n.dns) == 0 && len(n.ips) == 0 }

// doorHosts are the names by which this machine is reached by itself and by the
// virtual machines and containers that engines run in.
var doorHosts = []string{
	"localhost", "127.0.0.1", "::1",
	"host.docker.internal", "gateway.docker.internal", "kubernetes.docker.internal", // Docker Desktop
	"host.containers.internal",                            // Podman
	"host.lima.internal", "host.rancher-desktop.internal", // Lima, Colima, Rancher Desktop
	"host.orb.internal",                           // OrbStack
	"host.minikube.internal", "host.k3d.internal", // minikube, k3d
}

// DoorHosts returns the loopback and virtual machine names that the leaf of the
// TLS door carries.
func DoorHosts() []string { return slices.Clone(doorHosts) }

// IsDoorHost reports whether a name, normalised, is one of [DoorHosts].
func IsDoorHost(name string) bool { return slices.Contains(doorHosts, name) }

// normalHost returns the bare host of "host", "host:port", "*.host", an address
// or a bracketed address: lower case, no port, no trailing dot. "" if it is none.
func normalHost(s string) string {
	if h, _, err := net.SplitHostPort(s); err == nil {
		s = h
	}
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if ip, ok := parseIP(s); ok {
		return ip.String()
	}
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	if !validHost(strings.TrimPrefix(s, "*.")) {
		return ""
	}
	return s
}

// parseIP reads an address literal; zones and the mapped form are dropped.
func parseIP(s string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(s)
	return ip.Unmap().WithZone(""), err == nil
}

// validHost keeps everything out of certificates that is no plain host name.
func validHost(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// matches reports whether host is pattern or falls under its leading "*.".
func matches(pattern, host string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
		return len(host) > len(suffix) && strings.HasSuffix(host, suffix)
	}
	return pattern == host
}
