package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"pulley/internal/config"
)

// Who announces a body and never sends it holds a connection no longer than one who never ends a header: also after the
// answer, when what is left of the body would be read.
func TestBodiesThatNeverComeHoldNothing(t *testing.T) {
	const d = 300 * time.Millisecond
	p := newPort(t, options{timeouts: Timeouts{FirstByte: d, Handshake: d, Header: d, Idle: d}, config: func(c *config.Config) {
		c.Access.Users = map[string]string{"ann": "$2a$04$pQgA1z0s5O9cPVuwSgsSMu8eRqXqYO0m8c0nHKg2m9jH2Qn2hGQ8e"}
	}})
	ours := newPort(t, options{timeouts: Timeouts{FirstByte: d, Handshake: d, Header: d, Idle: d}})
	var all sync.WaitGroup
	for name, tc := range map[string]struct {
		port    *port
		request string
	}{
		"refused password": {p, "POST /v2/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n"},
		"refused CONNECT":  {p, "CONNECT x.test:80 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"},
		"refused proxy":    {p, "POST http://x.test/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"},
		"foreign host":     {ours, "POST /healthz HTTP/1.1\r\nHost: evil.test\r\nContent-Length: 10\r\n\r\n"},
		"own":              {ours, "POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n"},
		"mirror":           {ours, "PUT /v2/x HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\nabc"},
		"metrics":          {ours, "POST /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"},
		"behind CONNECT":   {ours, "CONNECT " + plainHost + ":80 HTTP/1.1\r\n\r\nPUT /v2/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"},
		"no such host":     {ours, "POST http://x.test/ HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"},
	} {
		c := tc.port.connect()
		fmt.Fprint(c, tc.request)
		br := bufio.NewReader(c)
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		all.Go(func() {
			if _, err := br.ReadByte(); err == nil || isTimeout(err) {
				t.Errorf("%s (%s): the connection is still open: %v", name, resp.Status, err)
			}
		})
	}
	all.Wait()
}

// What a server says to an upgrade is bounded: it may be anybody's.
func TestUpgradeAnswersAreBounded(t *testing.T) {
	p := newPort(t, options{})
	sent := make(chan int64, 2)
	p.tcpServer("endless.test:80", func(c *net.TCPConn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nX-Long: ")
		n, _ := io.Copy(c, io.LimitReader(letters{}, 64<<20))
		sent <- n
	})
	p.tcpServer("again.test:80", func(c *net.TCPConn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		n, _ := io.Copy(c, io.LimitReader(strings.NewReader(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 1<<20)), 64<<20))
		sent <- n
	})
	for _, host := range []string{"endless.test", "again.test"} {
		c := p.connect()
		fmt.Fprintf(c, "GET http://%s/ HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", host)
		if resp, body := readResponse(t, c); resp.StatusCode != http.StatusBadGateway {
			t.Errorf("%s: %s %.100q", host, resp.Status, body)
		}
		if n := <-sent; n > 16<<20 { // what the sockets hold comes on top of what was read
			t.Errorf("%s: %d MiB were taken", host, n>>20)
		}
	}
}

// letters are without end.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// An answer that comes long after the body is not cut off by what bounds bodies.
func TestSlowAnswersToBodiesAreWaitedFor(t *testing.T) {
	const d = 100 * time.Millisecond
	p := newPort(t, options{timeouts: Timeouts{Header: d}})
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/whole" {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		select {
		case <-r.Context().Done():
		case <-time.After(5 * d):
		}
		_, _ = io.WriteString(w, "done")
	}))
	t.Cleanup(ts.Close)
	p.lead("slow.test:80", ts.Listener.Addr().String())
	for path, size := range map[string]int{"/whole": 10, "/unread": 10, "/large": 1 << 20} {
		resp, err := p.client().Post("http://slow.test"+path, "text/plain", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) != "done" || err != nil {
			t.Errorf("%s: %s %q %v", path, resp.Status, body, err)
		}
	}
}

// A client that sends a byte now and then gets no more time than one that is silent:
// the header, the handshakes of TLS at our port and at a registry's, and SOCKS5's
// greeting are each timed as a whole.
func TestDripsAreTimedAsAWhole(t *testing.T) {
	const d = 400 * time.Millisecond
	p := newPort(t, options{timeouts: Timeouts{FirstByte: d, Handshake: d, Header: d, Idle: d}})
	hello := "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("x", 500)
	var all sync.WaitGroup
	for name, tc := range map[string]struct {
		c    net.Conn
		sent string
	}{
		"header":                {p.connect(), "GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + strings.Repeat("x", 500)},
		"TLS at our port":       {p.connect(), hello},
		"TLS at a registry":     {p.tunnel(hubHost+":443", ""), hello},
		"header at a registry":  {p.tunnel(plainHost+":80", ""), "GET /v2/ HTTP/1.1\r\nX-Long: " + strings.Repeat("x", 500)},
		"a SOCKS5 greeting":     {p.connect(), "\x05\xff" + strings.Repeat("\x01", 255)},
		"a SOCKS5 request":      {p.connect(), "\x05\x01\x00\x05\x01\x00\x03\xff" + strings.Repeat("x", 255)},
		"a method that is long": {p.connect(), strings.Repeat("A", 24)},
		"line ends before all":  {p.connect(), strings.Repeat("\r\n", 300)},
		"SOCKS5, then TLS":      {p.connect(), socksRequest(1, hubHost, 443) + hello},
	} {
		all.Go(func() {
			begun := time.Now()
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				_, _ = io.Copy(io.Discard, tc.c)
			}()
			for i := range len(tc.sent) {
				select {
				case <-gone:
					if took := time.Since(begun); took > 12*d {
						t.Errorf("%s: it took %s", name, took)
					}
					return
				case <-tick.C:
					_, _ = tc.c.Write([]byte{tc.sent[i]})
				}
			}
			select {
			case <-gone:
			case <-time.After(4 * d):
				t.Errorf("%s: still open", name)
			}
		})
	}
	all.Wait()
}
