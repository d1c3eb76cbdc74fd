package registry

import (
	"sync"
	"time"
)

// seldom says when something was last done.
type seldom struct {
	mu   sync.Mutex
	now  func() time.Time
	last map[string]time.Time
}

func newSeldom(now func() time.Time) *seldom { return &seldom{now: now, last: map[string]time.Time{}} }

const maxSeldom = 4096

// due reports, and takes down, that key was not done for so long.
func (s *seldom) due(key string, every time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if at, ok := s.last[key]; ok && now.Sub(at) < every {
		return false
	}
	if len(s.last) >= maxSeldom {
		clear(s.last)
	}
	s.last[key] = now
	return true
}
