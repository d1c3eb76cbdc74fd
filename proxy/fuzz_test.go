package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"pulley/proxy/registry"
)

// fuzzPort is a port for any number of connections, each of them a pipe: nothing of
// one is to be seen in the next.
func fuzzPort(f *testing.F, silent time.Duration) (p *port, connect func() fuzzClient) {
	f.Helper()
	ln := &onceListener{conns: make(chan net.Conn), done: make(chan struct{})}
	p = newPort(f, options{
		timeouts: Timeouts{FirstByte: time.Second, Handshake: time.Second, Header: silent, Idle: silent, Drain: time.Second},
		listen:   func(old net.Listener) net.Listener { _ = old.Close(); return ln },
	})
	return p, func() fuzzClient {
		client, server := net.Pipe()
		done := &finished{Conn: server, closed: make(chan struct{})}
		ln.conns <- done
		return fuzzClient{client, done.closed}
	}
}

// fuzzClient is a client's end; served is closed when the port is done with the other.
type fuzzClient struct {
	net.Conn
	served <-chan struct{}
}

type finished struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (c *finished) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { close(c.closed) })
	return err
}

// say sends bytes and reads until the port hangs up; with leave the client does once
// they are sent. What the port does about them is done when it returns.
func say(t *testing.T, c fuzzClient, sent []byte, leave bool) (answer string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	go func() {
		_, _ = c.Write(sent)
		if leave {
			_ = c.Close()
		}
	}()
	b, _ := io.ReadAll(c)
	select {
	case <-c.served:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		t.Errorf("%q keeps the port busy", sent)
	}
	return string(b)
}

// FuzzSOCKS sends anything behind the byte that means SOCKS5. What is dialled is a
// host and a port that the bytes hold, and fit to be logged.
func FuzzSOCKS(f *testing.F) {
	for _, s := range []string{
		socksRequest(1, "x.test", 80)[1:], socksRequest(1, hubHost, 443)[1:] + "\x16\x03\x01", socksRequest(2, "x.test", 80)[1:], socksRequest(3, "x.test", 80)[1:],
		"\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50", "\x01\x00\x05\x01\x00\x04" + strings.Repeat("\x00", 15) + "\x01\x00\x50", "\x01\x02\x01\x03ann\x03pwd\x05\x01\x00\x03\x00\x00\x50",
		"\x01\x00\x05\x01\x00\x03\x05a\x00b\r\n\x00\x50", "\xff", "\x00", "\x01\x00\x04\x01\x00\x50\x7f\x00\x00\x01\x00",
	} {
		f.Add([]byte(s))
	}
	p, connect := fuzzPort(f, time.Second)
	f.Fuzz(func(t *testing.T, sent []byte) {
		before := len(p.dials())
		say(t, connect(), append([]byte{socks5Version}, sent...), true)
		for _, addr := range p.dials()[before:] {
			host, _, err := splitTarget(addr)
			if err != nil || strings.ContainsAny(addr, "\r\n\x00 /@") {
				t.Errorf("%q: dialled %q: %v", sent, addr, err)
			}
			if net.ParseIP(host) == nil && !strings.Contains(string(sent), host) {
				t.Errorf("%q: dialled %q", sent, addr)
			}
		}
	})
}

// FuzzRequests sends anything behind a request's first letters, by each door. A
// handler is never given more requests than the client gets answers, headers hold
// no line breaks, and one behind a proxy is given the host that was asked for.
func FuzzRequests(f *testing.F) {
	heads := []string{
		"GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1\r\n", "POST http://" + plainHost + "/v2/ HTTP/1.1\r\nHost: x\r\n", "CONNECT " + plainHost + ":80 HTTP/1.1\r\n\r\nPUT /v2/x HTTP/1.1\r\nHost: x\r\n",
	}
	for door := range heads {
		for _, s := range []string{
			"\r\n", "Content-Length: 3\r\n\r\nabc", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n0\r\nX: y\r\n\r\n",
			"X: a\r\n b\r\n\r\n", "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n", "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5x\r\nGET http://plain.test/ HTTP/1.1\r\n\r\n",
			"Host: b\r\n\r\n", "Content-Length: 3\n\nabc", ":authority: x\r\n\r\n", "Authorization: Basic eDp5\r\nProxy-Authorization: Basic eDp5\r\n\r\n",
		} {
			f.Add(uint8(door), []byte(s))
		}
	}
	p, connect := fuzzPort(f, 20*time.Millisecond)
	var mu sync.Mutex
	asked, wrong := 0, ""
	note := func(r *http.Request, host string) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		for name, values := range r.Header {
			if strings.ContainsAny(name+strings.Join(values, ""), "\r\n\x00") {
				wrong = fmt.Sprintf("a header %q: %q", name, values)
			}
		}
		if host != "" && host != plainHost {
			wrong = "answered for " + host
		}
	}
	p.mirror = func(_ http.ResponseWriter, r *http.Request) { note(r, "") }
	p.host = func(_ http.ResponseWriter, r *http.Request, to registry.Target) { note(r, to.Host) }
	f.Fuzz(func(t *testing.T, door uint8, rest []byte) {
		mu.Lock()
		asked, wrong = 0, ""
		mu.Unlock()
		answer := say(t, connect(), append([]byte(heads[int(door)%len(heads)]), rest...), false)
		mu.Lock()
		defer mu.Unlock()
		if wrong != "" {
			t.Errorf("%q: %s", rest, wrong)
		}
		if n := strings.Count(answer, "HTTP/1."); asked > n {
			t.Errorf("%q: %d requests and %d answers", rest, asked, n)
		}
	})
}
