package source

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"pulley/internal/config"
	"pulley/proxy/source/shared"
	"pulley/proxy/token"
)

// Place is somewhere a registry's bytes can be had from: its origin or one of
// its mirrors. As long as the settings say the same about it, it is the same
// pointer; what is known of it (health, quota, proof) is the Set's and is found
// again by the next one. Its methods may be called concurrently.
type Place struct {
	set    *Set
	reg    *config.Registry // not the settings of now: see now
	mirror *config.Mirror   // nil: the origin
	host   string           // of the registry, as a client means it
	at     *Origin          // where requests go
	style  style
	shared *shared.Store // nil: it is not the store of cache.shared
	key    string        // of its health
}

// newPlace makes the origin's, or a mirror's; an error says why a mirror's URL
// cannot be used.
func (s *Set) newPlace(reg *config.Registry, m *config.Mirror, host string) (*Place, error) {
	p := &Place{set: s, reg: reg, mirror: m, host: host}
	if m == nil {
		p.at = s.At(reg, host)
		p.key = reg.Name + " " + p.at.host
		return p, nil
	}
	if m.Style == StyleStore {
		if p.shared = s.storeNow(); p.shared == nil {
			return nil, errors.New("there is no shared store")
		}
		home := &config.Registry{Name: m.Name, Hosts: []string{p.shared.Host()}, Route: config.RouteDirect, Insecure: !p.shared.Secure()}
		p.at = &Origin{set: s, reg: home, host: p.shared.Host(), mirror: true}
		p.key = trustKey(m) // it is one for all registries
		return p, nil
	}
	if m.Incomplete() {
		return nil, fmt.Errorf("%s needs %s in its url", m.URL, m.Needs)
	}
	u, err := url.Parse(m.URL)
	if err != nil || u.Host == "" {
		return nil, errors.New("its url is none")
	}
	if !reg.Spells(host) && m.Style == config.StyleHost {
		return nil, fmt.Errorf("one of style host cannot tell %s from other hosts of %s", host, reg.Name)
	}
	home := &config.Registry{Name: m.Name, Hosts: []string{u.Host}, Route: config.RouteDirect, Insecure: u.Scheme == "http"}
	if m.Auth == "" {
		// Some mirrors hand the registry's own challenge on. Nothing of anybody's
		// is taken there, and the registry's token service may know what it has.
		home.Hosts = append(home.Hosts, token.Realms(host)...)
	}
	p.at = &Origin{set: s, reg: home, host: u.Host, mirror: true}
	p.style = newStyle(m, u, reg, host)
	p.key = reg.Name + " " + p.style.registry + " " + trustKey(m)
	return p, nil
}

// trustKey names a mirror for what is remembered of it in all registries: who
// proves to be honest about one is so about the others. At another URL it is
// another mirror.
func trustKey(m *config.Mirror) string { return m.Name + " " + m.URL }

// operator is whose patience counts: a mirror's name, over its registries. An
// origin's is its own.
func (p *Place) operator() string {
	if p.mirror == nil {
		return p.key
	}
	return "mirror " + p.mirror.Name
}

func (p *Place) manners() limit {
	if p.mirror == nil {
		return limit{}
	}
	return limit{p.mirror.Connections, p.mirror.PerMinute}
}

func (p *Place) quotaKey() string { return p.reg.Name + " " + p.mirror.Name }

// Name is "origin" or the mirror's name.
func (p *Place) Name() string {
	if p.mirror == nil {
		return "origin"
	}
	return p.mirror.Name
}

// Host is the host[:port] that requests go to.
func (p *Place) Host() string { return p.at.host }

func (p *Place) String() string { return p.reg.Name + " from " + p.Name() }

// Origin reports whether it is the registry itself, whose word is believed.
func (p *Place) Origin() bool { return p.mirror == nil }

// TrustTags reports whether its word about tags is good enough when the origin
// cannot be reached.
func (p *Place) TrustTags() bool { return p.mirror == nil || p.mirror.TrustTags }

// Secure reports whether its answers come over TLS.
func (p *Place) Secure() bool { return !p.at.reg.Insecure }

// Proven reports whether bytes of it may be shown before their digest fits: it
// has brought a whole blob that did, or it is the origin.
func (p *Place) Proven() bool { return p.mirror == nil || p.set.trust.proven(trustKey(p.mirror)) }

// Prove remembers, over restarts, that a blob fitted its digest in which this
// place brought bytes.
func (p *Place) Prove() {
	if p.mirror != nil && p.set.trust.prove(trustKey(p.mirror)) {
		p.set.save()
	}
}

// Expel takes a mirror out that has lied, until a person says otherwise
// ([Set.Readmit]). why is for that person; it names no private repository.
func (p *Place) Expel(why string) {
	if p.mirror == nil || !p.set.trust.expel(trustKey(p.mirror), why, p.set.now()) {
		return
	}
	p.set.log.Warn("mirror expelled", "registry", p.reg.Name, "mirror", p.mirror.Name, "why", why,
		"next", "pulley mirror on "+p.mirror.Name+" to try it again")
	p.set.save()
	p.set.changed()
}

// MayKnow reports whether the place may be told of a repository: an origin of
// all, a mirror of those that the caller knows to be public unless it is configured
// with private = true, and only of those that it can have. What the catalogue says
// is for the caller to weigh ([Set.Public]): the origin may have said otherwise.
func (p *Place) MayKnow(public bool, repo string) bool {
	if p.mirror == nil {
		return true
	}
	if len(p.mirror.Only) > 0 && !config.Matches(p.mirror.Only, repo) {
		return false
	}
	return public || p.mirror.Private
}

// Rate is the throughput to expect of one connection, in bytes a second; 0 if
// it is not known on this network.
func (p *Place) Rate() float64 { return p.set.health.peek(p.key).rate }

// FirstByte is how long it takes to answer; 0 if that is not known here.
func (p *Place) FirstByte() time.Duration { return p.set.health.peek(p.key).first }

// Connections is how many more connections it may have now, 0 while it must be
// left alone: breaker open, Retry-After, quota used up, impolite. An origin is
// left alone only while a mirror of the registry may be used.
func (p *Place) Connections() int {
	n, _, _ := p.usable()
	return n
}

// usable is Connections with the reason and the end of a 0; the time is zero if
// nobody knows.
func (p *Place) usable() (n int, why string, until time.Time) {
	n, why, until = p.alone()
	if n > 0 || p.mirror != nil {
		return n, why, until
	}
	for _, other := range p.set.mirrors(p.reg, p.host) {
		if n, _, _ := other.alone(); n > 0 {
			return 0, why, until
		}
	}
	return unlimited, "", time.Time{}
}

// alone is usable without regard to others.
func (p *Place) alone() (n int, why string, until time.Time) {
	now := p.set.now()
	if rest := p.set.health.peek(p.operator()); now.Before(rest.rest) {
		return 0, rest.called, rest.rest
	}
	v := p.set.health.peek(p.key)
	if p.shared != nil {
		if why := p.shared.Why(); why != "" {
			return 0, why, time.Time{}
		}
	}
	n = v.allows(now)
	if n == 0 {
		return 0, v.why, v.until
	}
	if p.mirror == nil {
		return n, "", time.Time{}
	}
	if q := p.mirror.Quota; q.Bytes > 0 && p.set.ledger.left(p.quotaKey(), q) == 0 {
		_, next := period(q, now)
		return 0, "its quota of " + quotaText(q) + " is used up", next
	}
	if why := p.set.logins.problem(p.mirror.Auth, p.at.host); why != "" {
		return 0, why, time.Time{}
	}
	polite, until := p.set.manners.room(p.operator(), p.manners())
	if polite == 0 {
		return 0, "as much is asked of it as its operator allows", until
	}
	return min(n, polite), "", time.Time{}
}

func quotaText(q config.Quota) string {
	text, _ := q.MarshalText() // never fails
	return string(text)
}

// Span is how long a request should last so that its operator's patience is
// enough; 0 if nothing is known of it.
func (p *Place) Span() time.Duration { return p.manners().span() }

// Tier is 1 for what serves only when a mirror that the registry's route names
// cannot, or one that the shared store leads, else 0. After a named mirror those
// that the settings put in order have a tier each, and the rest the one after.
func (p *Place) Tier() int {
	lead := p.set.lead(p.reg, p.host)
	switch {
	case lead != "" && (lead != p.Name() || p.mirror == nil):
		return 1 + p.reserve()
	case lead == "" && p.shared == nil && p.set.sharedLeads(p.reg, p.host):
		return 1
	}
	return 0
}

// reserve is how many mirrors the settings put before this one.
func (p *Place) reserve() int {
	reg := p.set.current(p.reg)
	if p.mirror == nil {
		return len(reg.Order)
	}
	return reg.Preference(p.mirror.Name)
}

// An UnusableError says why a place was not asked.
type UnusableError struct {
	Registry, Place, Why string
	Until                time.Time // zero if nobody knows
}

func (e *UnusableError) Error() string {
	s := e.Registry + ": " + e.Place + " is not asked: " + e.Why
	if !e.Until.IsZero() {
		s += ", until " + e.Until.Format(time.DateTime)
	}
	return s
}

func (p *Place) unusable(why string, until time.Time) error {
	return &UnusableError{p.reg.Name, p.Name(), why, until}
}

// errTold is why a mirror is not asked for what may be private. It does not
// name it.
const errTold = "it may not be told of a repository that is not known to be public"

// Do sends a request for a manifest, tags or referrers. At the origin it is
// [Origin.Do]. A mirror is sent GET and HEAD alone, in its style, with its own
// `auth` or none instead of r.Auth, with none of the client's headers but those
// that say what is wanted, and only if it may know the repository (r.Public).
//
// Errors are Do's, and *UnusableError.
func (p *Place) Do(ctx context.Context, r Req) (*http.Response, error) {
	if p.mirror == nil {
		resp, err := p.at.Do(ctx, r)
		if statusOf(resp, err) == 0 && r.Body == nil { // not reached: blobs had better come from elsewhere
			p.heard(ctx, err)
		}
		return resp, err
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead || r.Body != nil && r.Body != http.NoBody {
		return nil, p.unusable("mirrors are only read from", time.Time{})
	}
	repo, _, err := splitPath(r.Path)
	if err != nil {
		return nil, p.unusable(err.Error(), time.Time{})
	}
	if !p.MayKnow(r.Public, repo) {
		return nil, p.unusable(errTold, time.Time{})
	}
	n := int64(0)
	if r.Method == http.MethodGet {
		n = maxDocument
	}
	hold, err := p.enter(n, n)
	if err != nil {
		return nil, err
	}
	resp, err := p.ask(ctx, r)
	if err != nil {
		p.heard(ctx, err)
		if ctx.Err() != nil { // it may be answering
			hold.sent(firstFlight)
		}
		hold.leave(0)
		return nil, err
	}
	p.spoke(ctx, resp)
	resp.Body = &meter{ReadCloser: resp.Body, ctx: ctx, place: p, hold: hold, want: resp.ContentLength, most: n, since: p.set.now()}
	return resp, nil
}

// Fail turns an answer of Do into an error: it reads a capped part of the body and
// closes it.
func (p *Place) Fail(resp *http.Response) *StatusError { return p.at.Fail(resp) }

// maxDocument bounds what is read of a mirror's answer that is no blob; it is
// what distribution allows a manifest to be.
const maxDocument = 4 << 20

// ask puts a request into the mirror's style and sends it.
func (p *Place) ask(ctx context.Context, r Req) (*http.Response, error) {
	if p.shared != nil {
		return p.askManifest(ctx, r)
	}
	var err error
	if r.Path, r.RawQuery, err = p.style.rewrite(r.Path, r.RawQuery); err != nil {
		return nil, p.unusable(err.Error(), time.Time{})
	}
	header := http.Header{}
	for _, name := range carried {
		if v := r.Header.Values(name); len(v) > 0 {
			header[name] = v
		}
	}
	r.Header, r.Body, r.Scope = header, nil, ""
	if r.Auth, err = p.set.logins.of(ctx, p.mirror.Auth, p.at.host); err != nil {
		return nil, p.unusable(err.Error(), time.Time{})
	}
	resp, err := p.at.Do(ctx, r)
	if code := statusOf(resp, err); code == http.StatusUnauthorized {
		p.set.logins.forget(p.mirror.Auth, p.at.host)
	}
	return resp, err
}
