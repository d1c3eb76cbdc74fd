package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"pulley/internal/config"
	"pulley/proxy/ca"
)

func TestOwnPort(t *testing.T) {
	p := newPort(t, options{})
	for _, tc := range []struct {
		request string
		status  int
		body    string
	}{
		{"GET /v2/library/alpine/manifests/latest?ns=docker.io HTTP/1.1\r\nHost: 127.0.0.1", 200, "mirror /v2/library/alpine/manifests/latest?ns=docker.io"},
		{"GET /v2 HTTP/1.1\r\nHost: localhost:5055", 200, "mirror /v2"},
		{"GET /healthz HTTP/1.1\r\nHost: host.docker.internal:5055", 200, "own /healthz"},
		{"GET /metrics HTTP/1.1\r\nHost: [::1]:5055", 200, "own /metrics"},
		{"GET /metrics HTTP/1.0", 200, "own /metrics"},
		{"GET / HTTP/1.1\r\nHost: 127.0.0.1", 404, aboutPage + "\n"},
		{"GET /v2x HTTP/1.1\r\nHost: 127.0.0.1", 404, aboutPage + "\n"},
		{"GET /v2/ HTTP/1.1\r\nHost: host.orb.internal.:5055", 200, "mirror /v2/"},
		{"GET /v2/ HTTP/1.1\r\nHost: docker.for.mac.localhost", 200, "mirror /v2/"},
		{"GET /v2/ HTTP/1.1\r\nHost: 192.168.1.2:5055", 200, "mirror /v2/"},
		{"GET /v2/ HTTP/1.1\r\nHost: rebind.evil.example", 403, `{"errors":[{"code":"DENIED","message":"this is not rebind.evil.example; use this machine's address"}]}`},
		{"GET /metrics HTTP/1.1\r\nHost: rebind.evil.example", 403, "pulley: this is not rebind.evil.example; use this machine's address\n"},
		{"GET /healthz HTTP/1.1\r\nHost: rebind.evil.example", 403, "pulley: this is not rebind.evil.example; use this machine's address\n"},
		// A client that was not told to leave this machine out of its proxying.
		{"GET http://" + p.addr + "/healthz HTTP/1.1\r\nHost: x", 200, "own /healthz"},
		{"GET http://" + p.addr + "/v2/x HTTP/1.1\r\nHost: x", 200, "mirror /v2/x"},
		{"GET ftp://example.com/ HTTP/1.1\r\nHost: x", 400, "pulley: \"example.com:\" has no valid port\n"},
		{"GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + strings.Repeat("x", 100<<10), 431, ""},
	} {
		c := p.connect()
		go fmt.Fprintf(c, "%s\r\n\r\n", tc.request)
		resp, body := readResponse(t, c)
		if resp.StatusCode != tc.status || tc.body != "" && body != tc.body {
			t.Errorf("%.80q: %s %q, want %d %q", tc.request, resp.Status, body, tc.status, tc.body)
		}
	}
	if d := p.dials(); len(d) != 0 {
		t.Errorf("dialled %v", d)
	}
}

func TestGarbageIsClosed(t *testing.T) {
	p := newPort(t, options{})
	for _, garbage := range []string{"\x00", "\x04\x01\x00\x50", "\xff\xfe", "{}", "1", "hello\r\n", "GET\x00", strings.Repeat("A", 100), "\x16garbage that is not TLS at all", "\x05"} {
		c := p.connect()
		fmt.Fprint(c, garbage)
		_ = c.(closeWriter).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	}
	if n := p.log.count("it speaks nothing we know"); n != 8 {
		t.Errorf("noted %d times", n)
	}
}

func TestSilentClientsAreDropped(t *testing.T) {
	const d = 300 * time.Millisecond
	short := Timeouts{FirstByte: d, Handshake: d, Header: d, Idle: d}
	p := newPort(t, options{timeouts: short})
	var all sync.WaitGroup
	for range 100 {
		c := p.tunnel(hubHost+":443", "")
		all.Go(func() { wantEOF(t, c) })
	}
	for _, sent := range []string{"", "\x16\x03\x01", "GET /v2/ HTTP/1.1\r\nHost: x\r\n", "C"} {
		c := p.connect()
		fmt.Fprint(c, sent)
		all.Go(func() { _, _ = io.Copy(io.Discard, c) })
	}
	c := p.connect()
	fmt.Fprint(c, "GET /v2/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	all.Go(func() {
		got, _ := io.ReadAll(c) // to its idle time-out
		if !strings.HasSuffix(string(got), "mirror /v2/") {
			t.Errorf("got %q", got)
		}
	})
	tc := tls.Client(p.tunnel(hubHost+":443", ""), &tls.Config{RootCAs: p.roots(), ServerName: hubHost})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	all.Go(func() { wantEOF(t, tc) })
	all.Wait()
}

func TestTLSDoor(t *testing.T) {
	p := newPort(t, options{})
	p.tcpServer("echo.test:9", echo)
	dial := func(name string) *tls.Conn {
		c := tls.Client(p.connect(), &tls.Config{RootCAs: p.roots(), ServerName: name, NextProtos: []string{"h2", "http/1.1"}})
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, name := range []string{"localhost", "127.0.0.1", "host.docker.internal", "host.containers.internal"} {
		c := dial(name)
		fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", name)
		if _, body := readResponse(t, c); body != "own /healthz" {
			t.Errorf("%s: %q", name, body)
		}
	}
	p.mirror = func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "TLS: %v", r.TLS != nil) }
	c := dial("localhost")
	fmt.Fprint(c, "GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if _, body := readResponse(t, c); body != "TLS: true" {
		t.Errorf("mirror: %q", body)
	}
	tunnel := p.connectOver(dial("localhost"), "echo.test:9", "early")
	wantRead(t, tunnel, "early")
	fmt.Fprint(tunnel, "late")
	wantRead(t, tunnel, "late")
	if err := tunnel.(closeWriter).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(tunnel); err != nil || len(rest) != 0 {
		t.Errorf("at the end: %q, %v", rest, err)
	}
	inner := tls.Client(p.connectOver(dial("localhost"), hubHost+":443", ""), &tls.Config{RootCAs: p.roots(), ServerName: hubHost})
	fmt.Fprintf(inner, "GET /v2/ HTTP/1.1\r\nHost: %s\r\n\r\n", hubHost)
	if _, body := readResponse(t, inner); body != "docker.io https://registry-1.docker.io/v2/ by tls" {
		t.Errorf("intercepted: %q", body)
	}
	c = dial("localhost")
	fmt.Fprint(c, socksRequest(1, "echo.test", 9)+"hello")
	_, _ = io.ReadFull(c, make([]byte, 12))
	wantRead(t, c, "hello")
}

func TestTLSDoorWithACertificateOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	other, err := ca.Open(ca.Options{Dir: filepath.Join(dir, "ca")})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Cover([]string{"cache.office.test"}); err != nil {
		t.Fatal(err)
	}
	pair, err := other.Leaf("cache.office.test")
	if err != nil {
		t.Fatal(err)
	}
	cert, key := writePair(t, dir, pair)
	p := newPort(t, options{config: func(c *config.Config) { c.Access.Cert, c.Access.Key = cert, key }})
	c := tls.Client(p.connect(), &tls.Config{InsecureSkipVerify: true, ServerName: "cache.office.test"})
	for path, want := range map[string]string{"/healthz": "own /healthz", "/v2/": "mirror /v2/"} {
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: cache.office.test\r\n\r\n", path)
		if _, body := readResponse(t, c); body != want {
			t.Errorf("%s: got %q", path, body)
		}
	}
	if got := c.ConnectionState().PeerCertificates[0]; !got.Equal(pair.Leaf) {
		t.Errorf("presented %v", got.DNSNames)
	}
}

func TestPlainHTTP(t *testing.T) {
	p := newPort(t, options{})
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/headers":
			for _, name := range []string{"User-Agent", "Accept-Encoding", "Proxy-Authorization", "Proxy-Connection", "X-Hop", "X-Kept", "X-Forwarded-For", "Connection"} {
				fmt.Fprintf(w, "%s=%q ", name, r.Header.Values(name))
			}
		case "/echo":
			w.Header()["Content-Type"] = nil
			w.Header()["Date"] = nil
			_, _ = io.Copy(w, r.Body)
		case "/cut":
			w.(http.Flusher).Flush()
			fmt.Fprint(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/slow":
			fmt.Fprint(w, "first")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	}))
	defer ts.Close()
	p.lead("plain.example:80", ts.Listener.Addr().String())
	p.lead("plain.example:8080", ts.Listener.Addr().String())

	c := p.connect()
	fmt.Fprint(c, "GET http://plain.example:8080/headers HTTP/1.1\r\nHost: plain.example:8080\r\nProxy-Authorization: Basic x\r\nProxy-Connection: keep-alive\r\nConnection: x-hop\r\nX-Hop: 1\r\nX-Kept: 2\r\n\r\n")
	want := `User-Agent=[] Accept-Encoding=[] Proxy-Authorization=[] Proxy-Connection=[] X-Hop=[] X-Kept=["2"] X-Forwarded-For=[] Connection=[] `
	if _, body := readResponse(t, c); body != want {
		t.Errorf("the server saw %s", body)
	}
	c = p.connect()
	fmt.Fprint(c, "POST http://plain.example/echo HTTP/1.1\r\nHost: plain.example\r\nContent-Length: 5\r\n\r\nhello")
	resp, body := readResponse(t, c)
	if body != "hello" || resp.Header.Get("Content-Type") != "" || resp.Header.Get("Date") != "" || resp.ContentLength != 5 {
		t.Errorf("echo: %q %v", body, resp.Header)
	}
	if resp, err := p.client().Get("http://plain.example/cut"); err == nil { // a cut answer must not look complete
		if body, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("cut: %q", body)
		}
		_ = resp.Body.Close()
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://plain.example/slow", nil)
	resp, err := p.client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	wantRead(t, resp.Body, "first") // before the answer's end
	cancel()
	_ = resp.Body.Close()

	c = p.connect()
	fmt.Fprint(c, "GET http://gone.example/ HTTP/1.1\r\nHost: gone.example\r\n\r\n")
	if resp, body := readResponse(t, c); resp.StatusCode != 502 || !strings.Contains(body, "gone.example") || strings.Count(body, "\n") != 1 {
		t.Errorf("gone: %s %q", resp.Status, body)
	}
}

// No proxy setting in the environment may send us to ourselves.
func TestTheEnvironmentMakesNoLoop(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(name, "http://"+addr)
	}
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "real") }))
	defer ts.Close()
	p := newPort(t, options{listen: func(old net.Listener) net.Listener {
		_ = old.Close()
		return ln
	}})
	p.addr = addr
	p.lead("example.com:80", ts.Listener.Addr().String())
	wantGet(t, p.client(), "http://example.com/", "real")
	if d := p.dials(); len(d) != 1 {
		t.Errorf("dialled %v", d)
	}
}

func TestWebSocketInAbsoluteForm(t *testing.T) {
	p := newPort(t, options{})
	p.lead("ws.test:80", webSocketServer(t))
	d := websocket.Dialer{NetDial: func(string, string) (net.Conn, error) {
		return &absoluteConn{Conn: p.connect(), host: "ws.test"}, nil
	}}
	ws, resp, err := d.Dial("ws://ws.test/chat", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	wantEcho(t, ws)
	if e := p.event(1); e.Reason != ReasonUpgrade {
		t.Errorf("event: %+v", e)
	}
}

// absoluteConn turns the first request written to it into absolute form.
type absoluteConn struct {
	net.Conn
	host string
}

func (c *absoluteConn) Write(p []byte) (int, error) {
	if c.host == "" {
		return c.Conn.Write(p)
	}
	method, rest, _ := strings.Cut(string(p), " ")
	_, err := fmt.Fprintf(c.Conn, "%s http://%s%s", method, c.host, rest)
	c.host = ""
	return len(p), err
}

func TestAnyUpgradeInAbsoluteForm(t *testing.T) {
	p := newPort(t, options{})
	p.tcpServer("engine.test:2375", func(c *net.TCPConn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		if r.URL.Path == "/no" {
			_, _ = io.WriteString(c, "HTTP/1.1 409 Conflict\r\nContent-Length: 4\r\n\r\nbusy")
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\n\r\nready ")
		echo(c)
	})
	ask := func(path string) net.Conn {
		c := p.connect()
		fmt.Fprintf(c, "POST http://engine.test:2375%s HTTP/1.1\r\nHost: engine.test:2375\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n", path)
		return c
	}
	c := ask("/attach")
	fmt.Fprint(c, "early")
	wantRead(t, c, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nready early")
	_ = c.(closeWriter).CloseWrite()
	if resp, body := readResponse(t, ask("/no")); resp.StatusCode != 409 || body != "busy" {
		t.Errorf("refused: %s %q", resp.Status, body)
	}
}

func TestAllow(t *testing.T) {
	for list, want := range map[string]bool{"": false, "192.0.2.0/24": true, "192.0.2.7": true, "198.51.100.0/24": false} {
		p := newPort(t, options{listen: fromElsewhere, config: func(c *config.Config) {
			c.Access.Allow = nil
			if list != "" {
				c.Access.Allow = []string{list}
			}
		}})
		c := p.connect()
		fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
		got, _ := io.ReadAll(c)
		if strings.Contains(string(got), "own /healthz") != want {
			t.Errorf("allow %q: got %q", list, got)
		}
	}
}

func TestAListenerThatFailsIsReported(t *testing.T) {
	p := newPort(t, options{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	if err := p.s.Serve(t.Context(), ln); err == nil {
		t.Error("no error")
	}
}

func TestNewChecksItsOptions(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("no error")
	}
}

// writePair writes a certificate and its key as PEM files.
func writePair(t *testing.T, dir string, pair *tls.Certificate) (cert, key string) {
	t.Helper()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, data := range map[string][]byte{cert: pemOf(t, "CERTIFICATE", pair.Certificate[0]), key: pemOf(t, "PRIVATE KEY", pkcs8(t, pair.PrivateKey))} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
