//go:build linux

package waytest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// A Relay is a way to a server that can be lost while it is in use.
type Relay struct {
	Addr string // host:port
	t    testing.TB
	to   string
	l    net.Listener
	wg   sync.WaitGroup

	mu       sync.Mutex
	conns    map[net.Conn]bool
	hole     bool
	left     int64 // bytes that still come back before the way is lost; -1: no end
	accepted int
}

// NewRelay starts one to a server's address.
func NewRelay(t testing.TB, to string) *Relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's listener
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{Addr: l.Addr().String(), t: t, to: to, l: l, conns: map[net.Conn]bool{}, left: -1}
	r.wg.Go(r.serve)
	t.Cleanup(func() {
		_ = l.Close()
		r.Cut()
		r.wg.Wait()
	})
	return r
}

func (r *Relay) serve() {
	for {
		c, err := r.l.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.accepted++
		r.conns[c] = true
		hole := r.hole
		r.mu.Unlock()
		r.wg.Go(func() {
			defer r.end(c)
			if hole {
				_, _ = io.Copy(io.Discard, c) // as a packet filter that drops answers
				return
			}
			r.join(c)
		})
	}
}

// join carries bytes both ways.
func (r *Relay) join(c net.Conn) {
	s, err := net.Dial("tcp", r.to) //nolint:noctx // ended by Cut
	if err != nil {
		return
	}
	r.mu.Lock()
	r.conns[s] = true
	r.mu.Unlock()
	defer r.end(s)
	r.wg.Go(func() {
		_, _ = io.Copy(s, c)
		_ = s.Close()
	})
	buf := make([]byte, 32<<10)
	for {
		n, err := s.Read(buf)
		n, lost := r.take(n)
		if _, werr := c.Write(buf[:n]); werr != nil || err != nil {
			return
		}
		if lost {
			r.Cut()
			return
		}
	}
}

// take is how many of n bytes still go, and whether the way is lost with them. In a
// hole none go, and the connection stays.
func (r *Relay) take(n int) (int, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.hole:
		return 0, false
	case r.left < 0:
		return n, false
	}
	n = int(min(int64(n), r.left))
	r.left -= int64(n)
	return n, r.left == 0
}

func (r *Relay) end(c net.Conn) {
	_ = c.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
}

// Hole makes the way, or ends being, one that swallows everything and says nothing,
// connections that are open included.
func (r *Relay) Hole(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hole = on
}

// CutAfter loses the way for good once so many more bytes have come back.
func (r *Relay) CutAfter(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = n
}

// Cut ends all connections.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		_ = c.Close()
	}
}

// Connections is how many there have been.
func (r *Relay) Connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.accepted
}
