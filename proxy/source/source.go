// Package source is where bytes come from: the origin of each registry, asked
// the way that registry wants to be asked.
//
// An [Origin] fetches tokens, follows the redirects of blobs to storage, checks
// that an answer is the answer to the question, and turns failures into
// [StatusError], which says whether the registry has spoken or just could not be
// heard. Credentials go to the origin's own host and to its token service; what
// a redirect leads to gets none.
//
// The package keeps no bytes and knows no cache: whoever asks twice is answered
// from the network twice.
package source

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"pulley/internal/config"
	"pulley/proxy/token"
)

// Options of [NewSet].
type Options struct {
	Settings func() *config.Config
	Network  token.Network // *egress.Egress
	Tokens   *token.Keeper
	Log      *slog.Logger // nil discards
	Now      func() time.Time
}

// Set is the sources of every registry. It is safe for concurrent use and
// starts nothing.
type Set struct {
	settings func() *config.Config
	network  token.Network
	tokens   *token.Keeper
	log      *slog.Logger
	now      func() time.Time

	mu     sync.Mutex
	limits map[string]RateLimit // by registry name
}

// NewSet makes a Set.
func NewSet(o Options) *Set {
	s := &Set{
		settings: o.Settings, network: o.Network, tokens: o.Tokens, log: o.Log, now: o.Now,
		limits: map[string]RateLimit{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// Of returns the origin of a registry at the first of its hosts that is one
// host; for a registry of "*.domain" alone, the host comes with each request.
// Origins are values over the Set: cheap, and none needs closing.
func (s *Set) Of(reg *config.Registry) *Origin {
	for _, h := range reg.Hosts {
		if !strings.HasPrefix(h, "*") {
			return s.At(reg, h)
		}
	}
	return s.At(reg, "")
}

// At returns the origin of a registry at one of its hosts, "host[:port]".
func (s *Set) At(reg *config.Registry, host string) *Origin {
	return &Origin{set: s, reg: reg, host: host}
}

// Limits returns the last seen pull limit of each registry that has one.
func (s *Set) Limits() map[string]RateLimit {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]RateLimit, len(s.limits))
	for name, l := range s.limits {
		out[name] = l
	}
	return out
}
