package model

import (
	"cmp"
	"slices"
	"time"

	"pulley/internal/control"
)

// Lately is how long ago a registry may have been used to be among those that a person is likely to look for.
const Lately = 30 * 24 * time.Hour

// Shelve puts registries used lately first, the last one used at the top, and the others after them as the daemon has them.
// Where none was used lately, the first of all is taken for one: most people mean Docker Hub.
func Shelve(all []control.Registry, now time.Time) (lately, others []control.Registry) {
	for _, r := range all {
		if r.LastUsed != nil && now.Sub(*r.LastUsed) <= Lately {
			lately = append(lately, r)
		} else {
			others = append(others, r)
		}
	}
	slices.SortStableFunc(lately, func(a, b control.Registry) int { return b.LastUsed.Compare(*a.LastUsed) })
	if len(lately) == 0 && len(others) > 0 {
		return others[:1], others[1:]
	}
	return lately, others
}

// Condition is how a source stands, in the one word that matters most.
type Condition int

// Conditions, from what a person must know most to what goes without saying.
const (
	SourceClosed   Condition = iota // it serves the public no more
	SourceOff                       // switched off
	SourceWaits                     // on, and not usable now: Why and Until say more
	SourceSpent                     // on, and its quota is used up
	SourceDiffers                   // usable, and names other digests than the origin
	SourceUnproven                  // usable, and nothing it sent was verified yet
	SourceReady
)

// ConditionOf tells how a source stands.
func ConditionOf(s control.Source) Condition {
	switch {
	case s.Closed != "":
		return SourceClosed
	case !s.Enabled:
		return SourceOff
	case s.Quota > 0 && s.QuotaUsed >= s.Quota:
		return SourceSpent
	case !s.Usable:
		return SourceWaits
	case len(s.Differs) > 0:
		return SourceDiffers
	case !s.Proven && !s.Origin:
		return SourceUnproven
	default:
		return SourceReady
	}
}

// Sources is where all registries' bytes can come from: what the daemon said last, with what a person did since then. For one
// goroutine.
type Sources struct {
	list   []control.Source
	known  bool
	era    int            // counts what a person did and what came of it
	gone   map[Named]bool // removed by a person, whatever the daemon says until it is told
	trials map[Named]Trial
}

// Named is a source of a registry.
type Named struct{ Registry, Name string }

// Trial is a test of a source: under way, or done.
type Trial struct {
	Running bool
	Far     control.MirrorTesting // how far it is
	Report  control.MirrorReport
	Failed  string // why there is no report
}

// Known tells whether the daemon has said anything yet.
func (s *Sources) Known() bool { return s.known }

// Ask is to be called before the daemon is asked for its sources: the answer is then given to Heard with what this returned.
func (s *Sources) Ask() (era int) { return s.era }

// Heard takes the daemon's answer, unless something was done since it was asked: it may not know of that.
func (s *Sources) Heard(era int, list []control.Source) bool {
	if era != s.era {
		return false
	}
	s.list, s.known = list, true
	return true
}

// Done says that something that was done has reached the daemon, or was refused: answers from before are of no use.
func (s *Sources) Done() { s.era++ }

// Of gives a registry's sources: the origin, mirrors in the order of preference, and those that are closed. Without an
// origin, nothing is known of that registry.
func (s *Sources) Of(registry string) (origin *control.Source, open, closed []control.Source) {
	for i, one := range s.list {
		switch {
		case one.Registry != registry, s.gone[Named{one.Registry, one.Name}]:
		case one.Origin:
			origin = &s.list[i]
		case one.Closed != "" && !one.Enabled:
			closed = append(closed, one)
		default:
			open = append(open, one)
		}
	}
	place := func(one control.Source) int {
		if one.Place == 0 {
			return len(s.list) + 1 // the shared store, which is asked by rules of its own
		}
		return one.Place
	}
	slices.SortStableFunc(open, func(a, b control.Source) int { return cmp.Compare(place(a), place(b)) })
	return origin, open, closed
}

// Find finds a source.
func (s *Sources) Find(of Named) (control.Source, bool) {
	i := s.index(of)
	if i < 0 {
		return control.Source{}, false
	}
	return s.list[i], true
}

func (s *Sources) index(of Named) int {
	return slices.IndexFunc(s.list, func(one control.Source) bool { return one.Registry == of.Registry && one.Name == of.Name })
}

// Switch shows a mirror as switched.
func (s *Sources) Switch(of Named, on bool) {
	s.change(func(list []control.Source) []control.Source {
		if i := s.index(of); i >= 0 {
			list[i].Enabled = on
			if on {
				list[i].Usable, list[i].Why, list[i].Until = true, "", nil // until the daemon knows better
			}
		}
		return list
	})
}

// Order shows a registry's mirrors in another order; who is not named keeps its place after them.
func (s *Sources) Order(registry string, names []string) {
	s.change(func(list []control.Source) []control.Source {
		for i := range list {
			if list[i].Registry != registry || list[i].Place == 0 {
				continue
			}
			if at := slices.Index(names, list[i].Name); at >= 0 {
				list[i].Place = at + 1
			} else {
				list[i].Place += len(names)
			}
		}
		return list
	})
}

// Remove shows a mirror as gone until Restore, also when the daemon, which may be told later, still has it.
func (s *Sources) Remove(of Named) {
	if s.gone == nil {
		s.gone = map[Named]bool{}
	}
	s.gone[of] = true
}

// Restore shows a mirror again if there is one.
func (s *Sources) Restore(of Named) { delete(s.gone, of) }

// Removed says what came of a removal: the mirror is gone in earnest, or back.
func (s *Sources) Removed(of Named, gone bool) {
	delete(s.gone, of)
	if gone {
		s.list = slices.DeleteFunc(slices.Clone(s.list), func(one control.Source) bool {
			return one.Registry == of.Registry && one.Name == of.Name && !one.BuiltIn
		})
	}
}

// change works on a copy: the daemon's answers are nobody's to change.
func (s *Sources) change(f func([]control.Source) []control.Source) {
	s.era++
	s.list = slices.Clone(s.list)
	s.list = f(s.list)
}

// Trial is the last test of a source; ok is false where there was none.
func (s *Sources) Trial(of Named) (t Trial, ok bool) {
	t, ok = s.trials[of]
	return t, ok
}

// SetTrial notes how a test stands.
func (s *Sources) SetTrial(of Named, t Trial) {
	if s.trials == nil {
		s.trials = map[Named]Trial{}
	}
	s.trials[of] = t
}

// Speed is a source's speed in bytes a second and its time to the first byte, as its last test found them or as they were
// seen in use; 0 for what is not known.
func (s *Sources) Speed(one control.Source) (rate float64, first time.Duration) {
	t, tested := s.trials[Named{one.Registry, one.Name}]
	switch {
	case tested && t.Running:
		return t.Far.Rate, t.Far.FirstByte
	case tested && t.Report.Reachable && t.Report.Rate > 0:
		return t.Report.Rate, t.Report.FirstByte
	case tested && (t.Failed != "" || !t.Report.Reachable):
		return 0, 0
	default:
		return one.Rate, one.FirstByte
	}
}

// Fastest names the source of a registry with the highest speed among those that are on, and that speed. "" where fewer than
// two are known: one alone is no winner.
func (s *Sources) Fastest(registry string) (name string, rate float64) {
	known := 0
	for _, one := range s.list {
		if one.Registry != registry || !one.Enabled || s.trials[Named{registry, one.Name}].Running {
			continue // what is tested just now will be judged by all of it
		}
		if r, _ := s.Speed(one); r > 0 {
			known++
			if r > rate {
				name, rate = one.Name, r
			}
		}
	}
	if known < 2 {
		return "", rate
	}
	return name, rate
}

// Testable are the sources of a registry that a test of all is about: those that are on.
func (s *Sources) Testable(registry string) (names []string) {
	origin, open, _ := s.Of(registry)
	if origin != nil {
		names = append(names, origin.Name)
	}
	for _, one := range open {
		if one.Enabled {
			names = append(names, one.Name)
		}
	}
	return names
}

// DropTrial forgets the test of a source.
func (s *Sources) DropTrial(of Named) { delete(s.trials, of) }
