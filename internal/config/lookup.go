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

// Mirror finds a mirror of the registry by its name.
func (r *Registry) Mirror(name string) (*Mirror, bool) {
	for i := range r.Mirrors {
		if r.Mirrors[i].Name == name {
			return &r.Mirrors[i], true
		}
	}
	return nil, false
}

// Matches reports whether a repository is one of those that patterns name: "library/debian" exactly, "library/*" for
// whatever is below, "*" for all.
func Matches(patterns []string, repository string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if below, ok := strings.CutSuffix(p, "*"); ok {
			return strings.HasPrefix(repository, below)
		}
		return p == repository
	})
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
	if !strings.Contains(hostport, ":") { // most names, in every request: an error would cost two allocations
		return unbracket(hostport)
	}
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
