package registry

import (
	"sync"
	"time"
)

// health remembers for a moment which registries could not be reached.
type health struct {
	mu  sync.Mutex
	now func() time.Time
	bad map[string]time.Time
}

// downFor is shorter than anybody waits between two tries by hand.
const downFor = 10 * time.Second

func newHealth(now func() time.Time) *health {
	return &health{now: now, bad: map[string]time.Time{}}
}

func (s *health) failed(registry string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bad[registry] = s.now()
}

func (s *health) succeeded(registry string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.bad, registry)
}

// failing says that a registry could not be reached when it was last tried.
func (s *health) failing(registry string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.bad[registry]
	return ok
}

func (s *health) down(registry string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.bad[registry]
	return ok && s.now().Sub(at) < downFor
}
