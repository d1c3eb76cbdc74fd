package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
)

// A leg is a transport's connection that knows where it leads. Of a TLS connection it is
// what is under the *flow.
type leg struct {
	net.Conn
	at  netip.AddrPort // invalid behind a proxy
	key string         // names this address, or this target of a proxy
	all []string       // the keys of all that could have been dialled
	way string
}

// CloseWrite half-closes, which upgraded connections rely on.
func (l *leg) CloseWrite() error {
	if h, ok := l.Conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return errors.ErrUnsupported
}

// legOf returns the leg that a transport's connection is, or nil.
func legOf(c net.Conn) *leg {
	if f, ok := c.(*flow); ok {
		c = f.below.Conn
	}
	l, _ := c.(*leg)
	return l
}

// othersLeft reports whether there are addresses that t has not seen fail.
func (l *leg) othersLeft(t *tries) bool {
	for _, k := range l.all {
		if k != l.key && !t.has(k) {
			return true
		}
	}
	return false
}

// way is how a trail names a direct connection; port is the one asked for.
func (c candidate) way(port string) string {
	s := "direct " + c.Addr().String()
	if strconv.Itoa(int(c.Port())) != port {
		s = "direct " + c.String()
	}
	if c.doh {
		s += " (doh)"
	}
	return s
}

func keys(list []candidate) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = c.String()
	}
	return out
}

func prefixed(prefix string, list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = prefix + s
	}
	return out
}

// errNoneLeft is what a dial fails with when the request has tried everything.
var errNoneLeft = errors.New("no address is left to try")

// tries are the keys of what one request has seen fail. A nil *tries has seen
// nothing and learns nothing.
type tries struct {
	mu   sync.Mutex
	seen map[string]bool
}

type triesKey struct{}

func withTries(ctx context.Context, t *tries) context.Context {
	return context.WithValue(ctx, triesKey{}, t)
}

func triesOf(ctx context.Context) *tries {
	t, _ := ctx.Value(triesKey{}).(*tries)
	return t
}

func (t *tries) has(key string) bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen[key]
}

func (t *tries) add(key string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil {
		t.seen = map[string]bool{}
	}
	t.seen[key] = true
}
