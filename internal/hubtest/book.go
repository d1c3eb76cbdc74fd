package hubtest

import (
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// stage is when a rule is asked; each counts Skip and First for itself.
type stage int

const (
	atAccept stage = iota // nothing is known yet
	atHello               // the host is known
	atRequest
	atBody
	atByte // the one of WrongByte is about to go
	stages
)

func (f *Faults) acts(s stage, kind Kind) bool {
	switch s {
	case atAccept:
		return f.Host == "" && (f.Refuse || f.Silent)
	case atHello:
		return f.ResetHandshake || f.WrongCert || f.WrongName || f.UnknownCA || f.Expired || f.NotYet || f.Host != "" && (f.Refuse || f.Silent)
	case atRequest:
		return f.Latency > 0 || f.Reset || f.Status > 0
	case atByte:
		return f.WrongByte != nil && (f.Kind != "" || isBlob(kind))
	default:
		return f.Bandwidth > 0 || f.Total > 0 || f.spoils() && (f.Kind != "" || isBlob(kind))
	}
}

func isBlob(kind Kind) bool { return kind == Blob || kind == CDN }

// spoils reports whether there are effects on a body but for WrongByte, which is looked up byte by byte.
func (f *Faults) spoils() bool {
	return f.Cut != nil || f.Stall != nil || f.Die != nil || f.Length != 0 || f.Chunked || f.NoRange || f.ContentRange != ""
}

// faultBook holds the rules in force. Its zero value has none.
type faultBook struct {
	mu       sync.Mutex
	rules    []rule
	change   chan struct{} // closed at the next SetFaults or Release
	gen      uint64        // counts SetFaults
	released uint64        // counts Release
	lies     bool          // some rule has a WrongByte
	now      func() time.Time
}

type rule struct {
	Faults
	seen   [stages]int
	minute [stages]struct {
		since time.Time
		n     int
	}
	pace *pacer // of Total
	life *life  // of Die
}

// effects are those of all rules that match.
type effects struct {
	Faults
	pace *pacer
	life *life
}

// spares reports whether the rule leaves this one alone, and counts it.
func (r *rule) spares(s stage, now time.Time) bool {
	r.seen[s]++
	if n := r.seen[s] - r.Skip; n <= 0 || r.First > 0 && n > r.First {
		return true
	}
	if r.Quota == 0 {
		return false
	}
	m := &r.minute[s]
	if now.Sub(m.since) >= time.Minute {
		m.since, m.n = now, 0
	}
	m.n++
	return m.n <= r.Quota
}

// SetFaults replaces all rules, at once; transfers that run or stall go by the new ones. Without arguments nothing is
// wrong any more.
func (h *Hub) SetFaults(rules ...Faults) {
	b := &h.faults
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rules, b.lies = nil, false
	for _, f := range rules {
		r := rule{Faults: f, pace: &pacer{}}
		if f.Die != nil {
			r.life = newLife(*f.Die, f.CutReset)
		}
		b.rules = append(b.rules, r)
		b.lies = b.lies || f.WrongByte != nil
	}
	b.gen++
	b.wake()
}

// Release lets go on what is stalled now. What reaches its Stall later stalls.
func (h *Hub) Release() {
	b := &h.faults
	b.mu.Lock()
	defer b.mu.Unlock()
	b.released++
	b.wake()
}

func (b *faultBook) wake() {
	if b.change != nil {
		close(b.change)
		b.change = nil
	}
}

// changed is closed at the next SetFaults or Release.
func (b *faultBook) changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changedLocked()
}

func (b *faultBook) changedLocked() <-chan struct{} {
	if b.change == nil {
		b.change = make(chan struct{})
	}
	return b.change
}

// match merges the effects of all rules for a request at a stage. Again is for a request that was counted before: rules
// that count leave it alone.
func (b *faultBook) match(s stage, q query, again bool) (f effects, gen uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.rules {
		r := &b.rules[i]
		if !r.acts(s, q.kind) || !r.matches(s, q) {
			continue
		}
		if counts := r.Skip > 0 || r.First > 0 || r.Quota > 0; counts && (again || r.spares(s, b.now())) {
			continue
		}
		f.merge(r, s, q.kind)
	}
	return f, b.gen
}

// query is what rules are matched against.
type query struct {
	addr               string // where the connection arrived
	host, method, path string
	kind               Kind
	digest             digest.Digest
}

func (f *Faults) matches(s stage, q query) bool {
	if f.Host != "" && f.Host != q.host || f.Addr != "" && !isAt(q.addr, []string{f.Addr}) {
		return false
	}
	return s <= atHello || (f.Method == "" || f.Method == q.method) &&
		(f.Kind == "" || f.Kind == q.kind) &&
		(f.Digest == "" || f.Digest == q.digest) &&
		(f.Path == "" || matchPath(f.Path, q.host, q.path))
}

func first[T comparable](to *T, from T) {
	var zero T
	if *to == zero {
		*to = from
	}
}

func (f *effects) merge(r *rule, s stage, kind Kind) {
	switch s {
	case atAccept, atHello:
		f.Refuse = f.Refuse || r.Refuse
		f.ResetHandshake = f.ResetHandshake || r.ResetHandshake
		f.Silent = f.Silent || r.Silent
		f.WrongCert = f.WrongCert || r.WrongCert
		f.WrongName = f.WrongName || r.WrongName
		f.UnknownCA = f.UnknownCA || r.UnknownCA
		f.Expired = f.Expired || r.Expired
		f.NotYet = f.NotYet || r.NotYet
	case atRequest:
		first(&f.Latency, r.Latency)
		f.Reset = f.Reset || r.Reset
		if f.Status == 0 {
			f.Status, f.StatusAfter, f.Header, f.Message, f.Body = r.Status, r.StatusAfter, r.Header, r.Message, r.Body
		}
	default:
		first(&f.Bandwidth, r.Bandwidth)
		if f.Total == 0 {
			f.Total, f.pace = r.Total, r.pace
		}
		if r.Kind == "" && !isBlob(kind) {
			return
		}
		if f.Cut == nil {
			f.Cut, f.CutReset = r.Cut, r.CutReset
		}
		if f.Die == nil && r.Die != nil && !r.life.ended() {
			f.Die, f.life = r.Die, r.life
		}
		first(&f.Stall, r.Stall)
		first(&f.Length, r.Length)
		first(&f.ContentRange, r.ContentRange)
		f.Chunked = f.Chunked || r.Chunked
		f.NoRange = f.NoRange || r.NoRange
	}
}

// wrongBytes are the offsets in [from, to) of a blob, about to be sent, whose byte is to be wrong.
func (b *faultBook) wrongBytes(q query, from, to int64) (at []int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.lies {
		return nil
	}
	for i := range b.rules {
		r := &b.rules[i]
		if r.acts(atByte, q.kind) && r.matches(atByte, q) && *r.WrongByte >= from && *r.WrongByte < to && !r.spares(atByte, b.now()) {
			at = append(at, *r.WrongByte)
		}
	}
	return at
}

// mayLie reports whether bytes have to be looked at one by one.
func (b *faultBook) mayLie() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lies
}

// connect matches a connection at accept or at its client hello.
func (b *faultBook) connect(s stage, c *conn, host string, again bool) effects {
	f, _ := b.match(s, query{addr: c.addr, host: host}, again)
	return f
}
