package fetch_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pulley/proxy/fetch"
	"pulley/proxy/source"
)

// A mirror flips a byte, early or late, proven or not, alone or beside others: it
// is named, what it brought is replaced, and nothing is committed wrong.
func TestLiarIsNamed(t *testing.T) {
	const size = 32 * mib
	for name, at := range map[string]func(int64) bool{
		"early": func(off int64) bool { return off < mib && off%1000 == 7 },
		"late":  func(off int64) bool { return off > size-2*mib && off%1000 == 7 },
		"all":   func(off int64) bool { return off%50_000 == 7 },
	} {
		for _, proven := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", proven), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					all, src := fours(blob(size), mib)
					for _, f := range all[1:] {
						f.lie, f.proven = at, proven // whoever brings that place
					}
					s, m := these(src[1], src[0], src[2], src[3]), newMemory(blob(size))
					if err := fetch.Run(t.Context(), s, m, fetch.Options{Connections: 8, Hint: size}); err != nil {
						t.Fatal(err)
					}
					m.verify(t)
					if len(s.liars) == 0 && name == "all" {
						t.Error("nobody was named")
					}
					for who, span := range s.liars {
						if span[0] < 0 || span[1] > size || span[0] >= span[1] || who == "origin" {
							t.Errorf("%s lied in %v", who, span)
						}
						if s.proved[who] > 0 || m.by(who) > 0 {
							t.Errorf("%s lied, proved %d, bytes left %d", who, s.proved[who], m.by(who))
						}
					}
					if name == "all" && len(s.liars) != 3 {
						t.Errorf("named are %v", s.liars)
					}
					for _, f := range all {
						if f.origin || proven || m.by(f.name) == 0 {
							continue
						}
						for _, p := range m.Provenance() {
							if p.Source == f.name && !p.Withheld {
								t.Errorf("shown: %v", p)
							}
						}
					}
				})
			})
		}
	}
}

// Only the one who lied is named, and once it is found nobody else's bytes are
// fetched again: those who have proved nothing are doubted first.
func TestOnlyTheLiarIsNamed(t *testing.T) {
	const size = 32 * mib
	synctest.Test(t, func(t *testing.T) {
		all, src := fours(blob(size), mib)
		all[2].proven = false
		all[2].lie = func(off int64) bool { return off%50_000 == 7 }
		s, m := these(src...), newMemory(blob(size))
		var shown []fetch.Part
		m.wrote = func(c *claim) {
			if c.src == "b" && !c.withhold || c.src != "b" && c.withhold {
				shown = append(shown, fetch.Part{Source: c.src})
			}
		}
		if err := fetch.Run(t.Context(), s, m, fetch.Options{Connections: 8, Hint: size}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		if len(s.liars) != 1 || s.liars["b"][1] == 0 || m.commits != 2 {
			t.Errorf("named are %v after %d commits", s.liars, m.commits)
		}
		if s.proved["a"] != 1 || s.proved["c"] != 1 || s.proved["b"] != 0 || len(shown) > 0 {
			t.Errorf("proved: %v; wrongly shown or withheld: %v", s.proved, shown)
		}
		if m.amended > size/2 {
			t.Errorf("%d bytes were fetched again", m.amended)
		}
	})
}

// A small blob of a liar alone.
func TestLiarOfASmallBlob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, a := one(blob(1000)), &fake{name: "a", truth: blob(1000)}
		o.closed.Store(true) // so that a is asked
		time.AfterFunc(time.Second, func() { o.closed.Store(false) })
		a.lie = func(off int64) bool { return off == 999 }
		a.latency = 2 * time.Second
		s, m := these(a, o), newMemory(blob(1000))
		if err := fetch.Run(t.Context(), s, m, fetch.Options{}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		if s.liars["a"] != [2]int64{0, 1000} || len(s.proved) != 1 || s.proved["origin"] != 1 {
			t.Errorf("named are %v, proved %v", s.liars, s.proved)
		}
	})
}

// What a run of earlier left behind is doubted as well, and nobody is named for
// it who is not there.
func TestBytesOfNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := one(blob(mib))
		s, m := these(o), newMemory(blob(mib))
		m.parts = []fetch.Part{{Off: 1000, End: 5000, Withheld: true}, {Off: 5000, End: 6000, Source: "gone", Withheld: true}}
		copy(m.data[5000:], blob(mib)[5000:6000])
		if err := fetch.Run(t.Context(), s, m, fetch.Options{}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		if len(s.liars) != 0 || m.amended != 4000 && m.amended != 5000 {
			t.Errorf("named are %v, amended %d", s.liars, m.amended)
		}
	})
}

// The origin goes in the middle of the inquiry: nothing is committed, and the
// error says that the bytes are wrong. What was found by then is told.
func TestOriginGoneDuringInquiry(t *testing.T) {
	const size = 32 * mib
	for name, breaks := range map[string]func(o *fake, s *fakes){
		"resets":  func(o *fake, _ *fakes) { o.refuse = func(int, int64) error { return errReset } },
		"says no": func(o *fake, _ *fakes) { o.refuse = func(int, int64) error { return &source.StatusError{Status: 404} } },
		"offline": func(o *fake, s *fakes) { s.set(without(s.List(), o)...) },
		"too busy": func(o *fake, _ *fakes) {
			o.refuse = func(int, int64) error { return &source.StatusError{Status: 429, RetryAfter: time.Hour} }
		},
		"silent": func(o *fake, _ *fakes) { o.latency = 24 * time.Hour },
		"dies":   func(o *fake, _ *fakes) { o.die = func(n int, _ int64) int64 { return 0 } },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all, src := fours(blob(size), mib)
				all[3].lie = func(off int64) bool { return off%50_000 == 7 }
				s := these(src...)
				m := newMemory(blob(size))
				m.wrongly = func() { breaks(all[0], s) }
				err := fetch.Run(t.Context(), s, m, fetch.Options{Connections: 8, Hint: size})
				if !errors.Is(err, fetch.ErrDigest) {
					t.Errorf("got %v", err)
				}
				if len(s.proved) > 0 || len(s.liars) > 0 {
					t.Errorf("proved %v, named %v", s.proved, s.liars)
				}
				m.verify(t, nothing)
			})
		})
	}
}

// It comes back in time: the inquiry goes on at the byte.
func TestInquirySurvivesCuts(t *testing.T) {
	const size = 32 * mib
	for _, plain := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			all, src := fours(blob(size), mib)
			for _, f := range all[1:] {
				f.lie = func(off int64) bool { return off%50_000 == 7 }
			}
			s, m := these(src...), newMemory(blob(size))
			m.wrongly = func() {
				all[0].die = func(n int, _ int64) int64 { return []int64{0, 1000, mib, -1}[n%4] }
				all[0].plain = plain
				if plain {
					all[0].die = func(n int, _ int64) int64 { return int64(n%3+1) * 16 * mib }
				}
			}
			if err := fetch.Run(t.Context(), s, m, fetch.Options{Connections: 8, Hint: size}); err != nil {
				t.Fatal(err)
			}
			m.verify(t)
			if len(s.liars) != 3 {
				t.Errorf("named are %v", s.liars)
			}
		})
	}
}

// All from the origin, and wrong: that is that.
func TestOriginIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, src := fours(blob(mib), mib)
		for _, f := range all {
			f.lie = func(off int64) bool { return off == 1000 }
		}
		for _, list := range [][]fetch.Source{src[:1], {src[1], src[0]}} {
			s, m := these(list...), newMemory(blob(mib))
			if err := fetch.Run(t.Context(), s, m, fetch.Options{}); !errors.Is(err, fetch.ErrDigest) {
				t.Errorf("got %v", err)
			}
			if len(s.liars) > 0 || len(s.proved) > 0 || m.commits != len(list) {
				t.Errorf("named are %v after %d commits", s.liars, m.commits)
			}
		}
	})
}

// The disk fails during the inquiry: that is the error.
func TestSinkFailsDuringInquiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, a := one(blob(mib)), &fake{name: "a", truth: blob(mib), proven: true}
		a.lie = func(off int64) bool { return off == 1000 }
		s, m := these(a, o), newMemory(blob(mib))
		m.wrongly = func() { m.broken = errFull }
		if err := fetch.Run(t.Context(), s, m, fetch.Options{}); !errors.Is(err, errFull) || errors.Is(err, fetch.ErrDigest) {
			t.Errorf("got %v", err)
		}
	})
}
