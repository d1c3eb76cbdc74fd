package hubtest

import (
	"fmt"
	"strings"
)

// Settings is a config.toml by which Pulley takes hubs for Docker Hub and its mirrors, and nobody else's. The words are
// those of docs/design.md.
type Settings struct {
	Origin  *Hub
	Mirrors []*Hub // switched on; they are called m1, m2 …

	Listen   string   // default: a free port of 127.0.0.1
	Roots    []string // PEM files to trust besides the hubs'
	Fetch    string   // further lines of [fetch]
	Registry string   // further lines of docker.io's [[registry]]
	More     string   // whatever else
}

// String is the text. Every host of every hub leads to that hub by [[address]], and the origin's authority, which is its
// mirrors' too, is trusted.
func (s Settings) String() string {
	var text strings.Builder
	listen := s.Listen
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	roots := strings.Join(append([]string{s.Origin.RootsFile()}, s.Roots...), "', '")
	fmt.Fprintf(&text, "listen = %q\n[fetch]\nextra_roots = ['%s']\n%s\n", listen, roots, s.Fetch)
	fmt.Fprintf(&text, "[[registry]]\nname = \"docker.io\"\n%s\n", s.Registry)
	for i, h := range s.Mirrors {
		fmt.Fprintf(&text, "[[registry.mirror]]\nname = \"m%d\"\nurl = \"https://%s\"\nstyle = %q\nenabled = true\n", i+1, h.RegistryHost, h.Style)
	}
	text.WriteString(s.Origin.Addresses())
	for _, h := range s.Mirrors {
		text.WriteString(h.Addresses())
	}
	text.WriteString(s.More)
	return text.String()
}

// Addresses are the [[address]] entries of a config.toml that lead the hub's hosts to it.
func (h *Hub) Addresses() string {
	var text strings.Builder
	for _, host := range h.Hosts() {
		fmt.Fprintf(&text, "[[address]]\nhost = %q\nuse = [\"%s\"]\n", host, strings.Join(h.Addrs(), `", "`))
	}
	return text.String()
}
