package context

import (
	"net"
	"net/url"
	"strings"
	"unicode"
)

// A Kind says where a context's engine is.
type Kind string

// Kinds. An address on loopback is local: a virtual machine's forwarded port is one.
const (
	Local   Kind = "local"
	Remote  Kind = "remote"
	Unknown Kind = "unknown" // it has no address, or one we cannot read
)

func kindOf(host string) Kind {
	switch scheme(host) {
	case "unix", "npipe", "fd":
		return Local
	case "tcp", "http", "https", "ssh":
	default:
		return Unknown
	}
	u, err := url.Parse(host)
	if err != nil {
		return Unknown
	}
	name := u.Hostname()
	if ip := net.ParseIP(name); name == "localhost" || name == "" || ip != nil && ip.IsLoopback() {
		return Local
	}
	return Remote
}

func scheme(host string) string {
	s, _, _ := strings.Cut(host, "://")
	return s
}

// redact is a URL as it may be shown: without a password, and without what a terminal would act on.
func redact(host string) string {
	host = visible(host)
	if !strings.Contains(host, "@") {
		return host
	}
	u, err := url.Parse(host)
	if err != nil {
		s, rest, _ := strings.Cut(host, "://")
		return s + "://…" + rest[strings.LastIndex(rest, "@")+1:]
	}
	return u.Redacted()
}

// visible is a text from elsewhere without control characters.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
}
