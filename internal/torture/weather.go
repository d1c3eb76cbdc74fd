//go:build linux

package main

import (
	"sync"
	"time"
)

// what kind of thing is made to fail.
type kind int

const (
	failing kind = iota // the origin may not answer, or not well
	stale               // it did, lately: what a tag stands for may be what it said last
	lying               // wrong bytes may come from upstream
	dying               // the daemon is, or may be, killed
	sick                // the disk cannot be relied on
	jumpy               // its clock is set
	off                 // Pulley is switched off
	rough               // the origin breaks off what somebody who has kept the beginning can go on with
	kinds
)

var kindNames = [...]string{"failing", "stale", "lying", "dying", "sick", "jumpy", "off", "rough"}

func (k kind) String() string { return kindNames[k] }

// weather is when what was made to fail. Nothing else excuses anything.
type weather struct {
	mu     sync.Mutex
	spells [kinds][]spell
}

// spell is from when until when; zero: it lasts.
type spell struct{ from, to time.Time }

// set begins a spell, or ends it some time from now: what the daemon remembers of it is part of it.
func (s *weather) set(k kind, on bool, after time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.spells[k]
	open := len(list) > 0 && list[len(list)-1].to.IsZero()
	switch {
	case on && !open:
		s.spells[k] = append(list, spell{from: time.Now()})
	case !on && open:
		list[len(list)-1].to = time.Now().Add(after)
	}
}

// during says that there was such a spell at any time of an interval.
func (s *weather) during(k kind, from, to time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.spells[k]) - 1; i >= 0; i-- {
		one := s.spells[k][i]
		if one.from.Before(to) && (one.to.IsZero() || one.to.After(from)) {
			return true
		}
	}
	return false
}

// now says that there is one.
func (s *weather) now(k kind) bool { t := time.Now(); return s.during(k, t.Add(-time.Nanosecond), t) }
