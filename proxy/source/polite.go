package source

import (
	"sync"
	"time"
)

// manners keeps within what the operators of mirrors put up with: connections
// at once and requests a minute, over all that one of them runs, since that is
// how they count (DaoCloud/public-image-mirror#6196). Docker's own clients ban
// nobody's address; storms of requests do.
type manners struct {
	now func() time.Time

	mu        sync.Mutex
	operators map[string]*guest
}

// guest is what we have with one operator.
type guest struct {
	open int
	sent []time.Time // of the last minute, oldest first
}

func newManners(now func() time.Time) *manners {
	return &manners{now: now, operators: map[string]*guest{}}
}

// limit is what an operator allows; 0 is as much as one likes.
type limit struct{ connections, perMinute int }

const window = time.Minute

// of returns the guest, with what is older than a minute forgotten.
func (m *manners) of(operator string, now time.Time) *guest {
	g := m.operators[operator]
	if g == nil {
		g = &guest{}
		m.operators[operator] = g
	}
	old := 0
	for old < len(g.sent) && now.Sub(g.sent[old]) >= window {
		old++
	}
	g.sent = g.sent[old:]
	return g
}

// room is how many more connections may be opened now, and when there will be
// room if there is none; the zero time if that depends on those that are open.
func (m *manners) room(operator string, l limit) (n int, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.of(operator, m.now()).room(l)
}

func (g *guest) room(l limit) (n int, until time.Time) {
	n = unlimited
	if l.perMinute > 0 {
		n = l.perMinute - len(g.sent)
		if n <= 0 {
			return 0, g.sent[len(g.sent)-l.perMinute].Add(window)
		}
	}
	if l.connections > 0 {
		n = min(n, l.connections-g.open)
	}
	return max(n, 0), time.Time{}
}

// enter takes a connection and a request, if there is room.
func (m *manners) enter(operator string, l limit) (ok bool, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	g := m.of(operator, now)
	n, until := g.room(l)
	if n == 0 {
		return false, until
	}
	g.open++
	g.sent = append(g.sent, now)
	return true, time.Time{}
}

// leave gives the connection back.
func (m *manners) leave(operator string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of(operator, m.now()).open--
}

// charge counts a request more: one that had to be repeated or was redirected
// to the same host.
func (m *manners) charge(operator string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	g := m.of(operator, now)
	g.sent = append(g.sent, now)
}

// refund takes back a request that was not sent.
func (m *manners) refund(operator string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if g := m.of(operator, m.now()); len(g.sent) > 0 {
		g.sent = g.sent[:len(g.sent)-1]
	}
}

// usual is how many connections a place is counted on to have where nothing says
// how many it may: fetch.connections as shipped.
const usual = 8

// span is how long a request should last so that all connections together do not
// make more than are allowed in a minute; 0 if nobody counts them.
func (l limit) span() time.Duration {
	if l.perMinute <= 0 {
		return 0
	}
	n := usual
	if l.connections > 0 {
		n = min(n, l.connections)
	}
	return window * time.Duration(n) / time.Duration(l.perMinute)
}
