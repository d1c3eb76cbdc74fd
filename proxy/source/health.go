package source

import (
	"sync"
	"time"
)

// unlimited stands for as many connections as anybody wants.
const unlimited = 1 << 20

// health is what was seen of each place on each network: a mirror that is fast
// at home may not be there at all at the office.
type health struct {
	now   func() time.Time
	where func() string // the network

	mu    sync.Mutex
	seen  map[spot]*vitals
	dirty bool // something changed that is worth keeping
}

// spot is a place on a network; an operator's pauses are under its name.
type spot struct{ network, key string }

// vitals of a place on one network. Whoever holds health.mu uses them.
type vitals struct {
	rate   float64       // bytes a second of one connection; 0 unknown
	first  time.Duration // to the answer's header; 0 unknown
	last   time.Time     // when it last gave bytes or an answer
	probed time.Time     // when it was last asked for nothing but a sign of life
	rest   time.Time     // it asked to be left alone until then
	called string        // and why
	breaker
}

// maxSpots bounds what is remembered of networks one has been on.
const maxSpots = 1024

// of returns the vitals of a place here and now. health.mu is held.
func (h *health) of(key string) *vitals {
	at := spot{h.where(), key}
	v := h.seen[at]
	if v == nil {
		if len(h.seen) >= maxSpots {
			h.forget()
		}
		v = &vitals{}
		h.seen[at] = v
	}
	return v
}

// forget drops what was used longest ago.
func (h *health) forget() {
	var oldest spot
	var when time.Time
	for at, v := range h.seen {
		if when.IsZero() || v.last.Before(when) {
			oldest, when = at, v.last
		}
	}
	delete(h.seen, oldest)
}

// peek returns a copy.
func (h *health) peek(key string) vitals {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v := h.seen[spot{h.where(), key}]; v != nil {
		return *v
	}
	return vitals{}
}

// begin tells that a connection is opened, if the breaker lets it.
func (h *health) begin(key string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	v, now := h.of(key), h.now()
	if v.allows(now) == 0 {
		return false
	}
	v.begin(now)
	return true
}

func (h *health) abandon(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.of(key).abandon()
}

func (h *health) succeeded(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.of(key)
	v.succeeded()
	v.last = h.now()
}

func (h *health) failed(key, why, kind string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.of(key).failed(h.now(), why, kind)
}

// trip opens the breaker at once.
func (h *health) trip(key, why, kind string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.of(key)
	v.fails = max(v.fails, breakAfter-1)
	v.failed(h.now(), why, kind)
}

// rest takes a place out until a time.
func (h *health) rest(key string, d time.Duration, why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.of(key)
	if until := h.now().Add(d); until.After(v.rest) {
		v.rest, v.called, h.dirty = until, why, true
	}
}

// answered takes a first-byte time. One slow answer in a while says little.
func (h *health) answered(key string, took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.of(key)
	if took = max(took, 1); v.first == 0 {
		v.first = took
	} else {
		v.first += (took - v.first) * 3 / 10
	}
	v.last, h.dirty = h.now(), true
}

// The weight of a measured throughput is by its bytes: fullWeight of them
// replace half of what was known. Less than leastSample says more about the
// round trip than about the rate.
const (
	leastSample = 256 << 10
	fullWeight  = 8 << 20
)

// moved takes a throughput.
func (h *health) moved(key string, n int64, took time.Duration) {
	if n < leastSample || took <= 0 {
		return
	}
	rate := float64(n) / took.Seconds()
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.of(key)
	if v.rate == 0 {
		v.rate = rate
	} else {
		v.rate += (rate - v.rate) * min(0.5, max(0.05, 0.5*float64(n)/fullWeight))
	}
	v.last, h.dirty = h.now(), true
}
