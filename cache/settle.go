package cache

import (
	"sync"
)

// settling serialises what happens to one digest: hashing, storing, beginning a
// download, evicting.
type settling struct {
	mu   sync.Mutex
	refs int
	runs int // hash runs begun
}

// settle takes the lock of k; the result lets it go.
func (c *Cache) settle(k key) (release func()) {
	_, _, release = c.settleCounted(k)
	return release
}

// settleCounted is settle; arrived is how many hash runs had begun before the
// caller came, for whoever may use the result of a later one.
func (c *Cache) settleCounted(k key) (s *settling, arrived int, release func()) {
	c.mu.Lock()
	s = c.settling[k]
	if s == nil {
		s = &settling{}
		c.settling[k] = s
	}
	s.refs++
	arrived = s.runs
	c.mu.Unlock()
	s.mu.Lock()
	return s, arrived, func() { c.unsettle(k, s) }
}

// trySettle is settle for those who can do without.
func (c *Cache) trySettle(k key) (release func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.settling[k] != nil {
		return nil, false
	}
	s := &settling{refs: 1}
	s.mu.Lock()
	c.settling[k] = s
	return func() { c.unsettle(k, s) }, true
}

func (c *Cache) unsettle(k key, s *settling) {
	s.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.refs--; s.refs == 0 {
		delete(c.settling, k)
	}
}
