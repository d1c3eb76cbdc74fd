package config

import (
	"net"
	"slices"
	"strings"
)

// Registry finds a registry by its name.
func (c *Config) Registry(name string) (*Registry, bool) {
	for i := range c.Registries {
		if c.Registries[i].Name == name {
			return &c.Registries[i], true
		}
	}
	return nil, false
}

// RegistryByHost finds the registry that a client means by hostport, as in a Host header or a CONNECT target.
// The default port (443; 80 too for an insecure registry) counts as none. An exact name wins over "*.domain",
// a longer domain over a shorter one.
func (c *Config) RegistryByHost(hostport string) (*Registry, bool) {
	hostport = strings.ToLower(strings.TrimSuffix(hostport, "."))
	var best *Registry
	bestLen := -1
	for i := range c.Registries {
		r := &c.Registries[i]
		host := stripDefaultPort(hostport, r.Insecure)
		for _, pattern := range r.Hosts {
			if domain, ok := strings.CutPrefix(pattern, "*"); ok { // ".domain"
				if len(domain) > bestLen && len(host) > len(domain) && strings.HasSuffix(host, domain) {
					best, bestLen = r, len(domain)
				}
				continue
			}
			if stripDefaultPort(pattern, r.Insecure) == host {
				return r, true
			}
		}
	}
	return best, best != nil
}

// Spells reports whether hostport stands in r's hosts as it is, and not under a "*.domain" whose rest whoever asks
// has chosen.
func (r *Registry) Spells(hostport string) bool {
	host := stripDefaultPort(strings.ToLower(strings.TrimSuffix(hostport, ".")), r.Insecure)
	return slices.ContainsFunc(r.Hosts, func(pattern string) bool {
		return !strings.HasPrefix(pattern, "*") && stripDefaultPort(pattern, r.Insecure) == host
	})
}

func stripDefaultPort(hostport string, insecure bool) string {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return unbracket(hostport)
	}
	if port == "443" || port == "80" && insecure {
		return strings.TrimSuffix(host, ".")
	}
	return hostport
}

func unbracket(host string) string {
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		return host[1 : len(host)-1]
	}
	return host
}
