//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"

	"pulley/internal/hubtest"
)

// way is a proxy as people have them as ways out: one port that speaks HTTP (CONNECT) and SOCKS5, and can be away.
type way struct {
	addr string
	to   map[string]string // where names lead

	mu    sync.Mutex
	ln    net.Listener
	conns map[net.Conn]bool
	seen  int // connections that it made
	work  sync.WaitGroup
}

// newWay starts one that knows the hosts of hubs.
func newWay(addr string, hubs ...*hubtest.Hub) (*way, error) {
	p := &way{addr: addr, to: map[string]string{}, conns: map[net.Conn]bool{}}
	for _, h := range hubs {
		for _, name := range h.Hosts() {
			p.to[name] = h.Addr()
		}
	}
	return p, p.up()
}

// up has it answer, if it does not.
func (p *way) up() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != nil {
		return nil
	}
	ln, err := net.Listen("tcp", p.addr) //nolint:noctx // down closes it
	if err != nil {
		return err
	}
	p.ln = ln
	p.work.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			p.work.Go(func() { p.serve(c) })
		}
	})
	return nil
}

// down takes it away, with all connections.
func (p *way) down() {
	p.mu.Lock()
	if p.ln != nil {
		_ = p.ln.Close()
		p.ln = nil
	}
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.work.Wait()
}

// made is how many connections it has made.
func (p *way) made() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// keep takes down that a connection is open; false: it is too late for that.
func (p *way) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = p.ln != nil
	return p.ln != nil
}

func (p *way) drop(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *way) serve(c net.Conn) {
	defer p.drop(c)
	if !p.keep(c) {
		return
	}
	in := bufio.NewReader(c)
	first, err := in.Peek(1)
	if err != nil {
		return
	}
	ask, yes, no := connectTarget, "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
	if first[0] == 5 {
		ask, yes, no = socksTarget, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", "\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00"
	}
	target, err := ask(c, in)
	if err != nil {
		return
	}
	if host, _, err := net.SplitHostPort(target); err == nil && p.to[host] != "" {
		target = p.to[host]
	}
	far, err := net.Dial("tcp", target) //nolint:noctx // down closes it
	if err != nil {
		_, _ = io.WriteString(c, no)
		return
	}
	defer p.drop(far)
	if !p.keep(far) {
		return
	}
	p.mu.Lock()
	p.seen++
	p.mu.Unlock()
	if _, err := io.WriteString(c, yes); err != nil {
		return
	}
	p.work.Go(func() {
		_, _ = io.Copy(far, in)
		_ = far.Close()
	})
	_, _ = io.Copy(c, far)
}

var errNotThis = errors.New("not what this proxy does")

// connectTarget is whom a client of an HTTP proxy wants to reach.
func connectTarget(_ net.Conn, in *bufio.Reader) (string, error) {
	q, err := http.ReadRequest(in)
	if err == nil && q.Method != http.MethodConnect {
		err = errNotThis
	}
	if err != nil {
		return "", err
	}
	return q.Host, nil
}

// socksTarget is the same for SOCKS5 without a password (RFC 1928).
func socksTarget(c net.Conn, in *bufio.Reader) (string, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(in, head); err != nil {
		return "", err
	}
	if _, err := in.Discard(int(head[1])); err != nil {
		return "", err
	}
	if _, err := c.Write([]byte{5, 0}); err != nil {
		return "", err
	}
	q := make([]byte, 4)
	if _, err := io.ReadFull(in, q); err != nil {
		return "", err
	}
	size := map[byte]int{1: net.IPv4len, 4: net.IPv6len}[q[3]]
	if q[3] == 3 {
		n, err := in.ReadByte()
		if err != nil {
			return "", err
		}
		size = int(n)
	}
	rest := make([]byte, size+2)
	if _, err := io.ReadFull(in, rest); err != nil || size == 0 {
		return "", errNotThis
	}
	host := string(rest[:size])
	if q[3] != 3 {
		host = net.IP(rest[:size]).String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(rest[size:])))), nil
}
