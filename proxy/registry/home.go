package registry

import (
	"strings"

	"pulley/cache"
	"pulley/internal/config"
)

// home is a repository, and where it is at home. The hosts that a registry spells
// out are names of one registry; those under a "*.domain" are registries each, with
// repositories, rights and failures of their own.
type home struct {
	reg        *config.Registry // in the settings of when it was asked for
	host       string           // that is asked
	repository string
}

// home is that of the request's repository.
func (r *Request) home() home {
	return home{reg: r.Registry, host: originHost(r.Registry, r.Target.Host), repository: r.Repository}
}

// originHost is where a registry is asked that a client means by host: there, if
// that is under a "*.domain", else at the first of its hosts.
func originHost(reg *config.Registry, host string) string {
	if host != "" && !reg.Spells(host) {
		return host
	}
	for _, first := range reg.Hosts {
		if !strings.HasPrefix(first, "*") {
			return first
		}
	}
	return host
}

// registry is what the registry is called in everything that is remembered: by its
// name, or by the host if that is under a "*.domain".
func (h home) registry() string {
	if h.host != "" && !h.reg.Spells(h.host) {
		return h.host
	}
	return h.reg.Name
}

// name is the repository's key in everything that is remembered but the cache.
func (h home) name() string { return h.registry() + "/" + h.repository }

// cacheName is the repository's name for the cache.
func (h home) cacheName() cache.Name {
	return cache.Name{Registry: h.registry(), Repository: h.repository}
}

func (r *Request) called() string        { return r.home().registry() }
func (r *Request) name() string          { return r.home().name() }
func (r *Request) cacheName() cache.Name { return r.home().cacheName() }
