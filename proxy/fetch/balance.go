package fetch

import "time"

const (
	// tick is how often the connections are looked at.
	tick = 100 * time.Millisecond
	// hungry is for how long nothing was left to claim before a straggler's rest
	// is given to another connection.
	hungry = 20 * time.Millisecond
	// leastGain, and a fifth of the time that is left, must be saved by it.
	leastGain = 200 * time.Millisecond
	// leastMove is the least that is worth a request for less than a second.
	leastMove = 64 << 10
	// rescue is how many seconds must be saved for it to be done although enough
	// was sent in vain, if it is cheap.
	rescue = 2
	cheap  = 1 << 20
	// crawl is how long a claim may still take on a connection that is far slower
	// than another: the rest is somebody else's.
	crawl = 5 * time.Second
	// hiccup is how long a connection may be so slow.
	hiccup = time.Second
	// maxWaste is which part of the blob may be sent in vain for the sake of
	// speed.
	maxWaste = 0.015
	// buffered and mostBuffered are how much of what a connection brings lies in
	// buffers on the way, in seconds and in bytes at most: systems let a receive
	// buffer grow to a few mebibytes.
	buffered     = 0.4
	mostBuffered = 6 << 20
)

// mind looks after the connections until the run ends.
func (r *run) mind() {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case now := <-t.C:
			r.hush(now)
			r.trim(now)
			if r.wide() {
				r.balance(now)
			}
		case <-r.ctx.Done():
			return
		}
	}
}

// hush gives up connections that were silent for long when somebody else could
// bring what they should.
func (r *run) hush(now time.Time) {
	if !r.anySilent(now) {
		return
	}
	opts := r.look()
	r.mu.Lock()
	defer r.mu.Unlock()
	opts = r.meet(opts)
	tiers := map[*peer]int{}
	for _, o := range opts {
		tiers[o.peer] = o.tier
	}
	can := ready(opts, now)
	for w := range r.workers {
		silent := w.meter.silent(now)
		if w.offered || silent < r.Patience {
			continue
		}
		for _, o := range can {
			if o.peer != w.peer && !o.whole && (o.tier <= tiers[w.peer] || silent >= 3*r.Patience) {
				w.cancel(ErrStalled)
			}
		}
		for other := range r.workers {
			if other.peer == w.peer && !w.peer.whole && other.meter.bytes.Load() > 0 && other.meter.silent(now) < r.Patience/2 {
				w.cancel(ErrStalled)
			}
		}
	}
}

func (r *run) anySilent(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.workers {
		if !w.offered && w.meter.silent(now) >= r.Patience {
			return true
		}
	}
	return false
}

// trim cuts the claims of connections that turn out to be far slower than others,
// or than another source is expected to be: what is in front of the blob is waited
// for.
func (r *run) trim(now time.Time) {
	top := r.expected(now)
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.workers {
		top = max(top, w.meter.rate)
	}
	for w := range r.workers {
		rate := w.meter.current(now)
		left, ok := r.left(w)
		if !ok || rate == 0 || rate*farSlower >= top {
			w.slow = time.Time{}
			continue
		}
		if w.slow.IsZero() {
			w.slow = now
		}
		if now.Sub(w.slow) >= hiccup && float64(left) > rate*crawl.Seconds() {
			w.shorten(int64(rate))
			w.peer.rate = r.pace(w.peer, now)
		}
	}
}

// expected is how fast a connection to a source would be that none goes to, when
// those that there are have had time to show what they can do; else 0.
func (r *run) expected(now time.Time) (rate float64) {
	r.mu.Lock()
	young := now.Sub(r.opened) < crawl || len(r.workers) == 0
	r.mu.Unlock()
	if young {
		return 0
	}
	opts := r.look()
	r.mu.Lock()
	defer r.mu.Unlock()
	opts = r.meet(opts)
	for _, o := range r.fitting(ready(opts, now)) {
		if o.conns == 0 {
			rate = max(rate, o.rate)
		}
	}
	return rate
}

// pace is what the best of a source's connections brings now. Needs mu.
func (r *run) pace(p *peer, now time.Time) (rate float64) {
	for w := range r.workers {
		if w.peer == p {
			rate = max(rate, w.meter.current(now))
		}
	}
	return rate
}

// shorten leaves a worker n more bytes of its claim; if that is hardly anything it
// is given up. Needs mu.
func (w *worker) shorten(n int64) {
	if n < leastMove/2 {
		w.cancel(errSlow)
		return
	}
	w.limit(n)
}

// left is how much a worker has still to bring; not ok if it cannot be helped.
// Needs mu.
func (r *run) left(w *worker) (n int64, ok bool) {
	if w.offered || w.claim == nil || w.peer.whole {
		return 0, false
	}
	pos, end := w.claim.Range()
	if n := len(w.queue); n > 0 {
		_, end = w.queue[n-1].Range()
	}
	if end < 0 {
		end = r.sink.Size()
	}
	return end - pos, end > pos
}

// balance gives a part of what the slowest connection has still to bring to one
// that is not needed elsewhere, if the whole ends clearly sooner that way.
func (r *run) balance(now time.Time) {
	r.mu.Lock()
	free := !r.starving.IsZero() && now.Sub(r.starving) >= hungry && len(r.workers) > 0 && len(r.workers) < r.Connections
	r.mu.Unlock()
	if !free {
		return
	}
	opts := r.look()
	r.mu.Lock()
	defer r.mu.Unlock()
	opts = r.meet(opts)
	cands := r.fitting(ready(opts, now))
	helper := best(only(cands, func(o option) bool { return o.room() && !o.whole }), cands)
	if helper == nil {
		return
	}
	speed := 0.0
	for _, o := range cands {
		if o.peer == helper {
			speed = o.rate
		}
	}
	setup := max(helper.first, tick)
	var late *worker
	var longest float64
	for w := range r.workers {
		if eta, ok := r.eta(w, speed, now); ok && eta > longest {
			late, longest = w, eta
		}
	}
	if late == nil {
		return
	}
	if late.meter.bytes.Load() == 0 {
		if now.Sub(late.meter.begun) > max(time.Second, 3*setup) && (late.peer != helper || helper.rate > 0) {
			late.cancel(errSlow)
		}
		return
	}
	r.split(late, speed, setup, now)
}

// eta is in how many seconds a worker will have brought what it should. Needs mu.
func (r *run) eta(w *worker, speed float64, now time.Time) (float64, bool) {
	left, ok := r.left(w)
	if !ok {
		return 0, false
	}
	rate := w.meter.current(now)
	if rate > 0 {
		return float64(left) / rate, true
	}
	if w.peer.rate > 0 {
		speed = w.peer.rate
	}
	if speed <= 0 {
		return 0, false
	}
	return now.Sub(w.meter.begun).Seconds() + float64(left)/speed, true
}

// split leaves a worker as much as it brings until a helper of that speed would be
// done with the rest. Needs mu.
func (r *run) split(w *worker, speed float64, setup time.Duration, now time.Time) {
	left, _ := r.left(w)
	rate := w.meter.current(now)
	if speed <= 0 || rate <= 0 {
		return
	}
	keep := (setup.Seconds() + float64(left)/speed) / (1/rate + 1/speed)
	gain := (float64(left) - keep) / rate
	moved := float64(left) - keep
	if moved < leastMove && gain < 1 || gain < max(leastGain.Seconds(), float64(left)/rate/5) {
		return
	}
	// What is on its way to a connection that is closed was sent in vain.
	flying := r.flying(w, moved, rate)
	if r.wasted+flying > maxWaste*float64(r.size()) && (gain < rescue || flying > cheap) {
		return
	}
	r.wasted += flying
	w.shorten(int64(keep))
}

// flying is how much is sent in vain when a connection of that rate is closed
// which has asked for more bytes. Needs mu.
func (r *run) flying(w *worker, more, rate float64) float64 {
	return min(more, leastMove+rate*w.peer.first.Seconds()+min(rate*buffered, mostBuffered))
}
