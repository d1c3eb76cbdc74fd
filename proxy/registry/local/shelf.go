package local

import (
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// keepFor is how long something that no manifest points at stays in a repository:
// pushes and pulls of several layers take their time.
const keepFor = time.Hour

// shelf is what is in repositories without a manifest that points at it: layers
// whose manifest is to come, which are not evicted meanwhile; and what was deleted
// or has lost its tag, for those who are pulling it, unless room is needed. It is in
// memory: after a restart a push starts over.
type shelf struct {
	now  func() time.Time
	hold func(digest.Digest) (release func())

	mu sync.Mutex
	on map[place]*held
}

type place struct {
	cache.Name
	digest.Digest
}

type held struct {
	release func() // nil: it may be evicted
	until   time.Time
}

// put adds something that is not to be evicted, or keeps it for longer.
func (s *shelf) put(n cache.Name, d digest.Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.linger(n, d)
	if h.release == nil {
		h.release = s.hold(d)
	}
}

// leave adds something that may be evicted.
func (s *shelf) leave(n cache.Name, d digest.Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.linger(n, d)
}

// linger needs mu.
func (s *shelf) linger(n cache.Name, d digest.Digest) *held {
	h := s.on[place{n, d}]
	if h == nil {
		h = &held{}
		s.on[place{n, d}] = h
	}
	h.until = s.now().Add(keepFor)
	return h
}

// has reports whether something is there.
func (s *shelf) has(n cache.Name, d digest.Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.on[place{n, d}]
	return h != nil && s.now().Before(h.until)
}

// any reports whether there is anything of a repository.
func (s *shelf) any(n cache.Name) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, h := range s.on {
		if p.Name == n && s.now().Before(h.until) {
			return true
		}
	}
	return false
}

// take takes something away.
func (s *shelf) take(n cache.Name, d digest.Digest) {
	s.takeIf(func(p place, _ *held) bool { return p == place{n, d} }, place{n, d})
}

// sweep takes away what nobody came back for.
func (s *shelf) sweep() {
	now := s.now()
	s.takeIf(func(_ place, h *held) bool { return !now.Before(h.until) })
}

func (s *shelf) clear() { s.takeIf(func(place, *held) bool { return true }) }

// takeIf looks at some, or at all if none is named.
func (s *shelf) takeIf(gone func(place, *held) bool, some ...place) {
	var release []func()
	s.mu.Lock()
	look := func(p place, h *held) {
		if h != nil && gone(p, h) {
			delete(s.on, p)
			if h.release != nil {
				release = append(release, h.release)
			}
		}
	}
	for _, p := range some {
		look(p, s.on[p])
	}
	if len(some) == 0 {
		for p, h := range s.on {
			look(p, h)
		}
	}
	s.mu.Unlock()
	for _, f := range release {
		f()
	}
}
