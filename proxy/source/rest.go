package source

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"pulley/proxy/token"
)

// Rest is an origin's wish to be left alone.
type Rest struct {
	Registry string
	Until    time.Time // as Retry-After said, or a minute from when it was heard
}

// wishes takes down that an origin finds that too much is asked of it: it answers
// 429 (RFC 6585 section 4), or 503 with Retry-After. A pull limit that is used up
// says more, and is left to observe.
func (o *Origin) wishes(resp *http.Response) {
	now := o.set.now()
	wait, said := token.RetryAfter(resp.Header, now)
	switch {
	case o.mirror:
		return
	case resp.StatusCode == http.StatusTooManyRequests:
		if _, limit := ParseRateLimit(resp.Header, now); limit {
			return
		}
	case resp.StatusCode != http.StatusServiceUnavailable || !said:
		return
	}
	if !said {
		wait = defaultRest
	}
	if wait <= 0 {
		return
	}
	s := o.set
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rests == nil {
		s.rests = map[string]time.Time{}
	}
	if until := now.Add(wait); until.After(s.rests[o.reg.Name]) {
		s.rests[o.reg.Name] = until
	}
}

// Rests are the origins that asked to be left alone and are to be still, in order.
func (s *Set) Rests() (list []Rest) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for registry, until := range s.rests {
		if now.Before(until) {
			list = append(list, Rest{registry, until})
		} else {
			delete(s.rests, registry)
		}
	}
	slices.SortFunc(list, func(a, b Rest) int { return cmp.Or(strings.Compare(a.Registry, b.Registry), a.Until.Compare(b.Until)) })
	return list
}
