// Package handover is how one daemon gives what it holds open to the next one of the same places: over a connection to the
// control socket that both keep until the first has finished, the listeners and the lock of the cache go across as open
// files, and then the events of what the first still answers.
//
// It knows what is said and in which order. What stops and what goes on meanwhile is the daemon's business.
package handover

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// Gate is a listener that can stop accepting and leave the socket open, so that connections wait in the system's queue.
// Its methods may be called concurrently.
type Gate struct {
	net.Listener
	left error

	mu     sync.Mutex
	change sync.Cond // of mu
	held   bool
	gone   bool
	closed bool
	inside int // calls of Accept that may get a connection
}

// NewGate wraps a *net.TCPListener or *net.UnixListener. left is what Accept says after Leave.
func NewGate(ln net.Listener, left error) *Gate {
	g := &Gate{Listener: ln, left: left}
	g.change.L = &g.mu
	return g
}

// Accept waits while the gate is held.
func (g *Gate) Accept() (net.Conn, error) {
	for {
		if err := g.enter(); err != nil {
			return nil, err
		}
		c, err := g.Listener.Accept()
		held := g.leave()
		if !held || !errors.Is(err, os.ErrDeadlineExceeded) {
			return c, err
		}
	}
}

func (g *Gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.held && !g.gone && !g.closed {
		g.change.Wait()
	}
	switch {
	case g.gone:
		return g.left
	case g.closed:
		return net.ErrClosed
	}
	g.inside++
	return nil
}

func (g *Gate) leave() (held bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	g.change.Broadcast()
	return g.held || g.gone
}

type deadliner interface{ SetDeadline(time.Time) error }

// Hold stops accepting; when it returns nobody accepts any more.
func (g *Gate) Hold() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = true
	if err := g.Listener.(deadliner).SetDeadline(time.Unix(1, 0)); err != nil {
		g.held = false
		g.change.Broadcast()
		return err
	}
	for g.inside > 0 {
		g.change.Wait()
	}
	return nil
}

// Resume ends Hold.
func (g *Gate) Resume() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.Listener.(deadliner).SetDeadline(time.Time{})
	g.held = false
	g.change.Broadcast()
	return err
}

// Leave lets go of a held gate's socket, which somebody else has. A socket's file stays.
func (g *Gate) Leave() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gone = true
	g.change.Broadcast()
	if u, ok := g.Listener.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	return g.Listener.Close()
}

// Close implements net.Listener.
func (g *Gate) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.change.Broadcast()
	if g.gone {
		return nil
	}
	return g.Listener.Close()
}
