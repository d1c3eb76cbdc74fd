package source

import (
	"time"

	"pulley/internal/config"
)

// Standing is how one place of a registry stands, for a person: what it is, and
// whether and how well it works on the network of now.
type Standing struct {
	Name      string // "origin" or the mirror's
	Origin    bool
	URL       string
	Style     string // of a mirror
	Enabled   bool   // an origin always is
	Listed    bool   // the route lets it serve
	Usable    bool   // just now
	Why       string // it is not, "" if it is
	Cause     string // the kind of that, one of cause.Kinds; "" none of them
	Until     time.Time
	Rate      float64 // bytes a second of one connection; 0 unknown
	FirstByte time.Duration
	Last      time.Time // when it last answered; zero: never seen here
	Proven    bool
	TrustTags bool
	Private   bool      // may be told private names
	Auth      string    // where its credentials are from, as configured
	Quota     *QuotaUse // nil: none
	Expelled  *Expulsion
	Quarrels  []Disagreement

	About, Needs, Limits, Closed string // from the catalogue
}

// Standings are those of a registry's origin and of all its mirrors, those that
// are switched off included: the origin first, then in the order of the settings.
func (s *Set) Standings(reg *config.Registry) []Standing {
	reg = s.current(reg)
	host := firstHost(reg)
	listed := map[string]bool{}
	for _, p := range s.mirrors(reg, host) {
		listed[p.Name()] = true
	}
	var list []Standing
	if origin, err := s.place(reg, nil, host); err == nil {
		st := Standing{Origin: true, URL: origin.at.site().URL(), Enabled: true, Listed: reg.Route != config.RouteOffline, TrustTags: true, Private: true}
		list = append(list, st.seen(origin))
	}
	for i := range reg.Mirrors {
		m := &reg.Mirrors[i]
		st := Standing{
			Name: m.Name, URL: m.URL, Style: m.Style, Enabled: m.Enabled, Listed: listed[m.Name], TrustTags: m.TrustTags,
			Private: m.Private, Auth: m.Auth, About: m.About, Needs: m.Needs, Limits: m.Limits, Closed: m.Closed,
			Expelled: s.trust.expelled(trustKey(m)), Quarrels: s.quarrels.of(reg.Name, m.Name),
			Quota: s.ledger.use(reg.Name+" "+m.Name, m.Quota),
		}
		p, err := s.place(reg, m, host)
		if err != nil {
			st.Why = err.Error()
		} else {
			st = st.seen(p)
		}
		list = append(list, st.judged(reg))
	}
	if p := s.sharedAt(reg, host); p != nil {
		m := p.mirror
		st := Standing{
			Name: m.Name, URL: m.URL, Style: m.Style, Enabled: true, Listed: listed[m.Name], Private: m.Private, About: m.About,
			Expelled: s.trust.expelled(trustKey(m)),
		}
		list = append(list, st.seen(p).judged(reg))
	}
	return list
}

// seen fills in what was seen of the place.
func (st Standing) seen(p *Place) Standing {
	v := p.set.health.peek(p.key)
	st.Name, st.Rate, st.FirstByte, st.Last, st.Proven = p.Name(), v.rate, v.first, v.last, p.Proven()
	n, why, until := p.alone()
	st.Usable, st.Why, st.Until = n > 0, why, until
	if n == 0 && why == v.why {
		st.Cause = v.kind
	}
	return st
}

// judged puts first what a person has decided or must decide.
func (st Standing) judged(reg *config.Registry) Standing {
	var why string
	switch {
	case st.Expelled != nil:
		why = "expelled: " + st.Expelled.Why
	case !st.Enabled:
		why = "switched off"
	case !st.Listed && (reg.Route == config.RouteDirect || reg.Route == config.RouteOffline):
		why = "the route is " + reg.Route
	default:
		return st
	}
	st.Usable, st.Why, st.Cause, st.Until = false, why, "", time.Time{}
	return st
}
