package daemon

import "sync"

// changes tells those who wait that the state may be another.
type changes struct {
	mu   sync.Mutex
	next chan struct{}
}

// wait is closed at the next tell.
func (c *changes) wait() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = make(chan struct{})
	}
	return c.next
}

func (c *changes) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil {
		close(c.next)
		c.next = nil
	}
}
