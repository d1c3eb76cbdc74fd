package fetch

import "time"

const (
	// farSlower is how many times faster the best must be for a source to get
	// nothing more.
	farSlower = 10
	// hedge is how long the first connection of a fetch may be without an answer
	// before the next source is tried too. Until then nobody knows whether the
	// blob is there at all.
	hedge = time.Second
	// lead is how long the first connection that is answered has its source, and
	// this machine, to itself: whoever waits for the first byte is not to wait for
	// the handshakes of all the others, too. It ends sooner with leadBytes.
	lead      = 10 * time.Millisecond
	leadBytes = 256 << 10
	// poll is how often a source that cannot be used now is looked at again.
	poll = 500 * time.Millisecond
)

// option is a listed source that is not gone.
type option struct {
	*peer
	most int // connections it may have now
	tier int
	rate float64 // of one connection: seen in this run, else expected; 0 unknown
	show bool    // its bytes may be shown at once
}

func (o option) able() bool { return o.most > 0 }

// room reports whether it may have another connection. Until it is known to send
// ranges, one is asked for at a time: if it does not, it sends the whole blob to
// each.
func (o option) room() bool {
	return o.conns < o.most && (!o.whole || o.conns == 0) && (o.ranged || o.asking == 0)
}

// choice is what becomes of a claim: a peer to open a connection to, a worker that
// goes on, now (solo) or later (onward), an error that ends the run, or a wait.
type choice struct {
	peer    *peer
	share   float64 // of what all connections bring together, that one to peer brings
	rate    float64 // what it brings, 0 unknown
	solo    *worker
	exactly bool // solo waits for this claim
	err     error
	wait    time.Duration
	news    <-chan struct{} // ends the wait earlier

	onward *worker // that goes on, with peer nil, when it comes there
	over   *worker // that asked for it before peer was to
	vain   float64 // bytes that are sent in vain for the sake of peer
	grain  int64   // how long claims should have been to need that not
}

// look asks for the sources as of now. They are peers only after meet.
func (r *run) look() []option {
	list := r.sources.List()
	opts := make([]option, 0, len(list))
	for _, src := range list {
		opts = append(opts, option{
			most: src.Connections(), tier: src.Tier(), rate: src.Rate(), show: src.Origin() || src.Proven(),
			peer: &peer{src: src},
		})
	}
	return opts
}

// meet is what the run knows of them by now, without those that are gone. Needs mu, which look must not have.
func (r *run) meet(opts []option) []option {
	kept := opts[:0]
	for _, o := range opts {
		o.peer = r.peer(o.src)
		if o.gone {
			continue
		}
		if o.peer.rate > 0 {
			o.rate = o.peer.rate
		}
		kept = append(kept, o)
	}
	return kept
}

// ready returns those that can be asked now, without those that only just failed
// if there are others. Needs mu.
func ready(opts []option, now time.Time) []option {
	var good, poor []option
	for _, o := range opts {
		switch {
		case !o.able() || now.Before(o.until):
		case now.Before(o.shun):
			poor = append(poor, o)
		default:
			good = append(good, o)
		}
	}
	if len(good) > 0 {
		return good
	}
	return poor
}

func lowest(opts []option) (tier int, ok bool) {
	for i, o := range opts {
		if i == 0 || o.tier < tier {
			tier = o.tier
		}
	}
	return tier, len(opts) > 0
}

// only keeps the options that f is true for.
func only(opts []option, f func(option) bool) []option {
	var kept []option
	for _, o := range opts {
		if f(o) {
			kept = append(kept, o)
		}
	}
	return kept
}

// choose finds who serves a claim.
func (r *run) choose(claim Claim) choice {
	opts := r.look()
	off, _ := claim.Range()
	wide := r.wide()
	show := wide || r.size() < 0
	r.mu.Lock()
	defer r.mu.Unlock()
	opts = r.meet(opts)
	now := time.Now()
	c := choice{wait: poll, news: r.news}
	if w := r.offer(off); w != nil {
		c.solo, c.exactly = w, w.exactly
		return c
	}
	cands := ready(opts, now)
	if len(cands) == 0 {
		c.wait, c.err = r.drought(opts, now)
		return c
	}
	r.dry = time.Time{}
	on, look := r.onward(&c, off, opts, now)
	if look > 0 {
		c.wait = min(c.wait, look)
	}
	switch {
	case on != nil:
		c.onward = on
		return c
	case len(r.workers) >= r.Connections:
		r.squeeze()
		return c
	case look > 0:
		return c
	}
	cands = r.fitting(cands)
	free := only(cands, option.room)
	switch {
	case len(free) == 0:
	case len(r.workers) == 0:
		c.peer = first(free, cands, show)
	case r.answered.IsZero():
		// Nobody knows yet whether there is anything to be had.
		if free = only(free, func(o option) bool { return o.conns == 0 }); len(free) > 0 {
			if c.wait = r.opened.Add(hedge).Sub(now); c.wait <= 0 {
				c.peer, c.wait = first(free, cands, show), poll
			}
		}
	case !wide:
		c.peer = first(free, cands, show)
	default:
		if c.wait = r.leads(now); c.wait <= 0 {
			c.peer, c.wait = best(free, cands), poll
		}
	}
	if c.peer != nil {
		c.rate, c.share = r.share(c.peer, cands)
	}
	return c
}

// leads is for how long the only connection that there is still has its lead, if it
// is the first of this run that was answered; 0 or less: it has none. Needs mu.
func (r *run) leads(now time.Time) time.Duration {
	for w := range r.workers {
		if len(r.workers) == 1 && w.meter.bytes.Load() < leadBytes {
			return r.answered.Add(lead).Sub(now)
		}
	}
	return 0
}

// share is what a connection to p is expected to bring, in bytes a second and as a
// part of what all will bring together. Needs mu.
func (r *run) share(p *peer, cands []option) (rate, part float64) {
	slots, sum, known := 0, 0.0, 0
	for _, o := range cands {
		slots += o.most
		if o.peer == p {
			rate = o.rate
		}
		if n := max(o.conns, 1); o.rate > 0 {
			sum, known = sum+o.rate*float64(n), known+n
		}
	}
	slots = max(min(slots, r.Connections), 1)
	if rate == 0 || known == 0 {
		return rate, 1 / float64(slots)
	}
	return rate, min(rate/(sum/float64(known)*float64(slots)), 1)
}

// fitting keeps those of the lowest tier, and those without ranges only if there
// are no others.
func (r *run) fitting(opts []option) []option {
	tier, _ := lowest(opts)
	opts = only(opts, func(o option) bool { return o.tier == tier })
	if ranged := only(opts, func(o option) bool { return !o.whole }); len(ranged) > 0 {
		return ranged
	}
	return opts
}

// drought says how long to wait while no source can be asked, or why not to.
// Needs mu.
func (r *run) drought(opts []option, now time.Time) (time.Duration, error) {
	if r.dry.IsZero() {
		r.dry = now
	}
	wait, hope := poll, false
	for _, o := range opts {
		switch {
		case o.spent:
		case now.Before(o.until):
			if d := o.until.Sub(now); !hope || d < wait {
				wait = d
			}
			hope = true
		case now.Sub(r.dry) < r.MaxWait: // it may be let in again
			wait, hope = min(wait, poll), true
		}
	}
	switch {
	case hope:
		return wait, nil
	case len(r.workers) > 0: // which may yet bring it all
		return poll, nil
	}
	return 0, r.verdict()
}

// verdict is the error of a run that has nobody left to ask. Needs mu.
func (r *run) verdict() error {
	for _, p := range r.peers {
		if p.src.Origin() && p.err != nil {
			return p.err
		}
	}
	if r.last != nil {
		return r.last
	}
	return ErrNoSource
}

// first is the most preferred one. Show: of those whose bytes may be shown, if there
// are any. Whoever waits for a large blob gets its front at once then, and a size
// is not believed of a stranger.
func first(free, all []option, show bool) *peer {
	fast := swift(free, all)
	if shown := only(fast, func(o option) bool { return o.show }); show && len(shown) > 0 {
		return shown[0].peer
	}
	if len(fast) > 0 {
		return fast[0].peer
	}
	return free[0].peer
}

// swift leaves out those known to be far slower than the best.
func swift(free, all []option) []option {
	top := 0.0
	for _, o := range all {
		top = max(top, o.rate)
	}
	return only(free, func(o option) bool { return o.rate == 0 || o.rate*farSlower >= top })
}

// best is the one that another connection is worth most to: one that has none yet
// and may be fast; else whoever is fastest by what each further connection to it
// has brought so far. Nil: none is worth it.
func best(free, all []option) *peer {
	fast := swift(free, all)
	for _, o := range fast {
		if o.conns == 0 && o.peer.rate == 0 {
			return o.peer
		}
	}
	mean, n := 0.0, 0
	for _, o := range all {
		if o.rate > 0 {
			mean, n = mean+o.rate, n+1
		}
	}
	if n > 0 {
		mean /= float64(n)
	}
	var top *peer
	most := -1.0
	for _, o := range fast {
		rate := o.rate
		if rate == 0 {
			if !o.came && len(all) > 1 { // it has not brought a byte
				continue
			}
			rate = mean
		}
		if score := rate / float64(o.conns+1); score > most {
			top, most = o.peer, score
		}
	}
	return top
}
