package egress

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpproxy"

	"pulley/proxy/egress/system"
)

// ambientWays are those of the environment (HTTP_PROXY, HTTPS_PROXY and
// NO_PROXY, or their lower case forms where those are unset), or, if it names no
// proxy, of the system; with the rules that every Go program has.
func (e *Egress) ambientWays(sys *system.Settings) func(scheme, hostport string) *way {
	get := func(names ...string) string {
		for _, n := range names {
			if v := e.env[n]; v != "" {
				return v
			}
		}
		return ""
	}
	name, local := Environment, false
	cfg := httpproxy.Config{
		HTTPProxy:  get("HTTP_PROXY", "http_proxy"),
		HTTPSProxy: get("HTTPS_PROXY", "https_proxy"),
		NoProxy:    get("NO_PROXY", "no_proxy"),
	}
	if cfg.HTTPProxy == "" && cfg.HTTPSProxy == "" && sys != nil {
		name, local = System, sys.Local
		cfg = httpproxy.Config{HTTPProxy: sys.HTTP, HTTPSProxy: sys.HTTPS, NoProxy: strings.Join(append(sys.Except, cfg.NoProxy), ",")}
	}
	proxy := cfg.ProxyFunc()
	return func(scheme, hostport string) *way {
		if local && !strings.ContainsAny(hostOnly(hostport), ".:") {
			return nil
		}
		u, err := proxy(&url.URL{Scheme: scheme, Host: hostport})
		if err != nil || u == nil {
			if err != nil {
				e.once(name, "the "+name+"'s proxy is no url; going direct; correct HTTP_PROXY or HTTPS_PROXY, or the system's settings")
			}
			return nil
		}
		if !spoken(u.Scheme) {
			e.once(name+" "+u.Scheme, "the "+name+"'s proxy has a scheme we do not speak; going direct", "scheme", u.Scheme)
			return nil
		}
		return &way{name: name, url: u, ambient: true}
	}
}

// How the system's settings are followed: they are read before the first
// connection, and again beside connections that are made later than that.
const (
	systemTimeout = 3 * time.Second
	systemFresh   = 15 * time.Second
)

// systemProxy is what the system said last.
type systemProxy struct {
	read func() (system.Settings, error)

	mu   sync.Mutex
	last *system.Settings // another pointer when it has changed
	at   time.Time
	busy bool
}

// get returns nil if there is nobody to ask.
func (s *systemProxy) get(now time.Time) *system.Settings {
	if s.read == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.last == nil:
		s.last, s.at = &system.Settings{}, now
		if got, err := s.read(); err == nil {
			s.last = &got
		}
	case now.Sub(s.at).Abs() > systemFresh && !s.busy:
		s.busy = true
		go func() {
			got, err := s.read()
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.busy, s.at = false, now; err == nil && !got.Equal(*s.last) {
				s.last = &got
			}
		}()
	}
	return s.last
}

// reader bounds what asks the system. It is no dial's: what is read is for all
// of them.
func reader(read func(context.Context) (system.Settings, error)) func() (system.Settings, error) {
	if read == nil {
		return nil
	}
	return func() (system.Settings, error) {
		ctx, cancel := context.WithTimeout(context.Background(), systemTimeout)
		defer cancel()
		return read(ctx)
	}
}
