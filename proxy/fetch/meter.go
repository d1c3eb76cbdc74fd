package fetch

import (
	"sync/atomic"
	"time"
)

// window is how long a connection is watched before its rate is noted.
const window = 500 * time.Millisecond

// meter counts what one connection brings. Its worker writes, anybody reads.
type meter struct {
	bytes   atomic.Int64
	waiting atomic.Int64 // since when it waits for the source, Unix nanoseconds; 0: it does not

	// Guarded by the run's mu.
	begun  time.Time
	since  time.Time // begin of the window; zero before the first byte
	before int64     // bytes at that time
	rate   float64   // bytes a second, 0 unknown
}

func (m *meter) wait(now time.Time) { m.waiting.Store(now.UnixNano()) }

// silent is for how long the source has been waited for.
func (m *meter) silent(now time.Time) time.Duration {
	if t := m.waiting.Load(); t != 0 {
		return time.Duration(now.UnixNano() - t)
	}
	return 0
}

// due reports whether a window is over. It is for the worker, which alone writes
// what it reads.
func (m *meter) due(now time.Time) bool {
	return m.since.IsZero() || now.Sub(m.since) >= window
}

// roll ends a window and returns the rate seen in it. Needs mu.
func (m *meter) roll(now time.Time) (rate float64, ok bool) {
	if m.since.IsZero() { // the first byte
		m.since, m.before = now, m.bytes.Load()
		return 0, false
	}
	d := now.Sub(m.since).Seconds()
	n := m.bytes.Load()
	rate = float64(n-m.before) / d
	m.since, m.before = now, n
	if share := min(d, 1); m.rate > 0 {
		m.rate = (1-share)*m.rate + share*rate
	} else {
		m.rate = rate
	}
	return rate, true
}

// end returns what a connection says of its source's rate that was not seen in
// its windows. Needs mu.
func (m *meter) end(now time.Time) (rate float64, ok bool) {
	n := m.bytes.Load()
	if m.rate > 0 {
		d := now.Sub(m.since)
		return float64(n-m.before) / d.Seconds(), d >= window/2
	}
	// Too short to know. The time to the first byte counts, lest a burst out of
	// some buffer passes for speed.
	d := now.Sub(m.begun)
	return float64(n) / d.Seconds(), n > 0 && d > 0
}

// current is the rate as of now. 0: nothing has come yet. Needs mu.
func (m *meter) current(now time.Time) float64 {
	n := m.bytes.Load()
	if n == 0 || m.since.IsZero() {
		return 0
	}
	d := now.Sub(m.since)
	if m.rate > 0 && d < 2*window {
		return m.rate
	}
	if d < window/5 {
		return float64(n) / max(now.Sub(m.begun), time.Millisecond).Seconds()
	}
	return max(float64(n-m.before), 1) / d.Seconds()
}
