package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// leaving is a listener that somebody else accepts from once left is closed. Its socket stays open, as another process has it.
type leaving struct {
	net.Listener
	left chan struct{}
	once sync.Once
	in   chan net.Conn
}

func (l *leaving) Accept() (net.Conn, error) {
	l.once.Do(func() {
		go func() {
			for {
				c, err := l.Listener.Accept()
				if err != nil {
					return
				}
				l.in <- c
			}
		}()
	})
	select {
	case <-l.left:
		return nil, ErrLeft
	case c := <-l.in:
		return c, nil
	}
}

// TestLeave: what was accepted before a port is left goes on, at every stage that a connection can be in, and each client is
// done in its own time; idle ones get one more answer. Then Serve returns.
func TestLeave(t *testing.T) {
	l := &leaving{left: make(chan struct{}), in: make(chan net.Conn)}
	p := newPort(t, options{listen: func(ln net.Listener) net.Listener {
		l.Listener = ln
		return l
	}})
	p.tcpServer("echo.test:7", echo)
	silent := p.connect()
	half := p.connect()
	fmt.Fprint(half, "GET /healthz HTTP/1.1\r\n")
	kept := p.connect()
	fmt.Fprintf(kept, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", p.addr)
	if resp, _ := readResponse(t, kept); resp.Close {
		t.Fatal("the connection is closed before anybody leaves")
	}
	tunnel := p.tunnel("echo.test:7", "one")
	wantRead(t, tunnel, "one")
	connected := p.tunnel(hubHost+":443", "") // no handshake yet
	session := tls.Client(p.tunnel(hubHost+":443", ""), &tls.Config{RootCAs: p.roots(), ServerName: hubHost})
	if err := session.Handshake(); err != nil {
		t.Fatal(err)
	}
	running, answered := make(chan struct{}), make(chan struct{})
	p.mirror = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "6")
		_, _ = io.WriteString(w, "for")
		_ = http.NewResponseController(w).Flush()
		close(running)
		<-answered
		_, _ = io.WriteString(w, "got")
	}
	long := p.connect()
	fmt.Fprintf(long, "GET /v2/ HTTP/1.1\r\nHost: %s\r\n\r\n", p.addr)
	<-running

	close(l.left)
	p.eventually(func() bool { return p.log.count("somebody else's") > 0 })
	close(answered)
	if resp, body := readResponse(t, long); body != "forgot" || resp.ContentLength != 6 {
		t.Errorf("an answer that was begun: %q", body)
	}
	fmt.Fprint(tunnel, "two")
	wantRead(t, tunnel, "two")
	for name, c := range map[string]net.Conn{"silent": silent, "kept": kept, "long": long} {
		p.wantLast(t, name, c, "GET /healthz HTTP/1.1\r\nHost: "+p.addr+"\r\n\r\n")
	}
	p.wantLast(t, "half", half, "Host: "+p.addr+"\r\n\r\n")
	late := tls.Client(connected, &tls.Config{RootCAs: p.roots(), ServerName: hubHost})
	for name, c := range map[string]net.Conn{"session": session, "connected": late} {
		p.wantLast(t, name, c, "GET /x HTTP/1.1\r\nHost: "+hubHost+"\r\n\r\n")
	}
	served := make(chan error, 1)
	go func() { served <- p.served() }()
	select {
	case err := <-served:
		t.Fatalf("Serve returned with a tunnel open: %v", err)
	default:
	}
	fmt.Fprint(tunnel, "three")
	wantRead(t, tunnel, "three")
	_ = tunnel.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
	_ = l.Listener.Close()
}

// wantLast sends a request, or what is missing of one, and wants an answer after which the connection ends.
func (p *port) wantLast(t *testing.T, name string, c net.Conn, request string) {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	resp, _ := readResponse(t, c)
	if resp.StatusCode != http.StatusOK || !resp.Close {
		t.Errorf("%s: %s, closed %v", name, resp.Status, resp.Close)
	}
	wantEOF(t, c)
}
