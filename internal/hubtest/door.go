package hubtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"time"
)

// door is one listening address that can be closed and opened again. Its fields are guarded by Hub.mu; addr never
// changes once the hub runs.
type door struct {
	addr     string
	listener net.Listener
}

// listen opens all doors, or none.
func (h *Hub) listen() error {
	tls, err := openDoors(h.Listen, h.Also)
	if err != nil {
		return err
	}
	plain, err := openDoors(h.ListenPlain, nil)
	if err != nil {
		closeAll(tls)
		return err
	}
	h.doors = slices.Concat(tls[:1], plain, tls[1:])
	return nil
}

// openDoors listens at want ("" : a port of 127.0.0.1 that is free) and at the same port of further addresses.
func openDoors(want string, also []string) ([]*door, error) {
	if want != "" {
		return openAll(want, also)
	}
	// Ports below the ranges that systems give to outgoing connections (32768 on Linux, 49152 elsewhere): while a hub is
	// down nobody gets its port by chance, and no client that dials it connects to itself.
	var doors []*door
	var err error
	for range 200 {
		port := 18000 + rand.IntN(14000)
		if doors, err = openAll(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), also); err == nil {
			break
		}
	}
	return doors, err
}

func openAll(first string, also []string) (doors []*door, err error) {
	defer func() {
		if err != nil {
			closeAll(doors)
		}
	}()
	l, err := net.Listen("tcp", first)
	if err != nil {
		return nil, err
	}
	doors = append(doors, &door{l.Addr().String(), l})
	_, port, _ := net.SplitHostPort(doors[0].addr)
	for _, ip := range also {
		addr := net.JoinHostPort(ip, port)
		if l, err = net.Listen("tcp", addr); err != nil {
			return doors, err
		}
		doors = append(doors, &door{addr, l})
	}
	return doors, nil
}

func closeAll(doors []*door) {
	for _, d := range doors {
		d.close()
	}
}

func (d *door) open() (err error) {
	// The port may be in use for a moment by a connection somebody else made out of it.
	for range 100 {
		if d.listener, err = net.Listen("tcp", d.addr); err == nil {
			return nil
		}
		<-time.After(20 * time.Millisecond)
	}
	return err
}

func (d *door) close() {
	if d.listener != nil {
		_ = d.listener.Close()
		d.listener = nil
	}
}

// Addr is host:port of the port that speaks TLS (and plain HTTP) for all host names. It stays the same over Down and Up.
func (h *Hub) Addr() string { return h.doors[0].addr }

// PlainAddr is host:port of the plain HTTP twin.
func (h *Hub) PlainAddr() string { return h.doors[1].addr }

// Addrs is Addr and its port at each address of Also, in that order: what a name of several addresses resolves to.
func (h *Hub) Addrs() []string {
	addrs := []string{h.Addr()}
	for _, d := range h.doors[2:] {
		addrs = append(addrs, d.addr)
	}
	return addrs
}

// Down closes ports, so that connections are refused, and resets those that came there. Content stays. Without addresses
// (as in Faults.Addr) it is the whole hub.
func (h *Hub) Down(addrs ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shut(true, addrs)
}

// shut closes doors and what came through them, with RST or, as the system does it for a process that was killed, with
// FIN behind what is in the sockets' buffers. h.mu is held.
func (h *Hub) shut(reset bool, addrs []string) {
	for _, d := range h.doors {
		if isAt(d.addr, addrs) {
			d.close()
		}
	}
	for c := range h.conns {
		if !isAt(c.addr, addrs) {
			continue
		}
		c.cut.Store(true)
		if reset {
			c.reset()
		} else {
			_ = c.TCPConn.Close()
		}
	}
}

// Up listens again on ports that Down closed; without addresses on all. What is open already stays as it is.
func (h *Hub) Up(addrs ...string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.started || h.closed {
		return errors.New("hub: not running")
	}
	for _, d := range h.doors {
		if d.listener != nil || !isAt(d.addr, addrs) {
			continue
		}
		if err := d.open(); err != nil {
			return fmt.Errorf("hub: %w", err)
		}
		h.admit(d)
	}
	return nil
}

// isAt reports whether host:port is one of the addresses, each an IP or host:port; none stand for any.
func isAt(hostport string, addrs []string) bool {
	return len(addrs) == 0 || slices.Contains(addrs, hostport) || slices.Contains(addrs, hostname(hostport))
}
