package fetch

import (
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"time"

	"pulley/proxy/source"
)

// Waits between attempts that bring nothing: 100 ms, doubled, at most 5 s, and a
// random part taken off so that what broke together does not come back together.
const (
	firstWait = 100 * time.Millisecond
	maxWait   = 5 * time.Second
)

// How long a source that broke off is asked only when no other one can be: so
// long, doubled each time, at most a minute.
const (
	firstShun = 2 * time.Second
	maxShun   = time.Minute
)

// maxStuck is how often a source that sends no ranges may end at the byte where it
// ended before: each time costs all that is in front of it.
const maxStuck = 2

// peer is what a run has learned of one source. It is guarded by the run's mu.
type peer struct {
	src     Source
	conns   int           // connections to it
	gone    bool          // not asked again in this run
	whole   bool          // it sends no ranges: one connection, from the start
	ranged  bool          // it does
	asking  int           // requests for a range that are not answered yet
	came    bool          // it has brought a byte
	rate    float64       // bytes a second that one connection brings, 0 unknown
	first   time.Duration // to the first byte, 0 unknown
	largest int64         // longest claim that it has served to its end
	span    time.Duration // how long a request should last at least

	until  time.Time // not before that
	shun   time.Time // before that only if there is no other
	barren int       // connections in a row that brought nothing
	stuck  int       // of them, those that sent all up to the byte where one before them had ended
	broken int       // connections that ended early since one that did not
	spent  bool      // nothing is expected of it: no reason to wait for it
	failed time.Time // when that was last counted
	err    error     // what it last failed with
	liar   bool      // its bytes differ from the origin's
}

// peer needs mu.
func (r *run) peer(src Source) *peer {
	p := r.peers[src]
	if p == nil {
		p = &peer{src: src}
		if c, ok := src.(Counted); ok {
			p.span = c.Span()
		}
		r.peers[src] = p
	}
	return p
}

// verdict says what an error of a source means.
type verdict int

const (
	again  verdict = iota // it may do better next time
	never                 // it has not this blob, or not for us, or lies about it
	asAll                 // its ranges are wrong, the whole may be right
	ending                // no other source can help
)

func judge(p *peer, err error) verdict {
	var sink *sinkError
	var size *SizeError
	var lie *source.LieError
	var cert *tls.CertificateVerificationError
	var status *source.StatusError
	switch {
	case errors.As(err, &sink):
		return ending
	case errors.As(err, &size):
		if p.src.Origin() {
			return ending
		}
		return never
	case errors.As(err, &cert):
		return never
	case errors.As(err, &lie):
		if p.whole {
			return never
		}
		return asAll
	case errors.As(err, &status) && !status.Unknown():
		return never
	}
	return again
}

// lost counts a connection that failed. Those that were open at the same time
// count as one: it takes one cut cable to break them all. Needs mu.
func (r *run) lost(p *peer, v verdict, err error, w *worker) {
	began, brought := w.meter.begun, w.wrote
	now := time.Now()
	p.err, r.last = err, err
	switch v {
	case never:
		p.gone = true
		return
	case asAll:
		p.whole = true
		return
	case again, ending:
	}
	if brought {
		p.barren, p.stuck, p.spent, p.until = 0, 0, false, time.Time{}
	}
	if began.Before(p.failed) {
		return
	}
	p.failed = now
	p.shun = now.Add(min(firstShun<<min(p.broken, 10), maxShun))
	p.broken++
	var unusable *source.UnusableError
	switch {
	case brought: // it was getting somewhere: no wait
		return
	case errors.As(err, &unusable) && unusable.Until.After(now): // it was not even asked
		p.until = unusable.Until
		p.spent = p.until.Sub(now) > r.MaxWait
		return
	}
	p.barren++
	limit := 4
	if p.came {
		limit = 10
	}
	if r.Attempts > 0 {
		limit = r.Attempts
	}
	if w.stuck { // it has less than it announces
		p.stuck++
	}
	if p.stuck >= maxStuck {
		limit = 0
	}
	var status *source.StatusError
	if errors.As(err, &status) && status.RetryAfter > 0 {
		p.until = now.Add(status.RetryAfter)
		p.spent = status.RetryAfter > r.MaxWait || p.barren >= limit
		return
	}
	p.until = now.Add(backoff(p.barren))
	if p.barren >= limit {
		p.spent = true
		p.until = now.Add(r.MaxWait)
	}
}

// backoff is how long to wait after the n-th failure in a row.
func backoff(n int) time.Duration {
	wait := min(firstWait<<min(n-1, 10), maxWait)
	return wait - rand.N(wait/2) //nolint:gosec // no secret
}

// served counts a connection that ended well. Needs mu.
func (p *peer) served(n int64) {
	p.barren, p.stuck, p.broken, p.spent = 0, 0, 0, false
	p.until, p.shun = time.Time{}, time.Time{}
	p.largest = max(p.largest, n)
}

// observed takes note of how fast a connection was for a while. Needs mu.
func (p *peer) observed(rate float64) {
	if p.rate > 0 {
		rate = 0.7*p.rate + 0.3*rate
	}
	p.rate = rate
}

// forget is for another network: how fast it was and what failed says nothing there.
// Needs mu.
func (p *peer) forget() {
	p.rate, p.first, p.largest, p.came = 0, 0, 0, false
	p.until, p.shun, p.failed = time.Time{}, time.Time{}, time.Now()
	p.barren, p.stuck, p.broken, p.spent = 0, 0, 0, false
}
