package source

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"

	"pulley/internal/config"
)

// Places are where a registry's bytes may be had from under the settings of
// now, in order of preference:
//
//	direct        the origin
//	offline       nothing
//	a mirror      that one, then the mirrors in the order that the settings give,
//	              then all the others as in auto
//	auto          the origin and every mirror that is switched on, best first; the
//	              shared store before them. Of mirrors of which nothing is known
//	              here the one that comes first in the settings
//
// Those that cannot be used just now are among them ([Place.Connections] is 0);
// mirrors that are off, expelled, or lack something in their URL are not.
func (s *Set) Places(reg *config.Registry) []*Place { return s.PlacesAt(reg, firstHost(reg)) }

// PlacesAt are those of a registry as a client means it by one of its hosts,
// which matters for hosts under a "*.domain".
func (s *Set) PlacesAt(reg *config.Registry, host string) []*Place {
	s.Update()
	reg = s.current(reg)
	origin, err := s.place(reg, nil, host)
	if err != nil || reg.Route == config.RouteOffline {
		return nil
	}
	if reg.Route == config.RouteDirect {
		return []*Place{origin}
	}
	list := s.mirrors(reg, host)
	s.wonder(list)
	list = append(list, origin)
	lead := s.lead(reg, host)
	s.rank(list, lead != "")
	if lead == "" && s.sharedLeads(reg, host) {
		lead = config.SharedName
	}
	// It is none of them if the settings have changed, or it was expelled, since they were listed.
	if i := slices.IndexFunc(list, func(p *Place) bool { return p.mirror != nil && p.mirror.Name == lead }); lead != "" && i > 0 {
		first := list[i]
		list = slices.Insert(slices.Delete(list, i, i+1), 0, first)
	}
	return list
}

// current is the registry in the settings of now, which may be newer than the
// one that a request came with.
func (s *Set) current(reg *config.Registry) *config.Registry {
	if now, ok := s.settings().Registry(reg.Name); ok {
		return now
	}
	return reg
}

// mirrors are those of the registry that may be asked at all, in the order of
// the settings; none if the route allows none.
func (s *Set) mirrors(reg *config.Registry, host string) (list []*Place) {
	reg = s.current(reg)
	if reg.Route == config.RouteDirect || reg.Route == config.RouteOffline {
		return nil
	}
	return s.enabled(reg, host)
}

// enabled is mirrors whatever the route.
func (s *Set) enabled(reg *config.Registry, host string) (list []*Place) {
	for i := range reg.Mirrors {
		if p := s.mirrorAt(reg, &reg.Mirrors[i], host); p != nil {
			list = append(list, p)
		}
	}
	if p := s.sharedMirror(reg, host); p != nil {
		list = append(list, p)
	}
	return list
}

// Best is the name of the place that would be asked first if the registry's route
// were auto, "" if none can be asked now. It asks nobody anything.
func (s *Set) Best(reg *config.Registry) string {
	reg = s.current(reg)
	host := firstHost(reg)
	list := s.enabled(reg, host)
	if origin, err := s.place(reg, nil, host); err == nil {
		list = append(list, origin)
	}
	s.rank(list, false)
	if i := slices.IndexFunc(list, func(p *Place) bool { return p.shared != nil }); i >= 0 && leads(list[i], list) {
		return list[i].Name()
	}
	if len(list) == 0 {
		return ""
	}
	if n, _, _ := list[0].alone(); n == 0 {
		return ""
	}
	return list[0].Name()
}

// mirrorAt is nil for a mirror that is not asked.
func (s *Set) mirrorAt(reg *config.Registry, m *config.Mirror, host string) *Place {
	if !m.Enabled || s.trust.expelled(trustKey(m)) != nil {
		return nil
	}
	p, err := s.place(reg, m, host)
	if err != nil {
		return nil
	}
	return p
}

// lead is the mirror that the route names, if it is one that is asked.
func (s *Set) lead(reg *config.Registry, host string) string {
	reg = s.current(reg)
	m, ok := reg.Mirror(reg.Route)
	if !ok || s.mirrorAt(reg, m, host) == nil {
		return ""
	}
	return m.Name
}

// maxPlaces bounds those kept: hosts under a "*.domain" come from clients.
const maxPlaces = 1024

// identity is what makes two places the same one.
type identity struct {
	registry, hosts, answered, host string
	insecure                        bool
	mirror                          string // "" the origin
}

// place returns the place for these, the same pointer as long as nothing about
// it changes.
func (s *Set) place(reg *config.Registry, m *config.Mirror, host string) (*Place, error) {
	id := identity{reg.Name, strings.Join(reg.Hosts, " "), reg.AnsweredBy, host, reg.Insecure, ""}
	if m != nil {
		id.mirror = m.Name
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.places[id]; p != nil && (m == nil || reflect.DeepEqual(p.mirror, m)) && (p.shared == nil || p.shared == s.tier.now()) {
		return p, nil
	}
	p, err := s.newPlace(reg, m, host)
	if err != nil {
		return nil, err
	}
	if len(s.places) >= maxPlaces {
		clear(s.places)
	}
	s.places[id] = p
	return p, nil
}

// What to expect of a place of which nothing is known here: the origin is as
// good as its operator can make it, and a mirror is not tried before an origin
// that is known to be good.
const (
	guessedOriginRate = 4 << 20
	guessedMirrorRate = 2 << 20
	guessedFirstByte  = 500 * time.Millisecond

	// typical is the size for which places are compared: of a layer, roughly.
	typical = 8 << 20
)

// cost is how long a typical blob takes from the place over one connection, in
// seconds.
func (p *Place) cost() float64 {
	v := p.set.health.peek(p.key)
	rate := v.rate
	if rate == 0 {
		rate = guessedMirrorRate
		if p.mirror == nil {
			rate = guessedOriginRate
		}
	}
	first := cmp.Or(v.first, guessedFirstByte)
	return first.Seconds() + typical/rate
}

// rank sorts by cost, what cannot be used now behind the rest; with byOrder the
// settings' order of mirrors counts before.
func (s *Set) rank(list []*Place, byOrder bool) {
	type score struct {
		out   bool
		order int
		cost  float64
	}
	scores := make(map[*Place]score, len(list))
	for _, p := range list {
		n, _, _ := p.alone()
		scores[p] = score{out: n == 0, cost: p.cost()}
		if byOrder {
			scores[p] = score{n == 0, p.reserve(), p.cost()}
		}
	}
	slices.SortStableFunc(list, func(a, b *Place) int {
		x, y := scores[a], scores[b]
		if x.out != y.out {
			if x.out {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(x.order, y.order), cmp.Compare(x.cost, y.cost))
	})
}
