package fetch

import (
	"slices"
	"time"
)

// A sink cuts a claim where somebody waits for a byte that is far ahead of what the claim has brought. The request
// that serves it was for more, and what is behind the cut is on its way or in buffers: closed there, the connection has
// brought that in vain. So it goes on with what was cut off, unless that comes too late by it.

const (
	// nearly is for how long a reader may be kept waiting lest bytes be sent twice.
	nearly = time.Second
	// linger is for how long a connection that has come to a cut waits for the claim
	// that was cut off: whoever cut has it in hand.
	linger = 200 * time.Millisecond
	// glance is when to look again at a connection that has not brought a byte yet.
	glance = 20 * time.Millisecond
)

// onward finds the worker that is to go on at off. Else wait is when one may be found that is not now, 0 never, and
// the choice learns what leaving that to another connection costs. Needs mu.
func (r *run) onward(c *choice, off int64, opts []option, now time.Time) (w *worker, wait time.Duration) {
	if w = r.covering(off); w == nil {
		return nil, 0
	}
	rate := w.meter.current(now)
	c.over, c.vain, c.grain = w, r.flying(w, float64(w.asked()-off), rate), min(off-w.from, int64(rate*nearly.Seconds()))
	free := len(r.workers) < r.Connections
	if rate == 0 {
		age := now.Sub(w.meter.begun)
		switch rate = w.expects(opts); {
		case age >= leastGain: // something is wrong with it
			return nil, 0
		case rate == 0:
			return nil, glance
		}
	}
	pos, _ := w.claim.Range()
	eta := float64(off-pos) / rate
	frugal := free && r.wasted+c.vain <= maxWaste*float64(r.size())
	switch {
	case w.meter.silent(now) >= hiccup:
		return nil, 0
	case eta <= leastGain.Seconds(), eta <= nearly.Seconds() && !frugal:
		return w, 0
	case free:
		return nil, 0
	}
	return nil, time.Duration(min(eta-nearly.Seconds(), poll.Seconds()) * float64(time.Second))
}

// covering is the worker that comes to off at the end of what it has, or of a part of that, and has asked for more.
// Needs mu.
func (r *run) covering(off int64) *worker {
	for w := range r.workers {
		if w.claim == nil || w.offered || w.peer.whole || w.ctx.Err() != nil || w.reach >= 0 && w.reach <= off {
			continue
		}
		for _, claim := range append([]Claim{w.claim}, w.queue...) {
			if _, end := claim.Range(); end == off {
				return w
			}
		}
	}
	return nil
}

// asked is the end of what a worker has asked for.
func (w *worker) asked() int64 {
	if w.to < 0 {
		return w.size()
	}
	return w.to
}

// expects is what a worker's source was found, or is said, to bring. Needs mu.
func (w *worker) expects(opts []option) float64 {
	for _, o := range opts {
		if o.peer == w.peer {
			return o.rate
		}
	}
	return w.peer.rate
}

// goOn gives a worker a claim for when it comes there, and reports whether it is still under way.
func (w *worker) goOn(claim Claim) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, there := w.workers[w]; !there {
		return false
	}
	off, end := claim.Range()
	if w.reach >= 0 && (end < 0 || end > w.reach) {
		claim.Limit(w.reach - off)
	}
	i := slices.IndexFunc(w.queue, func(c Claim) bool { at, _ := c.Range(); return at > off })
	if i < 0 { // else it was cut from the middle: somebody waits there, and nearer
		i = len(w.queue)
	}
	w.queue = slices.Insert(w.queue, i, claim)
	return true
}

// onto makes the next of a worker's claims its own, which its body goes on with at byte at, and gives back the one that
// is done; nil if there is none.
func (w *worker) onto(at int64) Claim {
	w.mu.Lock()
	if len(w.queue) == 0 {
		w.mu.Unlock()
		return nil
	}
	next := w.queue[0]
	if off, end := next.Range(); off != at || end == off {
		queue := w.queue
		w.queue = nil
		w.mu.Unlock()
		for _, claim := range queue {
			claim.Release()
		}
		return nil
	}
	done, freed := w.claim, w.freed
	w.queue = w.queue[1:]
	w.hold(next)
	w.mu.Unlock()
	close(freed)
	done.Release()
	return next
}

// limit leaves a worker n more bytes of all that it has. Needs mu.
func (w *worker) limit(n int64) {
	pos, _ := w.claim.Range()
	w.bound(pos + n)
	w.claim.Limit(n)
	for _, claim := range w.queue {
		if off, end := claim.Range(); end < 0 || end > pos+n {
			claim.Limit(max(pos+n-off, 0))
		}
	}
}

// bound says that a worker goes no further than end. Needs mu.
func (w *worker) bound(end int64) {
	if w.reach < 0 || w.reach > end {
		w.reach = end
	}
}
