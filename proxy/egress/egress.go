// Package egress holds the ways out of this machine: which address a name
// stands for, which proxy a connection leaves through, and the TLS of upstream
// connections. It dials and nothing else: it knows no registry protocol, no
// cache and no client.
//
// Way out of a connection, first match wins:
//
//  1. the first [[egress]] whose `for` names the registry or "*", unless its
//     `except` names the registry or the host ("host" or "*.domain");
//  2. the environment's proxy with its NO_PROXY, or, if it names none, the
//     system's with its exceptions; unless that is, or leads back to, ourselves;
//  3. direct.
//
// With `enabled = false` connections are direct, and the ambient proxy of 2. is
// used only where connecting directly fails: on a network whose only way out is
// that proxy, switching Pulley off must not cut the machine off.
//
// A name with an [[address]] entry stands for those addresses, also behind a
// proxy. Every other name is resolved by the system, hosts file included, and
// behind a proxy by that proxy.
//
// Every address that a name stands for is a candidate. One that fails at
// connect, in the handshake or, for a request that can be repeated, before the
// first byte of the answer is passed over for the next and tried last for a
// while (see [Egress.Transport]). A name that leads to somebody else's
// certificate is poisoned: see [Egress.Poisoned] for what is tried then.
package egress

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"pulley/internal/config"
	"pulley/proxy/egress/ssh"
	"pulley/proxy/egress/system"
)

// Options of [New].
type Options struct {
	// Settings returns the settings in force: never nil, immutable, and the
	// same pointer for as long as nothing changed, since everything derived
	// from it (roots, connection pools) is rebuilt when the pointer changes.
	Settings func() *config.Config
	// Self returns the addresses ("ip:port") this daemon listens on, so that a
	// proxy setting that points back at it is not followed. May be nil.
	Self func() []string
	// Environ is the environment ("KEY=value"), as from os.Environ.
	Environ []string
	// System reads the system's proxy settings, as system.Read does; nil: there
	// are none.
	System func(context.Context) (system.Settings, error)
	// Resolver resolves names without an [[address]]; nil is the system's.
	Resolver Resolver
	// Dial connects to "ip:port"; nil is the system's TCP.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Silence is how long an address may keep a request waiting for the first
	// byte of its answer while another one is left to try; 0 is 10 s.
	Silence time.Duration
	// Changed is called when Poisoned, Pending or Problems may answer differently.
	// It must not wait, nor call the Egress. May be nil.
	Changed func()
	Log     *slog.Logger // nil discards
	Now     func() time.Time
}

// A Resolver resolves host names; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Egress dials. It is safe for concurrent use.
type Egress struct {
	settings func() *config.Config
	self     func() []string
	environ  []string
	env      map[string]string
	resolver Resolver
	tcp      func(ctx context.Context, network, addr string) (net.Conn, error)
	log      *slog.Logger
	silence  time.Duration
	changed  func()
	now      func() time.Time
	nonce    string // makes the host names that stand for a proxy unguessable
	sick     sickList
	poison   poisonBook
	loops    loopBook
	system   systemProxy

	mu     sync.Mutex
	plan   *plan
	warned map[string]bool // what the log has said once already

	// machines are those of ssh:// ways out, by the name and URL of the entry: a
	// connection outlives a change of the settings that is not about it.
	machines map[string]*ssh.Client

	// retired are transports of earlier plans. Bodies that were under way when
	// the settings changed hand their connections back to these.
	retired []*http.Transport
}

// New starts nothing and opens nothing.
func New(o Options) *Egress {
	e := &Egress{
		settings: o.Settings, self: o.Self, environ: o.Environ, env: environ(o.Environ), resolver: o.Resolver, tcp: o.Dial, log: o.Log,
		silence: o.Silence, changed: o.Changed, now: o.Now,
		nonce:    strings.ToLower(rand.Text()),
		warned:   map[string]bool{},
		machines: map[string]*ssh.Client{},
	}
	if e.changed == nil {
		e.changed = func() {}
	}
	if e.now == nil {
		e.now = time.Now
	}
	if e.silence == 0 {
		e.silence = silentFor
	}
	e.sick.now, e.poison.now = e.now, e.now
	e.system.read = reader(o.System)
	if e.tcp == nil {
		e.tcp = (&net.Dialer{KeepAlive: keepAlive}).DialContext
	}
	if e.resolver == nil {
		e.resolver = net.DefaultResolver
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.self == nil {
		e.self = func() []string { return nil }
	}
	return e
}

// plan is what one state of the settings comes to. All fields but the
// transports are immutable.
type plan struct {
	cfg        *config.Config
	sys        *system.Settings // nil: nobody reads them
	pins       map[string][]pin // by host and by host:port, lower case
	ways       []*way           // the [[egress]] entries, in order
	env        func(scheme, hostport string) *way
	transports map[string]*transport // guarded by Egress.mu
	doh        *doh                  // nil without fetch.doh
	roots      *roots
	problems   map[string]Problem // by way; guarded by Egress.mu
}

// each calls f for every pool of connections; guarded by Egress.mu.
func (p *plan) each(f func(*http.Transport)) {
	for _, t := range p.transports {
		f(t.pool)
	}
	if p.doh != nil {
		f(p.doh.pool)
	}
}

// maxRetired bounds them; what is forgotten closes by its idle time-out.
const maxRetired = 64

// current returns the plan of the settings in force.
func (e *Egress) current() *plan {
	cfg, sys := e.settings(), e.system.get(e.now())
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.plan != nil && e.plan.cfg == cfg && e.plan.sys == sys {
		return e.plan
	}
	p := &plan{
		cfg: cfg, sys: sys, pins: compilePins(cfg.Addresses), ways: e.compileWays(cfg.Egresses), env: e.ambientWays(sys),
		transports: map[string]*transport{}, roots: &roots{}, problems: map[string]Problem{},
	}
	p.doh = e.newDoH(p)
	if e.plan != nil {
		e.plan.each(func(t *http.Transport) { e.retired = append(e.retired, t) })
		e.retired = e.retired[max(0, len(e.retired)-maxRetired):]
		for _, t := range e.retired {
			t.CloseIdleConnections()
		}
	}
	e.plan = p
	return p
}

// Close drops idle connections. Those in use stay; the Egress can be used again.
func (e *Egress) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.retired {
		t.CloseIdleConnections()
	}
	if e.plan != nil {
		e.plan.each((*http.Transport).CloseIdleConnections)
	}
	for _, m := range e.machines {
		m.Close()
	}
}

// NetworkChanged says that this machine has woken up, or is on another network:
// what was learned about addresses is forgotten, and connections that nobody
// uses are dropped, which may have died without a word.
func (e *Egress) NetworkChanged() {
	e.sick.clear()
	e.poison.clear()
	e.loops.clear()
	e.mu.Lock()
	for _, m := range e.machines {
		m.Retry()
	}
	e.mu.Unlock()
	e.Close()
}

// once logs a warning the first time its key is seen.
func (e *Egress) once(key, msg string, args ...any) {
	e.mu.Lock()
	seen := e.warned[key]
	if len(e.warned) < 1024 {
		e.warned[key] = true
	}
	e.mu.Unlock()
	if !seen {
		e.log.Warn(msg, args...)
	}
}

// environ indexes KEY=value lines; as in a process, the last one wins.
func environ(lines []string) map[string]string {
	m := make(map[string]string, len(lines))
	for _, l := range lines {
		if k, v, ok := strings.Cut(l, "="); ok {
			m[k] = v
		}
	}
	return m
}
