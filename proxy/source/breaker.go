package source

import "time"

// The breaker of a place opens after breakAfter failures in a row, for pauses
// that double from breakFirst to breakMost. When one is over, a single trial is
// let through: it closes the breaker or begins the next pause. Two failures,
// since one is what a reset connection gives; ten minutes at most, since a
// laptop that has moved should not wait longer for a mirror that is back.
const (
	breakAfter = 2
	breakFirst = 5 * time.Second
	breakMost  = 10 * time.Minute

	// trialLength is how long a trial may take before another may be made: the
	// one that made it may have left with its client.
	trialLength = time.Minute
)

// breaker is one place's; whoever holds the health's lock uses it.
type breaker struct {
	fails int
	pause time.Duration
	until time.Time
	trial time.Time // when the trial under way began
	why   string
	kind  string // of that, one of cause.Kinds; "" none of them
}

// allows is how many connections may be opened: 0, 1 (a trial) or unlimited.
func (b *breaker) allows(now time.Time) int {
	switch {
	case b.fails < breakAfter:
		return unlimited
	case now.Before(b.until), !b.trial.IsZero() && now.Sub(b.trial) < trialLength:
		return 0
	}
	return 1
}

// begin tells that a connection is opened.
func (b *breaker) begin(now time.Time) {
	if b.fails >= breakAfter {
		b.trial = now
	}
}

// abandon tells that it came to nothing for reasons of ours.
func (b *breaker) abandon() { b.trial = time.Time{} }

func (b *breaker) succeeded() { *b = breaker{} }

// failed counts a failure. Those of connections that were open when the pause
// began are one failure, not many.
func (b *breaker) failed(now time.Time, why, kind string) {
	if now.Before(b.until) {
		return
	}
	b.fails++
	b.why, b.kind = why, kind
	if b.fails >= breakAfter {
		b.pause = min(max(2*b.pause, breakFirst), breakMost)
		b.until = now.Add(b.pause)
		b.trial = time.Time{}
	}
}
