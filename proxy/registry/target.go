package registry

import "pulley/internal/config"

// Target says which registry an intercepted connection was meant for, as the
// client named it. The port fills it in once per connection; it is read-only.
type Target struct {
	// Registry is the configured registry whose host was dialled.
	Registry *config.Registry
	// Scheme is "https" or "http", as the client speaks it to that host.
	Scheme string
	// Host is host[:port] as the client sees it; the realm and Location
	// headers handed to that client name it.
	Host string
	// Door is the way in: "http", "socks5" or "tls".
	Door string
}

// origin is the URL prefix under which the client reaches this target.
func (t Target) origin() string { return t.Scheme + "://" + t.Host }
