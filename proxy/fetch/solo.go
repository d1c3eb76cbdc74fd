package fetch

import (
	"time"

	"pulley/proxy/source"
)

// A source that sends no ranges serves alone, from the start: asking it for a
// range costs all that is in front of it. So its connection goes on, where that is
// possible, with the claim that follows the one it has served.

// another waits for a claim that goes on at byte at, or further on. Nil: there is
// none, or no need.
func (w *worker) another(b *source.Body, at int64) Claim {
	further := b.Length < 0 || b.Start+b.Length > at
	if further {
		if claim := w.onto(at); claim != nil {
			return claim
		}
	}
	size := w.sink.Size()
	w.mu.Lock()
	p := w.peer
	cut := further && (w.reach < 0 || w.reach > at) && (size < 0 || at < size) && !p.whole
	more := cut || (p.whole || w.loose && !p.ranged && p.asking > 0) && b.Length != 0 && further && (size < 0 || at < size)
	w.mu.Unlock()
	if !more || !cut && w.rangesElsewhere() {
		return nil
	}
	w.mu.Lock()
	if w.idle || w.ctx.Err() != nil {
		w.mu.Unlock()
		return nil
	}
	w.offered, w.at, w.exactly = true, at, cut
	back := w.drop() // not before it is offered: who looks for it in between would find neither
	w.stir()
	w.mu.Unlock()
	back()
	var late <-chan time.Time
	if cut {
		t := time.NewTimer(linger)
		defer t.Stop()
		late = t.C
	}
	select {
	case claim := <-w.next: // nil if it was closed
		return claim
	case <-w.ctx.Done():
	case <-late:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.offered { // too late: it has one
		return <-w.next
	}
	w.offered = false
	return nil
}

// take gives a waiting worker its next claim, and reports whether it was still
// there.
func (w *worker) take(claim Claim) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.offered {
		return false
	}
	w.offered = false
	w.hold(claim)
	w.next <- claim
	return true
}

// home ends a worker's wait. Needs mu.
func (w *worker) home() {
	w.offered = false
	close(w.next)
}

// release sends those home that wait only because nobody knew whether their source
// sends ranges. Needs mu.
func (r *run) release(p *peer) {
	for w := range r.workers {
		if w.offered && w.peer == p {
			w.home()
		}
	}
}

// offer finds a worker that waits for a claim at off, and sends those home that
// are past it, or whose place is needed. Needs mu.
func (r *run) offer(off int64) *worker {
	for w := range r.workers {
		switch {
		case !w.offered:
		case w.at == off || w.at < off && !w.exactly:
			return w
		case w.exactly && len(r.workers) < r.Connections: // its claim may come yet
		default:
			w.home()
		}
	}
	return nil
}
