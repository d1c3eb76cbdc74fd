package source

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"pulley/proxy/token"
)

// RateLimit is a registry's pull limit as its headers tell it, for one identity:
// registries count each user, and each address that asks anonymously. Nothing is
// assumed where the headers are silent.
type RateLimit struct {
	Registry string // name
	Identity string // "anonymous", or the user as far as known: see [Identity.Name]

	Known     bool
	Limit     int           // pulls per Window
	Remaining int           // at At; -1 if it was not said
	Window    time.Duration // 0 if it was not said
	At        time.Time
	// Again is when pulls are left again, at the latest, after there were none: as
	// Retry-After said, or else a Window after that was first heard. Zero: not so, or
	// not known.
	Again time.Time
}

// ParseRateLimit reads ratelimit-limit ("100;w=21600") and ratelimit-remaining. The
// address that the limit is counted for (docker-ratelimit-source) is left alone. False: the headers say nothing.
func ParseRateLimit(h http.Header, now time.Time) (RateLimit, bool) {
	limit, window, ok := parseQuota(h.Get("Ratelimit-Limit"))
	if !ok {
		return RateLimit{}, false
	}
	l := RateLimit{Known: true, Limit: limit, Remaining: -1, Window: window, At: now}
	if n, w, ok := parseQuota(h.Get("Ratelimit-Remaining")); ok {
		l.Remaining = n
		if l.Window == 0 {
			l.Window = w
		}
	}
	return l, true
}

func parseQuota(v string) (n int, window time.Duration, ok bool) {
	parts := strings.Split(v, ";")
	n, err := strconv.Atoi(strings.TrimSpace(parts[0]))
	if err != nil || n < 0 {
		return 0, 0, false
	}
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if s, err := strconv.ParseInt(strings.TrimSpace(value), 10, 32); err == nil && s > 0 && strings.EqualFold(name, "w") {
			window = time.Duration(s) * time.Second
		}
	}
	return n, window, true
}

type limitKey struct{ registry, identity string }

// maxLimits bounds the identities remembered.
const maxLimits = 256

// observe remembers the limit that an answer of the origin carries.
func (o *Origin) observe(h http.Header, id Identity) {
	l, ok := ParseRateLimit(h, o.set.now())
	if !ok || o.mirror {
		return
	}
	l.Registry, l.Identity = o.reg.Name, o.set.nameOf(id)
	s := o.set
	s.mu.Lock()
	defer s.mu.Unlock()
	key := limitKey{l.Registry, l.Identity}
	if _, known := s.limits[key]; !known && len(s.limits) >= maxLimits {
		for old := range s.limits {
			delete(s.limits, old)
			break
		}
	}
	if l.Remaining == 0 {
		l.Again = l.again(h, s.limits[key])
	}
	s.limits[key] = l
}

// again is when pulls are left again. before is what was known: being told once more
// that none is left puts nothing off.
func (l RateLimit) again(h http.Header, before RateLimit) time.Time {
	if wait, ok := token.RetryAfter(h, l.At); ok && wait > 0 {
		return l.At.Add(wait)
	}
	if before.Again.After(l.At) {
		return before.Again
	}
	if l.Window > 0 {
		return l.At.Add(l.Window)
	}
	return time.Time{}
}

// nameOf names an identity; a token that was fetched here with a password is
// that user's.
func (s *Set) nameOf(id Identity) string {
	if user := s.tokens.UserOf(id.authorization); user != "" {
		return user
	}
	return id.Name()
}

// Limits returns the last seen pull limit of each registry that has one,
// whoever's it was.
func (s *Set) Limits() map[string]RateLimit {
	out := map[string]RateLimit{}
	for _, l := range s.LimitList() {
		if have, ok := out[l.Registry]; !ok || !l.At.Before(have.At) {
			out[l.Registry] = l
		}
	}
	return out
}

// LimitList returns the last seen pull limit of each registry and identity, in
// order.
func (s *Set) LimitList() []RateLimit {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Collect(maps.Values(s.limits))
	slices.SortFunc(list, func(a, b RateLimit) int {
		return cmp.Or(strings.Compare(a.Registry, b.Registry), strings.Compare(a.Identity, b.Identity))
	})
	return list
}
