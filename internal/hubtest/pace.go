package hubtest

import (
	"slices"
	"sync"
	"time"
)

// pacer spreads bytes over time. It is a clock of the link: each piece is sent when its last byte would be through, so
// that N bytes take N/rate from the first on, whatever the pieces are and however many answers share the link. Being late
// (a timer that overslept, a reader that was slow) is made up for, up to a tenth of a second; a link that nobody used has
// nothing to make up for.
type pacer struct {
	mu    sync.Mutex
	next  time.Time // when the link is free
	users int       // answers that share it
}

const paceSlack = 100 * time.Millisecond

func (p *pacer) wait(w *response, n, rate int64) {
	p.mu.Lock()
	now := time.Now()
	if idle := p.join(w); idle && p.next.Before(now) || p.next.Before(now.Add(-paceSlack)) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	d := p.next.Sub(now)
	p.mu.Unlock()
	if d > 0 {
		w.wait(d)
	}
}

// join counts an answer in, and reports whether it is the only one and new. p.mu is held.
func (p *pacer) join(w *response) (idle bool) {
	if slices.Contains(w.paces, p) {
		return false
	}
	w.paces = append(w.paces, p)
	p.users++
	return p.users == 1
}

func (w *response) leavePaces() {
	for _, p := range w.paces {
		p.mu.Lock()
		p.users--
		p.mu.Unlock()
	}
}
