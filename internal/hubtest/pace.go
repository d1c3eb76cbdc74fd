package hubtest

import (
	"sync"
	"time"
)

// pacer spreads the bytes of a connection over time. It is a clock of the link: each piece is sent when its last byte
// would be through, so that N bytes take N/rate from the first on, whatever the pieces are. Being late (a timer that
// overslept, a reader that was slow) is made up for, up to a tenth of a second.
type pacer struct {
	mu   sync.Mutex
	next time.Time // when the link is free
}

const paceSlack = 100 * time.Millisecond

func (p *pacer) wait(w *response, n, rate int64) {
	p.mu.Lock()
	now := time.Now()
	start := w.wrote == 0
	if p.next.Before(now.Add(-paceSlack)) || start && p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	d := p.next.Sub(now)
	p.mu.Unlock()
	if d > 0 {
		w.wait(d)
	}
}
