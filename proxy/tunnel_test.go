package proxy

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

func TestPinnedTLSSeesTheRealCertificate(t *testing.T) {
	p := newPort(t, options{})
	ts := p.tlsServer("example.com:443")
	c := p.client(ts.Certificate())
	resp, err := c.Get("https://example.com/x")
	if err != nil {
		t.Fatal(err)
	}
	if !resp.TLS.PeerCertificates[0].Equal(ts.Certificate()) {
		t.Error("the client saw another certificate")
	}
	if body, _ := io.ReadAll(resp.Body); string(body) != "real HTTP/2.0 /x" {
		t.Errorf("got %q", body) // HTTP/2 end to end
	}
	_ = resp.Body.Close()
	c.CloseIdleConnections()
	if e := p.event(1); e.Host != "example.com:443" || e.Reason != ReasonNoRegistry || e.Sent == 0 || e.Received == 0 || e.Door != "http" || e.Client != "127.0.0.1" {
		t.Errorf("event: %+v", e)
	}
}

func TestAnyHostAndPort(t *testing.T) {
	p := newPort(t, options{})
	for _, hostport := range []string{"odd.example:1", "[2001:db8::1]:8443", "192.0.2.1:65535", "under_score.test:22", hubHost + ":22"} {
		p.tcpServer(hostport, echo)
		c := p.tunnel(hostport, "")
		fmt.Fprint(c, "hello")
		wantRead(t, c, "hello")
		if d := p.dials(); d[len(d)-1] != hostport {
			t.Errorf("dialled %q for %q", d[len(d)-1], hostport)
		}
		_ = c.Close()
	}
}

func TestBytesSentWithCONNECTAreNotLost(t *testing.T) {
	p := newPort(t, options{})
	p.tcpServer("early.test:9", echo)
	for _, size := range []int{1, 100, 4096 - 60, 4096, 100_000} {
		early := strings.Repeat("e", size)
		c := p.connect()
		go fmt.Fprintf(c, "CONNECT early.test:9 HTTP/1.1\r\n\r\n%s", early)
		wantRead(t, c, "HTTP/1.1 200 Connection established\r\n\r\n"+early)
	}
}

func TestHalfCloseGoesBothWays(t *testing.T) {
	p := newPort(t, options{})
	p.tcpServer("client-first.test:9", func(c *net.TCPConn) {
		got, _ := io.ReadAll(c) // to the client's end
		_, _ = fmt.Fprintf(c, "got %s", got)
	})
	p.tcpServer("server-first.test:9", func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "bye")
		_ = c.CloseWrite()
		got, _ := io.ReadAll(c)
		p.lead("heard:1", string(got))
	})
	c := p.tunnel("client-first.test:9", "")
	fmt.Fprint(c, "request")
	if err := c.(closeWriter).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || string(got) != "got request" {
		t.Errorf("read %q, %v", got, err)
	}
	c = p.tunnel("server-first.test:9", "")
	if got, err := io.ReadAll(c); err != nil || string(got) != "bye" {
		t.Errorf("read %q, %v", got, err)
	}
	fmt.Fprint(c, "still here")
	_ = c.Close()
	p.eventually(func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.hosts["heard:1"] == "still here"
	})
}

func TestAResetIsPassedOnAsOne(t *testing.T) {
	p := newPort(t, options{})
	p.tcpServer("cut.test:9", func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "half")
		_, _ = c.Read(make([]byte, 1)) // the client has it
		_ = c.SetLinger(0)
	})
	c := p.tunnel("cut.test:9", "")
	wantRead(t, c, "half")
	fmt.Fprint(c, "x")
	if _, err := io.ReadAll(c); err == nil {
		t.Error("a cut transfer looks complete")
	}
	if e := p.event(1); e.Err == "" {
		t.Errorf("event: %+v", e)
	}
}

func TestManyBytesUnchanged(t *testing.T) {
	p := newPort(t, options{})
	p.tcpServer("big.test:9", echo)
	c := p.tunnel("big.test:9", "")
	sum := sha256.New()
	const size = 20 << 20
	done := make(chan error, 1)
	go func() {
		_, err := io.CopyN(io.MultiWriter(c, sum), rand.Reader, size)
		done <- errors.Join(err, c.(closeWriter).CloseWrite())
	}()
	back := sha256.New()
	n, err := io.Copy(back, c)
	if err := errors.Join(err, <-done); err != nil || n != size {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if string(sum.Sum(nil)) != string(back.Sum(nil)) {
		t.Error("bytes were changed")
	}
	if e := p.event(1); e.Sent != size || e.Received != size {
		t.Errorf("event: %+v", e)
	}
}

func TestDialErrorsAreOneLine(t *testing.T) {
	p := newPort(t, options{timeouts: Timeouts{Dial: 30 * time.Millisecond}, options: func(o *Options) {
		dial := o.Dial
		o.Dial = dialFunc(func(r dialRequest) (net.Conn, error) {
			if r.addr == "slow.test:443" {
				<-r.ctx.Done()
				return nil, r.ctx.Err()
			}
			return dial(r.ctx, "tcp", r.addr)
		})
	}})
	for target, want := range map[string]int{
		"gone.test:443": 502, "slow.test:443": 504, "noport": 400, ":443": 400, "a/b:443": 400, "x:0": 400, "x:99999": 400, p.addr: 403,
		strings.Replace(p.addr, "127.0.0.1", "localhost", 1): 403, strings.Replace(p.addr, "127.0.0.1", "0.0.0.0", 1): 403,
		strings.Replace(p.addr, "127.0.0.1", "[::ffff:127.0.0.1]", 1): 403,
	} {
		c := p.connect()
		fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
		resp, body := readResponse(t, c)
		if resp.StatusCode != want || strings.Count(body, "\n") > 1 {
			t.Errorf("%s: %s %q, want %d", target, resp.Status, body, want)
		}
	}
}

func TestWebSocketOverCONNECT(t *testing.T) {
	p := newPort(t, options{})
	p.lead("ws.test:80", webSocketServer(t))
	d := websocket.Dialer{Proxy: http.ProxyURL(mustURL("http://" + p.addr)), HandshakeTimeout: patience}
	ws, resp, err := d.Dial("ws://ws.test/chat", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	wantEcho(t, ws)
}

func TestDisabledInterceptsNothing(t *testing.T) {
	p := newPort(t, options{})
	cfg := *p.config.Load()
	cfg.Enabled = false
	p.config.Store(&cfg)
	ts := p.tlsServer(hubHost + ":443")
	c := p.tunnel(hubHost+":443", "")
	tc := tls.Client(c, &tls.Config{InsecureSkipVerify: true, ServerName: hubHost})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	if !tc.ConnectionState().PeerCertificates[0].Equal(ts.Certificate()) {
		t.Error("intercepted although switched off")
	}
	_ = tc.Close()
	if e := p.event(1); e.Reason != ReasonOff {
		t.Errorf("event: %+v", e)
	}
}

// A tunnel that nobody uses ends; one that is silent in one direction only, or
// for less than the limit, does not.
func TestIdleTunnels(t *testing.T) {
	const idle = time.Hour
	for name, tc := range map[string]struct {
		talk func(client, server net.Conn)
		want time.Duration // at the earliest; twice idle later at the latest
	}{
		"silent":           {func(net.Conn, net.Conn) {}, idle},
		"server talks":     {func(_, server net.Conn) { talk(server, 10, idle/2) }, 5 * idle},
		"client talks":     {func(client, _ net.Conn) { talk(client, 10, idle*9/10) }, 9 * idle},
		"in turns, slowly": {func(client, server net.Conn) { talk(client, 3, idle*9/10); talk(server, 3, idle*9/10) }, 5 * idle},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRun(&Server{opt: Options{Timeouts: Timeouts{TunnelIdle: idle}, Log: slog.New(slog.DiscardHandler), Now: time.Now}}, pipeListener{})
				client, near := net.Pipe()
				far, server := net.Pipe()
				go func() { _, _ = io.Copy(io.Discard, client) }()
				go func() { _, _ = io.Copy(io.Discard, server) }()
				go tc.talk(client, server)
				begin := time.Now()
				got := r.relay(near, far)
				if took := time.Since(begin); took < tc.want || took > tc.want+2*idle {
					t.Errorf("ended after %v, want %v or a little later", took, tc.want)
				}
				if !errors.Is(got.err, errIdle) {
					t.Errorf("error: %v", got.err)
				}
				r.cancel()
			})
		})
	}
}

// talk writes n bytes, one each interval.
func talk(c net.Conn, n int, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for range n {
		<-tick.C
		if _, err := c.Write([]byte("x")); err != nil {
			return
		}
	}
}
