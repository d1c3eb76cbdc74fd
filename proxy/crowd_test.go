package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"

	"pulley/internal/config"
)

// Somebody elsewhere who opens connections without end is hung up on, keeps nobody
// else out, and is let in again when the first are closed. This machine's own
// programs are not counted.
func TestOneAddressCannotHaveAllConnections(t *testing.T) {
	var from atomic.Pointer[net.TCPAddr]
	for _, tc := range []struct {
		name    string
		from    string
		crowded bool
	}{
		{"IPv4", "192.0.2.7", true},
		{"IPv6", "2001:db8::7", true},
		{"this machine", "127.0.0.1", false},
	} {
		from.Store(net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(tc.from), 40000)))
		p := newPort(t, options{
			config:  func(c *config.Config) { c.Access.Allow = []string{"192.0.2.0/24", "2001:db8::/32"} },
			options: func(o *Options) { o.Crowd = Crowd{Address: 4, All: 6} },
			listen:  func(ln net.Listener) net.Listener { return fromListener{ln, &from} },
		})
		ask := func() (net.Conn, bool) {
			c := p.connect()
			fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				return c, false
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			return c, true
		}
		var open []net.Conn
		for i := range 6 {
			c, ok := ask()
			if want := i < 4 || !tc.crowded; ok != want {
				t.Errorf("%s: connection %d: answered %v", tc.name, i+1, ok)
			}
			open = append(open, c)
		}
		if tc.from == "2001:db8::7" { // the same machine by another address of its network
			from.Store(net.TCPAddrFromAddrPort(netip.MustParseAddrPort("[2001:db8::8]:1")))
			if _, ok := ask(); ok {
				t.Error("a further IPv6 address of the same network was a further guest")
			}
		}
		if tc.crowded {
			from.Store(net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.99:1")))
			for i := range 3 {
				if c, ok := ask(); ok != (i < 2) {
					t.Errorf("%s: somebody else's connection %d: answered %v", tc.name, i+1, ok)
				} else if ok {
					open = append(open, c)
				}
			}
			from.Store(net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:1")))
			if _, ok := ask(); !ok {
				t.Errorf("%s: this machine was kept out", tc.name)
			}
			if n := p.s.Refused().Crowd; n == 0 {
				t.Errorf("%s: not counted", tc.name)
			}
			from.Store(net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(tc.from), 40000)))
			for _, c := range open {
				_ = c.Close()
			}
			p.eventually(func() bool { _, ok := ask(); return ok })
		}
	}
}

// fromListener gives connections the address of a client.
type fromListener struct {
	net.Listener
	from *atomic.Pointer[net.TCPAddr]
}

func (l fromListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return fromConn{c.(*net.TCPConn), l.from.Load()}, nil
}

type fromConn struct {
	*net.TCPConn
	from *net.TCPAddr
}

func (c fromConn) RemoteAddr() net.Addr { return c.from }

// Whatever becomes of a connection, it is counted off: refused, tunnelled,
// intercepted, broken in its handshake, or left alone.
func TestEveryConnectionIsCountedOff(t *testing.T) {
	p := newPort(t, options{listen: fromElsewhere})
	p.tcpServer("echo.test:9", echo)
	for _, sent := range []string{
		"", "\x00", "\x16\x03\x01\x00\x02xx", "\x05\x01\x00", "\x05\x01\x02", socksRequest(1, "echo.test", 9) + "hi", socksRequest(1, "none.test", 9), socksRequest(2, "echo.test", 9),
		"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "GET / HTTP/1.1\r\n", "BAD\r\n\r\n", "CONNECT echo.test:9 HTTP/1.1\r\n\r\nhi", "CONNECT none.test:9 HTTP/1.1\r\n\r\n",
		"CONNECT " + hubHost + ":443 HTTP/1.1\r\n\r\n", "CONNECT " + hubHost + ":443 HTTP/1.1\r\n\r\n\x16\x03\x01\x00\x02xx", "CONNECT " + plainHost + ":80 HTTP/1.1\r\n\r\nGET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://echo.test:9/ HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
	} {
		for range 5 {
			c := p.connect()
			fmt.Fprint(c, sent)
			_ = c.(closeWriter).CloseWrite()
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}
	p.eventually(func() bool { return p.s.crowd.size() == 0 })
}
