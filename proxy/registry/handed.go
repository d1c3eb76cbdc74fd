package registry

import (
	"math"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// handed remembers what clients were given of blobs before those were proved,
// over downloads that were given up and taken up again: if some of it turns out to
// be wrong, whoever has it must not go on from there.
type handed struct {
	mu  sync.Mutex
	now func() time.Time
	of  map[digest.Digest]*handover
	n   int // clients, in all of them
}

// handover is what is known of one blob.
type handover struct {
	to   map[visit]stretch // from the first byte to behind the last
	lies []lie
	at   time.Time // of the latest change
}

// lie is what was found to be wrong, and when: what was read before that may be.
type lie struct {
	stretch
	at time.Time
}

// stretch is the bytes [off,end) of a blob.
type stretch struct{ off, end int64 }

func (a stretch) meets(b stretch) bool { return a.off < b.end && b.off < a.end }

// maxHanded bounds the clients that are remembered.
const maxHanded = 8192

func newHanded(now func() time.Time) *handed {
	return &handed{now: now, of: map[digest.Digest]*handover{}}
}

// gave takes down what a client was given from a time on, and reports whether that
// is known to be wrong. proved says that the blob's digest fits by now.
func (h *handed) gave(v visit, s stretch, since time.Time, proved bool) (wrong bool) {
	if s.off >= s.end {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	o := h.of[v.digest]
	if o != nil {
		for _, lie := range o.lies {
			wrong = wrong || lie.meets(s) && !since.After(lie.at)
		}
	}
	if wrong || proved {
		return wrong
	}
	if o == nil {
		o = h.make(v.digest)
	}
	old, had := o.to[v]
	if !had {
		h.n++
		old = s
	}
	o.to[v] = stretch{min(old.off, s.off), max(old.end, s.end)}
	o.at = h.now()
	return false
}

// make is called with mu held.
func (h *handed) make(d digest.Digest) *handover {
	if h.n >= maxHanded || len(h.of) >= maxHanded {
		for old, o := range h.of {
			if h.now().Sub(o.at) >= brokenFor {
				h.drop(old)
			}
		}
		if h.n >= maxHanded || len(h.of) >= maxHanded {
			clear(h.of)
			h.n = 0
		}
	}
	o := &handover{to: map[visit]stretch{}, at: h.now()}
	h.of[d] = o
	return o
}

func (h *handed) drop(d digest.Digest) {
	if o := h.of[d]; o != nil {
		h.n -= len(o.to)
		delete(h.of, d)
	}
}

// lied takes down that bytes of the blob were wrong, and returns those who were
// given some of them.
func (h *handed) lied(d digest.Digest, s stretch) (who []visit) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := h.of[d]
	if o == nil {
		o = h.make(d)
	}
	for v, had := range o.to {
		if had.meets(s) {
			who = append(who, v)
		}
	}
	o.lies, o.at = append(o.lies, lie{s, h.now()}), h.now()
	return who
}

// proved says that the blob's digest fits. Lies are remembered a while longer, for
// readers that have not heard of them yet.
func (h *handed) proved(d digest.Digest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := h.of[d]
	switch {
	case o == nil:
	case len(o.lies) == 0:
		h.drop(d)
	default:
		h.n -= len(o.to)
		clear(o.to)
	}
}

// dropped says that the blob's bytes were thrown away because some of them were
// wrong, nobody knows which, and returns those who were given any.
func (h *handed) dropped(d digest.Digest) (who []visit) {
	who = h.lied(d, stretch{0, math.MaxInt64})
	h.proved(d) // of what comes now nothing has been given yet
	return who
}
