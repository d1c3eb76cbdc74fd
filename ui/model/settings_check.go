package model

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Split makes a list of what has commas or blanks between it.
func Split(text string) (list []string) {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '，' || r == '\n' || r == '\t' })
}

// EgressFault is what is wrong with a way out as it is typed.
type EgressFault int

// Faults of a way out.
const (
	EgressFine EgressFault = iota
	EgressNameWrong
	EgressURLWrong // no http, https, socks5 or ssh URL
)

// CheckEgress finds the first thing that is wrong. The daemon has the last word.
func CheckEgress(name, address string) EgressFault {
	if !mirrorName.MatchString(name) || name == "direct" {
		return EgressNameWrong
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5", "ssh"}, u.Scheme) {
		return EgressURLWrong
	}
	return EgressFine
}

// PinFault is what is wrong with addresses for a host.
type PinFault int

// Faults of addresses.
const (
	PinFine PinFault = iota
	PinHostWrong
	PinUseWrong // one is no "ip" or "ip:port", or there is none
)

// hostName is a name of a host, as in a URL.
var hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)

// CheckPin finds the first thing that is wrong.
func CheckPin(host string, use []string) PinFault {
	if _, err := netip.ParseAddr(host); err == nil || !hostName.MatchString(strings.ToLower(host)) {
		return PinHostWrong
	}
	if len(use) == 0 {
		return PinUseWrong
	}
	for _, one := range use {
		_, err := netip.ParseAddr(one)
		_, perr := netip.ParseAddrPort(one)
		if err != nil && perr != nil {
			return PinUseWrong
		}
	}
	return PinFine
}
