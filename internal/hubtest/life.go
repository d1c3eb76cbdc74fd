package hubtest

import "sync"

// life is what a hub has left to send before it dies, shared by all answers of a rule.
type life struct {
	reset bool // it ends with RST

	mu    sync.Mutex
	moved sync.Cond // something below changed
	left  int64     // to be sent
	lent  int64     // of that, being sent
	dying bool      // somebody has been told to take the hub down
	over  bool      // and has; what comes after Up lives on
}

func newLife(n int64, reset bool) *life {
	l := &life{left: n, reset: reset}
	l.moved.L = &l.mu
	return l
}

// take lends up to n bytes, waiting for those that others are sending. 0 says that the end has come; who is told last takes
// the hub down.
func (l *life) take(n int64) (lent int64, last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch free := l.left - l.lent; {
		case l.over:
			return 0, false
		case free > 0:
			n = min(n, free)
			l.lent += n
			return n, false
		case l.left == 0 && !l.dying:
			l.dying = true
			return 0, true
		}
		l.moved.Wait()
	}
}

// spend settles what was lent.
func (l *life) spend(lent, sent int64) (last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lent -= lent
	l.left -= sent
	l.moved.Broadcast()
	last = l.left == 0 && !l.dying
	l.dying = l.dying || last
	return last
}

func (l *life) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

func (l *life) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.moved.Broadcast()
}
