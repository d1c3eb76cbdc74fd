package hubtest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// conn is an accepted connection. It embeds *net.TCPConn so that the plain path keeps ReadFrom, hence sendfile.
type conn struct {
	*net.TCPConn
	hub   *Hub
	id    int64
	addr  string // where it arrived
	host  string // whom it is for, once that is known; guarded by Hub.mu
	pace  pacer
	first []byte // read to tell TLS from HTTP, not yet handed on
	once  sync.Once
	cut   atomic.Bool // by Down: what is written to it goes nowhere
}

func (c *conn) Read(p []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.TCPConn.Read(p)
}

func (c *conn) Close() error {
	c.once.Do(func() {
		c.hub.mu.Lock()
		defer c.hub.mu.Unlock()
		delete(c.hub.conns, c)
		c.hub.crowd.leave(c.host)
	})
	return c.TCPConn.Close()
}

// reset closes with RST instead of FIN. It leaves the bookkeeping to Close, which the server calls.
func (c *conn) reset() {
	_ = c.SetLinger(0)
	_ = c.TCPConn.Close()
}

// admit starts accepting at an open door. Hub.mu is held.
func (h *Hub) admit(d *door) {
	l := d.listener
	h.wg.Go(func() { h.accept(d, l) })
}

// accept hands connections to the server until the listener is closed.
func (h *Hub) accept(d *door, l net.Listener) {
	for {
		nc, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // the peer was gone before we looked, or no descriptors for now
		}
		tc := nc.(*net.TCPConn)
		if h.SendBuffer > 0 {
			_ = tc.SetWriteBuffer(h.SendBuffer)
		}
		c := &conn{TCPConn: tc, hub: h, addr: d.addr}
		h.mu.Lock()
		if d.listener != l { // Down came between
			h.mu.Unlock()
			c.reset()
			return
		}
		h.lastConn++
		c.id = h.lastConn
		h.conns[c] = struct{}{}
		h.crowd.enter("")
		h.mu.Unlock()
		h.wg.Go(func() { h.greet(c) })
	}
}

// greet looks at the first byte and queues the connection for the server.
func (h *Hub) greet(c *conn) {
	f := h.faults.connect(atAccept, c, "", false)
	if f.Refuse || f.Silent && !h.hold(atAccept, c, "") {
		c.reset()
		_ = c.Close()
		return
	}
	var first [1]byte
	if _, err := c.TCPConn.Read(first[:]); err != nil {
		_ = c.Close()
		return
	}
	c.first = first[:]
	var nc net.Conn = c
	if first[0] == 0x16 { // a TLS handshake record, RFC 8446 section 5.1
		nc = tls.Server(c, h.server.TLSConfig)
	}
	select {
	case h.incoming <- nc:
	case <-h.done:
		c.reset()
		_ = c.Close()
	}
}

// hold waits until no rule without a count asks for silence any more; false: the hub closed.
func (h *Hub) hold(s stage, c *conn, host string) bool {
	for {
		select {
		case <-h.faults.changed():
		case <-h.done:
			return false
		}
		if !h.faults.connect(s, c, host, true).Silent {
			return true
		}
	}
}

// queue is the server's listener: connections that were greeted.
type queue struct{ h *Hub }

func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.h.incoming:
		return c, nil
	case <-q.h.done:
		return nil, net.ErrClosed
	}
}

func (q *queue) Close() error   { return nil }
func (q *queue) Addr() net.Addr { return &net.TCPAddr{} }

func (h *Hub) connState(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		h.wg.Add(1)
	case http.StateClosed, http.StateHijacked:
		h.wg.Done()
	}
}

type connKey struct{}

func connContext(ctx context.Context, nc net.Conn) context.Context {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	return context.WithValue(ctx, connKey{}, nc)
}

func connOf(r *http.Request) *conn { return r.Context().Value(connKey{}).(*conn) }

func (h *Hub) tlsConfig() *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if h.HTTP2 {
		cfg.NextProtos = []string{"h2", "http/1.1"}
	}
	cfg.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		c := hello.Conn.(*conn)
		h.meet(c, hello.ServerName)
		f := h.faults.connect(atHello, c, hello.ServerName, false)
		switch {
		case f.ResetHandshake, f.Refuse:
			c.reset()
			return nil, errors.New("hub: handshake reset")
		case f.Silent && !h.hold(atHello, c, hello.ServerName):
			return nil, errors.New("hub: closed")
		case f.WrongCert:
			return h.strangerCert()
		case f.WrongName:
			return h.misnamedCert()
		case f.UnknownCA:
			return h.interceptedCert()
		case f.Expired:
			return h.datedCert(-24*time.Hour, -24*time.Hour)
		case f.NotYet:
			return h.datedCert(30*24*time.Hour, 90*24*time.Hour)
		}
		return h.leaf, nil
	}
	return cfg
}

// strangerCert is what somebody in the middle would show: another authority, another name.
func (h *Hub) strangerCert() (*tls.Certificate, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stranger != nil {
		return h.stranger, nil
	}
	ca, err := newAuthority("a stranger")
	if err != nil {
		return nil, err
	}
	h.stranger, err = ca.leaf([]string{"stranger.example"})
	return h.stranger, err
}

// misnamedCert is what an address shows that belongs to somebody else: all right, but for another name.
func (h *Hub) misnamedCert() (*tls.Certificate, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.misnamed != nil {
		return h.misnamed, nil
	}
	var err error
	h.misnamed, err = h.ca.leaf([]string{"somebody-else.example"})
	return h.misnamed, err
}

// interceptedCert is what a company's proxy shows that opens TLS: the right names by its own authority.
func (h *Hub) interceptedCert() (*tls.Certificate, error) {
	ca, err := newAuthority("Example Corp Root CA")
	if err != nil {
		return nil, err
	}
	return ca.leaf(h.certified())
}

// datedCert is the right one for another time, told by its distance from now.
func (h *Hub) datedCert(from, to time.Duration) (*tls.Certificate, error) {
	now := time.Now()
	begins := now.Add(from)
	if from <= 0 {
		begins = now.Add(from - 90*24*time.Hour)
	}
	h.mu.Lock()
	ca := h.ca
	h.mu.Unlock()
	return ca.leafFor(h.certified(), begins, now.Add(to))
}
