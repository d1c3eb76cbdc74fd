package egress

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Loops. A proxy on this machine may itself have been told to use the system's
// proxy, which is us: then each connection would come back to us, and go out to
// it again, until something breaks. So before such a proxy is used it is asked,
// once, for a host name that nobody can know; if that name arrives at one of our
// own doors, the proxy leads back.
const (
	// probeWait is how long the first connection waits for that. A proxy that goes
	// elsewhere answers as fast as its resolver says that there is no such name.
	probeWait = 2 * time.Second
	// loopFresh is how long a proxy that leads back is not probed again.
	loopFresh = time.Minute
)

var errProbe = errors.New("a probe of pulley's own: a proxy leads back here")

// loopBook holds what the probes have found.
type loopBook struct {
	mu     sync.Mutex
	probes map[string]*probe // by the proxy's scheme and address
	hosts  map[string]*probe // by the name it was asked for
}

type probe struct {
	back chan struct{} // closed when the name has arrived at a door
	done chan struct{} // closed when the proxy has answered, or will not
	once sync.Once
	at   time.Time
}

func (p *probe) isBack() bool {
	select {
	case <-p.back:
		return true
	default:
		return false
	}
}

// saw is told each host that somebody wants a tunnel to, and reports whether it
// is one of a probe.
func (b *loopBook) saw(host string) bool {
	if !strings.HasSuffix(host, ".invalid") {
		return false
	}
	b.mu.Lock()
	p := b.hosts[host]
	b.mu.Unlock()
	if p != nil {
		p.once.Do(func() { close(p.back) })
	}
	return p != nil
}

func (b *loopBook) clear() {
	b.mu.Lock()
	clear(b.probes)
	clear(b.hosts)
	b.mu.Unlock()
}

// of returns the probe of a proxy, and the name to ask it for if it is new.
func (b *loopBook) of(key string, now time.Time) (p *probe, host string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.probes[key]; p != nil && (!p.isBack() || now.Sub(p.at) < loopFresh) {
		return p, ""
	}
	if b.probes == nil || len(b.probes) >= 64 {
		b.probes, b.hosts = map[string]*probe{}, map[string]*probe{}
	}
	p = &probe{back: make(chan struct{}), done: make(chan struct{}), at: now}
	host = "loop-" + strings.ToLower(rand.Text()) + ".invalid" // RFC 6761, 6.4: it never exists
	b.probes[key], b.hosts[host] = p, p
	return p, host
}

// leadsBack reports whether a proxy is known to send our connections back to us.
func (e *Egress) leadsBack(ctx context.Context, p *plan, w *way) bool {
	pr, host := e.loops.of(w.url.Scheme+"://"+w.address(), e.now())
	switch {
	case host == "":
	case !e.canLeadBack(ctx, p, w):
		close(pr.done)
	default:
		go func() {
			defer close(pr.done)
			// Whatever this request is allowed, has tried and leaves a trail of, the
			// probe is another.
			ctx := context.WithValue(withTries(context.WithoutCancel(ctx), nil), trailKey{}, (*Trail)(nil))
			ctx, cancel := context.WithTimeout(context.WithValue(ctx, guardKey{}, (*guard)(nil)), probeWait)
			defer cancel()
			if c, err := e.negotiate(ctx, p, w, host+":443"); err == nil {
				_ = c.Close()
			}
		}()
	}
	timer := time.NewTimer(probeWait)
	defer timer.Stop()
	select {
	case <-pr.back:
	case <-pr.done:
	case <-ctx.Done():
	case <-timer.C:
	}
	return pr.isBack()
}

// canLeadBack reports whether a proxy could reach us at all: while we listen on
// loopback alone, only one on this machine can.
func (e *Egress) canLeadBack(ctx context.Context, p *plan, w *way) bool {
	self := e.self()
	if len(self) == 0 {
		return false
	}
	for _, s := range self {
		if a, err := netip.ParseAddrPort(s); err == nil && !a.Addr().IsLoopback() {
			return true
		}
	}
	return e.onThisHost(withTries(ctx, nil), p, w)
}

// A Problem is something about a way out that keeps it from being used.
type Problem struct {
	Way  string // "egress jump", "the environment's proxy http://127.0.0.1:7890"
	Text string // what is the matter, and the next step
	Kind ProblemKind
}

// ProblemKind is what a [Problem] is, in one word.
type ProblemKind string

// The values of ProblemKind.
const (
	Unusable ProblemKind = "unusable" // its settings cannot be followed
	Itself   ProblemKind = "self"     // it is us
	Loops    ProblemKind = "loops"    // it leads back to us
	Script   ProblemKind = "script"   // it is a script, which we do not run
)

// Problems lists what was found so far.
func (e *Egress) Problems() []Problem {
	p := e.current()
	var out []Problem
	for _, w := range p.ways {
		var we *WayError
		if errors.As(w.err, &we) {
			out = append(out, Problem{w.String(), we.Why, Unusable})
		}
	}
	if p.sys != nil && p.sys.Script != "" && p.sys.HTTPS == "" {
		out = append(out, Problem{"the system's proxy script", "pulley runs no proxy scripts and goes direct; name the proxy in an [[egress]] if one is needed", Script})
	}
	e.mu.Lock()
	for _, pr := range p.problems {
		out = append(out, pr)
	}
	e.mu.Unlock()
	slices.SortFunc(out, func(a, b Problem) int { return cmp.Compare(a.Way, b.Way) })
	return out
}

// note adds a problem to the list.
func (e *Egress) note(p *plan, w *way, kind ProblemKind, text string) {
	pr := Problem{w.String(), text, kind}
	e.mu.Lock()
	had := p.problems[pr.Way] == pr
	p.problems[pr.Way] = pr
	e.mu.Unlock()
	if !had {
		e.changed()
	}
}
