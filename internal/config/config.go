// Package config is the one struct of settings and the one file they live in: defaults, load, check, edit in place,
// watch. It must not know what any setting is used for: no sockets, no HTTP, no cache.
//
// The format of config.toml is a promise; docs/design.md holds it.
package config

import "time"

// Config is one snapshot of all settings. A snapshot handed out by a Store is shared and must not be changed.
type Config struct {
	Listen     string     `toml:"listen"`
	Enabled    bool       `toml:"enabled"`
	Cache      Cache      `toml:"cache"`
	Fetch      Fetch      `toml:"fetch"`
	Access     Access     `toml:"access"`
	Registries []Registry `toml:"registry"`
	Addresses  []Address  `toml:"address"`
	Egresses   []Egress   `toml:"egress"`
	Log        Log        `toml:"log"`
	Tray       Tray       `toml:"tray"`
}

// Cache says where blobs are kept and for how long an answer is believed.
type Cache struct {
	Dir           string        `toml:"dir"` // "": the cache folder of Places
	MaxSize       Size          `toml:"max_size"`
	TagTTL        time.Duration `toml:"tag_ttl"` // 0: check each time
	OfflineStale  bool          `toml:"offline_stale"`
	Shared        string        `toml:"shared"`
	SharedPrivate bool          `toml:"shared_private"`
}

// Fetch says how one blob is brought here.
type Fetch struct {
	Connections int      `toml:"connections"`
	RangeMin    Size     `toml:"range_min"`
	MaxRate     Rate     `toml:"max_rate"` // 0: no limit
	Finish      string   `toml:"finish"`   // FinishAuto, FinishAlways, FinishNever
	ExtraRoots  []string `toml:"extra_roots"`
	DoH         string   `toml:"doh"`
}

// The values of Fetch.Finish.
const (
	FinishAuto   = "auto"
	FinishAlways = "always"
	FinishNever  = "never"
)

// Access says who may use the port when it is not on loopback.
type Access struct {
	Users          map[string]string `toml:"users"` // name → bcrypt hash
	Allow          []string          `toml:"allow"` // CIDRs
	Cert           string            `toml:"cert"`
	Key            string            `toml:"key"`
	PrivateOffline time.Duration     `toml:"private_offline"` // 0: never
}

// Registry is one registry: a name, the hosts clients know it by, and where its bytes come from.
type Registry struct {
	Name     string   `toml:"name"`
	Hosts    []string `toml:"hosts"` // "host", "host:port" or "*.domain", lower case
	Route    string   `toml:"route"` // RouteAuto, RouteDirect, RouteOffline or the name of one of Mirrors
	Insecure bool     `toml:"insecure"`
	Mirrors  []Mirror `toml:"mirror"`
}

// The values of Registry.Route besides the names of mirrors.
const (
	RouteAuto    = "auto"
	RouteDirect  = "direct"
	RouteOffline = "offline"
)

// Mirror is another source of a registry's bytes.
type Mirror struct {
	Name      string `toml:"name"`
	URL       string `toml:"url"`
	Style     string `toml:"style"` // "host", "prefix", "ns"
	Enabled   bool   `toml:"enabled"`
	Quota     Quota  `toml:"quota"`
	Auth      string `toml:"auth"` // "", "docker", "env:NAME", "file:PATH"
	TrustTags bool   `toml:"trust_tags"`
}

// Address pins a host name to addresses, each "ip" or "ip:port", tried in turn.
type Address struct {
	Host string   `toml:"host"`
	Use  []string `toml:"use"`
}

// Egress is a way out of this machine.
type Egress struct {
	Name   string   `toml:"name"`
	URL    string   `toml:"url"`
	For    []string `toml:"for"` // names of registries; "*" for everything, tunnels too
	Except []string `toml:"except"`
}

// Log bounds the request log.
type Log struct {
	MaxSize Size `toml:"max_size"`
}

// Tray holds what only the desktop app reads.
type Tray struct {
	Language string `toml:"language"`
	Theme    string `toml:"theme"`
	Notify   bool   `toml:"notify"`
}

// Routes lists what Route may be set to: the three fixed ones and the names of the mirrors.
func (r *Registry) Routes() []string {
	routes := []string{RouteAuto, RouteDirect, RouteOffline}
	for _, m := range r.Mirrors {
		routes = append(routes, m.Name)
	}
	return routes
}
