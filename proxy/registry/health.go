package registry

import (
	"sync"
	"time"
)

// health remembers for a moment which registries could not be reached.
type health struct {
	mu  sync.Mutex
	now func() time.Time
	bad map[string]failure
}

// failure is when a registry could not be reached, and why.
type failure struct {
	at  time.Time
	why error
}

// downFor is shorter than anybody waits between two tries by hand.
const downFor = 10 * time.Second

// maxFailures bounds those remembered: hosts under a "*.domain" come from clients.
const maxFailures = 1024

func newHealth(now func() time.Time) *health {
	return &health{now: now, bad: map[string]failure{}}
}

func (s *health) failed(registry string, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bad) >= maxFailures {
		clear(s.bad)
	}
	s.bad[registry] = failure{s.now(), why}
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

// down says that a registry could not be reached a moment ago.
func (s *health) down(registry string) bool { return s.why(registry) != nil }

// why is the reason why down is true, nil if it is not.
func (s *health) why(registry string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.bad[registry]
	if !ok || s.now().Sub(f.at) >= downFor {
		return nil
	}
	return &downError{f.why}
}

// downError says that a registry was left alone because of what it failed with a
// moment ago, which was not the answer to this.
type downError struct{ why error }

func (e *downError) Error() string {
	return "the registry could not be reached a moment ago: " + e.why.Error()
}
