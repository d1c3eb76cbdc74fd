package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Network names the network this machine is on: a hash of the interface that
// the default route leaves by and of its networks. It opens no connection and
// sends nothing. With no default route it is "none".
func Network() string {
	sum := sha256.New()
	found := false
	for _, probe := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} { // nobody's (RFC 5737, RFC 3849)
		var d net.Dialer
		// A UDP socket that is connected asks the routing table and no one else.
		c, err := d.DialContext(context.Background(), "udp", probe)
		if err != nil {
			continue
		}
		local, _ := netip.ParseAddrPort(c.LocalAddr().String())
		_ = c.Close()
		if name, prefix, ok := ownerOf(local.Addr().Unmap().WithZone("")); ok {
			found = true
			_, _ = sum.Write([]byte(name + " " + prefix.String() + "\n"))
		}
	}
	if !found {
		return "none"
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// ownerOf finds the interface of an address, and the network it is in there.
func ownerOf(addr netip.Addr) (name string, network netip.Prefix, ok bool) {
	list, err := net.Interfaces()
	if err != nil {
		return "", netip.Prefix{}, false
	}
	for _, i := range list {
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err == nil && p.Addr().Unmap() == addr && !addr.IsLoopback() {
				return i.Name, p.Masked(), true
			}
		}
	}
	return "", netip.Prefix{}, false
}

// lookEvery is how long the name of a network is believed.
const lookEvery = 5 * time.Second

// remembered asks f at most every lookEvery.
func remembered(f func() string, now func() time.Time) func() string {
	var mu sync.Mutex
	var name string
	var until time.Time
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		if t := now(); !t.Before(until) {
			name, until = f(), t.Add(lookEvery)
		}
		return name
	}
}
