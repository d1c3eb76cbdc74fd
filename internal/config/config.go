// Package config is the one struct of settings and the one file they live in: defaults, load, check, edit in place,
// watch. It must not know what any setting is used for: no sockets, no HTTP, no cache.
//
// The format of config.toml is a promise; docs/design.md holds it.
package config

import (
	"slices"
	"strings"
	"time"
)

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
// Fields tagged from:"catalogue" are set by the built-in registries.toml alone.
type Registry struct {
	Name     string   `toml:"name"`
	Hosts    []string `toml:"hosts"` // "host", "host:port" or "*.domain", lower case
	Route    string   `toml:"route"` // RouteAuto, RouteDirect, RouteOffline or the name of one of Mirrors
	Insecure bool     `toml:"insecure"`
	Order    []string `toml:"order"` // names of mirrors, the most preferred first: those of Mirrors come in this order
	Mirrors  []Mirror `toml:"mirror"`

	// What is known about a built-in registry; no setting.
	Public     []string `toml:"public" from:"catalogue"`      // repositories that anybody may know of: "library/*", "*"
	AnsweredBy string   `toml:"answered_by" from:"catalogue"` // host that answers in its stead; "" itself
	Sample     string   `toml:"sample" from:"catalogue"`      // a public image to try a mirror with: "library/alpine:latest"
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
	Private   bool   `toml:"private"` // it may be told names of repositories that are not known to be public

	// What is known about a built-in mirror; no settings.
	About       string   `toml:"about" from:"catalogue"`       // whose it is
	Needs       string   `toml:"needs" from:"catalogue"`       // an id, an account, a place; "" nothing
	Limits      string   `toml:"limits" from:"catalogue"`      // what its operator allows, for a person
	Closed      string   `toml:"closed" from:"catalogue"`      // since when it serves the public no more, "2022-08"; "" open
	Connections int      `toml:"connections" from:"catalogue"` // at once at most, over everything its operator runs; 0 unknown
	PerMinute   int      `toml:"per_minute" from:"catalogue"`  // requests, likewise
	Only        []string `toml:"only" from:"catalogue"`        // repositories it has: "library/*"; none: all
}

// Incomplete reports whether the URL holds a place that a person must fill in, as https://{id}.mirror.aliyuncs.com does.
func (m *Mirror) Incomplete() bool { return strings.Contains(m.URL, "{") }

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

// arrange puts the mirrors that Order names before the others, which stay as they are.
func (r *Registry) arrange() {
	slices.SortStableFunc(r.Mirrors, func(a, b Mirror) int { return r.Preference(a.Name) - r.Preference(b.Name) })
}

// Preference is a mirror's place in Order, the first one's 0; whoever is not in it comes after those who are.
func (r *Registry) Preference(name string) int {
	if i := slices.Index(r.Order, name); i >= 0 {
		return i
	}
	return len(r.Order)
}

// Offered lists the routes that a person may choose from just now: the three fixed ones, the mirrors that are switched on
// and can serve, and the present one.
func (r *Registry) Offered() []string {
	routes := []string{RouteAuto, RouteDirect, RouteOffline}
	for i := range r.Mirrors {
		if m := &r.Mirrors[i]; m.serves() || m.Name == r.Route {
			routes = append(routes, m.Name)
		}
	}
	return routes
}

// serves says that a mirror is switched on and nothing that is known of it beforehand keeps it from serving.
func (m *Mirror) serves() bool { return m.Enabled && m.Closed == "" && !m.Incomplete() }

// Routes lists what Route may be set to: the three fixed ones and the names of the mirrors.
func (r *Registry) Routes() []string {
	routes := []string{RouteAuto, RouteDirect, RouteOffline}
	for _, m := range r.Mirrors {
		routes = append(routes, m.Name)
	}
	return routes
}
