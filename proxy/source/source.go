// Package source is where bytes come from: the origin of each registry and its
// mirrors, each asked the way it wants to be asked.
//
// A [Place] is one of them, and [Set.Places] lists those of a registry as its
// route has it, best first by what was seen of each on the network of now:
// throughput and first-byte time of real transfers, failures, requests to be
// left alone. Blobs are fetched through a [BlobRef]. A mirror is asked for what
// everybody may know of and nothing else, in its own style and with its own
// credentials or none; within its quota and its operator's limits.
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
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
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

	// StateDir is where it is remembered over restarts how fast places are,
	// which have proved honest and which have lied, and how much of a quota is
	// used; "" remembers nothing.
	StateDir string
	// Where names the network this machine is on, the same as long as it is the
	// same one; nil is [Networks].
	Where func() string
	// Getenv reads the variables that a mirror's `auth` names; nil is os.Getenv.
	Getenv func(string) string
	// DockerDir is where docker's config.json is; "" is docker's own choice.
	DockerDir string
}

// Set is the sources of every registry. It is safe for concurrent use and
// starts nothing but [Set.Run], which the caller runs.
type Set struct {
	settings func() *config.Config
	network  token.Network
	tokens   *token.Keeper
	log      *slog.Logger
	now      func() time.Time

	health   *health
	manners  *manners
	ledger   *ledger
	trust    *trust
	logins   *logins
	quarrels *quarrels
	state    *state
	curious  chan *Place  // to be probed by Run
	open     atomic.Int64 // connections to blobs
	tier     tier
	mu       sync.Mutex
	limits   map[limitKey]RateLimit
	rests    map[string]time.Time // of origins, by registry
	places   map[identity]*Place
	known    *config.Config // the settings that changes are told by
	changes  chan struct{}
}

// NewSet makes a Set. What was remembered and cannot be read is logged and
// forgotten.
func NewSet(o Options) *Set {
	s := &Set{
		settings: o.Settings, network: o.Network, tokens: o.Tokens, log: o.Log, now: o.Now,
		limits: map[limitKey]RateLimit{}, places: map[identity]*Place{},
		known: o.Settings(), changes: make(chan struct{}), curious: make(chan *Place, 64),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if o.Where == nil {
		o.Where = Networks()
	}
	s.health = &health{now: s.now, where: remembered(o.Where, s.now), seen: map[spot]*vitals{}}
	s.manners = newManners(s.now)
	s.ledger = &ledger{now: s.now, save: s.save, accounts: map[string]*account{}}
	s.trust = &trust{words: map[string]*word{}}
	s.logins = newLogins(o.Getenv, o.DockerDir, s.now)
	s.quarrels = &quarrels{}
	s.state = &state{dir: o.StateDir}
	if err := s.restore(); err != nil {
		s.log.Warn("what was known about mirrors is lost", "err", err)
	}
	return s
}

// Of returns the origin of a registry at the first of its hosts that is one
// host; for a registry of "*.domain" alone, the host comes with each request.
// Origins are values over the Set: cheap, and none needs closing.
func (s *Set) Of(reg *config.Registry) *Origin { return s.At(reg, firstHost(reg)) }

func firstHost(reg *config.Registry) string {
	for _, h := range reg.Hosts {
		if !strings.HasPrefix(h, "*") {
			return h
		}
	}
	return ""
}

// At returns the origin of a registry at one of its hosts, "host[:port]". A
// retired registry is asked at the host that answers in its stead.
func (s *Set) At(reg *config.Registry, host string) *Origin {
	return &Origin{set: s, reg: reg, host: token.SiteOf(reg, host).Host}
}

// Changed returns a channel that is closed when [Set.Places] may answer
// otherwise: the route or the mirrors of some registry changed, or a mirror was
// expelled or let in again. Take it before asking for Places.
func (s *Set) Changed() <-chan struct{} {
	s.Update()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changes
}

// changed closes it.
func (s *Set) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changes)
	s.changes = make(chan struct{})
}

// Update takes up changed settings. Whoever waits for [Set.Changed] learns of a
// change by it: call it when they have changed. A mirror that a person has
// switched on again is let in, whatever it did.
func (s *Set) Update() {
	cfg := s.settings()
	s.mu.Lock()
	old := s.known
	s.known = cfg
	s.mu.Unlock()
	s.storeNow()
	if old == cfg || reflect.DeepEqual(old.Registries, cfg.Registries) && old.Cache.Shared == cfg.Cache.Shared && old.Cache.SharedPrivate == cfg.Cache.SharedPrivate {
		return
	}
	forgiven := false
	for i := range cfg.Registries {
		reg := &cfg.Registries[i]
		was, ok := old.Registry(reg.Name)
		for j := range reg.Mirrors {
			m := &reg.Mirrors[j]
			if !ok || !m.Enabled {
				continue
			}
			if before, had := was.Mirror(m.Name); had && !before.Enabled {
				forgiven = s.trust.readmit(trustKey(m)) || forgiven
			}
		}
	}
	if forgiven {
		s.save()
	}
	s.changed()
}
