package fetch

import "sync"

// A Line is the network that fetches go over. When it becomes another one,
// connections that are open bring nothing more and say nothing of it: NetworkChanged
// has every Run that was given the Line give them up, forget what it learned of how
// its sources do, and go on at the byte over new ones. The zero value is usable. Its
// methods may be called concurrently.
type Line struct {
	mu      sync.Mutex
	changed chan struct{}
}

// NetworkChanged says that this machine has woken up, or is on another network. What
// connections are made with must know of it before.
func (l *Line) NetworkChanged() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// next is closed at the next NetworkChanged. Without a Line there is none.
func (l *Line) next() <-chan struct{} {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}
