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

// Gate is a listener that can stop accepting and leave the socket open, so that connections wait in the system's queue, and
// that can move to another socket. Its methods may be called concurrently.
type Gate struct {
	left error

	mu     sync.Mutex
	ln     net.Listener
	change sync.Cond // of mu
	held   bool
	gone   bool
	closed bool
	inside int // calls of Accept that may get a connection
}

// NewGate wraps a *net.TCPListener or *net.UnixListener. left is what Accept says after Leave.
func NewGate(ln net.Listener, left error) *Gate {
	g := &Gate{ln: ln, left: left}
	g.change.L = &g.mu
	return g
}

// Accept waits while the gate is held.
func (g *Gate) Accept() (net.Conn, error) {
	for {
		ln, err := g.enter()
		if err != nil {
			return nil, err
		}
		c, err := ln.Accept()
		held, moved := g.leave(ln)
		if err == nil || !moved && !(held && errors.Is(err, os.ErrDeadlineExceeded)) {
			return c, err
		}
	}
}

func (g *Gate) enter() (net.Listener, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wait()
	switch {
	case g.gone:
		return nil, g.left
	case g.closed:
		return nil, net.ErrClosed
	}
	g.inside++
	return g.ln, nil
}

// wait waits while the gate is held. It needs mu.
func (g *Gate) wait() {
	for g.held && !g.gone && !g.closed {
		g.change.Wait()
	}
}

func (g *Gate) leave(ln net.Listener) (held, moved bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	g.change.Broadcast()
	return g.held || g.gone, g.ln != ln
}

// Addr implements net.Listener.
func (g *Gate) Addr() net.Addr { return g.Socket().Addr() }

// Socket is what is accepted from: for good only while the gate is held.
func (g *Gate) Socket() net.Listener {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ln
}

// Move has connections accepted from the listener that open returns, and closes the one before, which open is given and may
// close itself. With nil nothing changes. While the gate is held it waits.
func (g *Gate) Move(open func(now net.Listener) (net.Listener, error)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wait()
	if g.gone || g.closed {
		return net.ErrClosed
	}
	ln, err := open(g.ln)
	if ln != nil {
		_ = g.ln.Close()
		g.ln = ln
	}
	return err
}

type deadliner interface{ SetDeadline(time.Time) error }

// Hold stops accepting; when it returns nobody accepts any more.
func (g *Gate) Hold() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = true
	if err := g.ln.(deadliner).SetDeadline(time.Unix(1, 0)); err != nil {
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
	err := g.ln.(deadliner).SetDeadline(time.Time{})
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
	if u, ok := g.ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
	}
	return g.ln.Close()
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
	return g.ln.Close()
}
