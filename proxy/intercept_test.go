package proxy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/proxy/registry"
)

func TestRegistryHostsAreIntercepted(t *testing.T) {
	p := newPort(t, options{})
	c := p.client()
	for u, want := range map[string]string{
		"https://registry-1.docker.io/v2/":        "docker.io https://registry-1.docker.io/v2/ by http",
		"https://REGISTRY-1.docker.io:443/v2/x":   "docker.io https://registry-1.docker.io/v2/x by http",
		"https://docker.io/other?q=1":             "docker.io https://docker.io/other?q=1 by http",
		"https://odd.test:5000/v2/":               "odd https://odd.test:5000/v2/ by http",
		"https://10.9.8.7:5000/v2/":               "odd https://10.9.8.7:5000/v2/ by http",
		"https://registry-1.docker.io/v2/a/%2F/b": "docker.io https://registry-1.docker.io/v2/a/%2F/b by http",
	} {
		wantGet(t, c, u, want)
	}
	if d := p.dials(); len(d) != 0 {
		t.Errorf("dialled %v", d)
	}
}

func TestInterceptedConnectionSpeaksHTTP1(t *testing.T) {
	p := newPort(t, options{})
	resp, err := p.client().Get("https://" + hubHost + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	leaf := resp.TLS.PeerCertificates[0]
	if resp.ProtoMajor != 1 || !slices.Equal(leaf.DNSNames, []string{hubHost}) {
		t.Errorf("%s with a leaf for %v", resp.Proto, leaf.DNSNames)
	}
}

func TestClientHelloTogetherWithCONNECT(t *testing.T) {
	p := newPort(t, options{})
	raw := p.connect()
	// The TLS client writes its ClientHello first: put CONNECT before it.
	c := tls.Client(&prefixConn{Conn: raw, prefix: "CONNECT " + hubHost + ":443 HTTP/1.1\r\nHost: x\r\n\r\n", skip: "\r\n\r\n"},
		&tls.Config{RootCAs: p.roots(), ServerName: hubHost})
	fmt.Fprintf(c, "GET /v2/ HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", hubHost)
	if _, body := readResponse(t, c); body != "docker.io https://registry-1.docker.io/v2/ by http" {
		t.Errorf("got %q", body)
	}
}

// prefixConn writes prefix together with the first Write, and skips what it
// reads first up to skip.
type prefixConn struct {
	net.Conn
	prefix, skip string
}

func (c *prefixConn) Write(p []byte) (int, error) {
	prefix := c.prefix
	c.prefix = ""
	n, err := c.Conn.Write(append([]byte(prefix), p...))
	return n - len(prefix), err
}

func (c *prefixConn) Read(p []byte) (int, error) {
	for seen := ""; c.skip != ""; {
		b := make([]byte, 1)
		if _, err := c.Conn.Read(b); err != nil {
			return 0, err
		}
		if seen += string(b); strings.HasSuffix(seen, c.skip) {
			c.skip = ""
		}
	}
	return c.Conn.Read(p)
}

func TestSlowClientHello(t *testing.T) {
	p := newPort(t, options{})
	c := tls.Client(&dribbleConn{Conn: p.tunnel(hubHost+":443", "")}, &tls.Config{RootCAs: p.roots(), ServerName: hubHost})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
}

// dribbleConn writes byte by byte.
type dribbleConn struct{ net.Conn }

func (c *dribbleConn) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// Whatever begins in a way we cannot answer for reaches the real server, with
// every byte it began with.
func TestUnanswerableIsTunnelled(t *testing.T) {
	p := newPort(t, options{})
	ts := p.tlsServer(hubHost + ":443")
	for name, tc := range map[string]struct {
		config *tls.Config
		reason string
	}{
		"only HTTP/2":    {&tls.Config{NextProtos: []string{"h2"}}, ReasonProtocol},
		"another name":   {&tls.Config{ServerName: "example.com"}, ReasonName},
		"subdomain":      {&tls.Config{ServerName: "x." + hubHost}, ReasonName},
		"RSA only":       {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}, ReasonProtocol},
		"ancient TLS":    {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, ReasonProtocol},
		"no common ALPN": {&tls.Config{NextProtos: []string{"h2", "made-up"}}, ReasonProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			n := len(p.events)
			tc.config.InsecureSkipVerify = true
			if tc.config.ServerName == "" {
				tc.config.ServerName = hubHost
			}
			c := tls.Client(p.tunnel(hubHost+":443", ""), tc.config)
			err := c.Handshake()
			if name == "ancient TLS" { // the real server has its own opinion
				if err == nil || !strings.Contains(err.Error(), "protocol version") {
					t.Errorf("handshake: %v", err)
				}
			} else if err != nil {
				t.Fatal(err)
			} else if !c.ConnectionState().PeerCertificates[0].Equal(ts.Certificate()) {
				t.Error("intercepted")
			}
			_ = c.Close()
			if e := p.event(n + 1); e.Reason != tc.reason {
				t.Errorf("event: %+v", e)
			}
		})
	}
	if r := p.s.Rejected(); len(r) != 0 {
		t.Errorf("rejected: %v", r)
	}
}

func TestNoTLSAtARegistryIsTunnelled(t *testing.T) {
	p := newPort(t, options{})
	p.tcpServer(hubHost+":443", echo)
	for _, first := range []string{
		"GET /v2/ HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n", "\x00", "\x05\x01\x00", "\x80binary",
		"\x16 begins like TLS, and is none", "\x16\x03\x01\x00\x05hello",
	} {
		c := p.tunnel(hubHost+":443", first)
		wantRead(t, c, first)
		fmt.Fprint(c, "more")
		wantRead(t, c, "more")
		_ = c.Close()
	}
	if r := p.s.Rejected(); len(r) != 0 {
		t.Errorf("rejected: %v", r)
	}
}

func TestPlainHTTPToAnInsecureRegistry(t *testing.T) {
	p := newPort(t, options{})
	c := p.tunnel(plainHost+":80", "GET /v2/ HTTP/1.1\r\nHost: "+plainHost+"\r\n\r\nGET /v2/x HTTP/1.1\r\nHost: "+plainHost+"\r\nConnection: close\r\n\r\n")
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"plain http://plain.test/v2/ by http", "plain http://plain.test/v2/x by http"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	// And in absolute form, over TLS too.
	wantGet(t, p.client(), "http://"+plainHost+"/v2/y", "plain http://plain.test/v2/y by http")
	wantGet(t, p.client(), "https://"+plainHost+"/v2/y", "plain https://plain.test/v2/y by http")
}

func TestKeepAliveAndSettingsThatChange(t *testing.T) {
	p := newPort(t, options{})
	p.host = func(w http.ResponseWriter, r *http.Request, t registry.Target) {
		fmt.Fprintf(w, "%s %s", r.RemoteAddr, t.Registry.Route)
	}
	c := p.client()
	_, first := get(t, c, "https://"+hubHost+"/v2/")
	cfg := *p.config.Load()
	cfg.Registries = slices.Clone(cfg.Registries)
	cfg.Registries[0].Route = "offline"
	p.config.Store(&cfg)
	if _, second := get(t, c, "https://"+hubHost+"/v2/"); second != first+"offline" {
		t.Errorf("%q, then %q: not the same connection, or old settings", first, second)
	}
	off := cfg
	off.Enabled = false
	p.config.Store(&off)
	resp, err := c.Get("https://" + hubHost + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if !resp.Close {
		t.Error("the connection lives on although Pulley is switched off")
	}
}

func TestOddRequestsOnAnInterceptedConnection(t *testing.T) {
	p := newPort(t, options{})
	for request, want := range map[string]string{
		"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test\r\n\r\n":                  "405 ",
		"GET https://evil.test/v2/ HTTP/1.1\r\nHost: evil.test\r\n\r\n":              "421 ",
		"GET https://" + hubHost + "/v2/z HTTP/1.1\r\nHost: " + hubHost + "\r\n\r\n": "docker.io https://registry-1.docker.io/v2/z by http",
		"nonsense\r\n\r\n": "400 ",
	} {
		c := tls.Client(p.tunnel(hubHost+":443", ""), &tls.Config{RootCAs: p.roots(), ServerName: hubHost})
		fmt.Fprint(c, request)
		resp, body := readResponse(t, c)
		if got := resp.Status + " " + body; !strings.Contains(got, want) {
			t.Errorf("%q: got %q, want %q", request, got, want)
		}
		_ = c.Close()
	}
}

func TestHandlersMayHijack(t *testing.T) {
	p := newPort(t, options{})
	p.host = func(w http.ResponseWriter, r *http.Request, _ registry.Target) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		_, _ = io.Copy(c, io.LimitReader(rw, 5))
	}
	c := tls.Client(p.tunnel(hubHost+":443", ""), &tls.Config{RootCAs: p.roots(), ServerName: hubHost})
	fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: %s\r\n\r\nhello", hubHost)
	wantRead(t, c, "HTTP/1.1 101 Switching Protocols\r\n\r\nhello")
}

// A client that does not know our CA gets through, one try later.
func TestFailOpen(t *testing.T) {
	for name, reject := range map[string]func(*testing.T, *port){
		"alert in TLS 1.3": func(t *testing.T, p *port) { wantUntrusted(t, p, tls.VersionTLS13) },
		"alert in TLS 1.2": func(t *testing.T, p *port) { wantUntrusted(t, p, tls.VersionTLS12) },
		"hanging up": func(t *testing.T, p *port) {
			c := p.tunnel(hubHost+":443", "")
			fmt.Fprint(c, clientHello(t))
			wantRead(t, c, "\x16") // the answer is coming
			_ = c.Close()
		},
		"end without a word": func(t *testing.T, p *port) {
			c := p.tunnel(hubHost+":443", "")
			fmt.Fprint(c, clientHello(t))
			wantRead(t, c, "\x16")
			_ = c.(closeWriter).CloseWrite()
			_, _ = io.Copy(io.Discard, c)
		},
		"alert after the handshake": func(t *testing.T, p *port) {
			c := p.tunnel(hubHost+":443", "")
			tc := tls.Client(c, &tls.Config{RootCAs: p.roots(), ServerName: hubHost, VerifyConnection: nil})
			if err := tc.Handshake(); err != nil {
				t.Fatal(err)
			}
			sendAlert(t, tc)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPort(t, options{})
			ts := p.tlsServer(hubHost + ":443")
			reject(t, p)
			p.eventually(func() bool { return len(p.s.Rejected()) == 1 })
			r := p.s.Rejected()[0]
			if r.Host != hubHost+":443" || r.Until.Sub(p.clock()) != 10*time.Minute || r.Reason == "" {
				t.Errorf("rejection: %+v", r)
			}
			pinned := func() bool {
				c := tls.Client(p.tunnel(hubHost+":443", ""), &tls.Config{InsecureSkipVerify: true, ServerName: hubHost})
				defer c.Close()
				if err := c.Handshake(); err != nil {
					t.Fatal(err)
				}
				return c.ConnectionState().PeerCertificates[0].Equal(ts.Certificate())
			}
			if !pinned() {
				t.Error("still intercepted")
			}
			wantGet(t, p.client(), "https://docker.io/v2/", "docker.io https://docker.io/v2/ by http") // others are
			if n := p.log.count("does not trust the local CA"); n != 1 {
				t.Errorf("said so %d times", n)
			}
			p.s.ForgetRejected()
			if pinned() {
				t.Error("still tunnelled after the CA was trusted")
			}
			reject(t, p)
			p.eventually(func() bool { return len(p.s.Rejected()) == 1 })
			p.advance(9 * time.Minute)
			if !pinned() {
				t.Error("intercepted again too early")
			}
			p.advance(time.Minute)
			if pinned() || len(p.s.Rejected()) != 0 {
				t.Error("still tunnelled after ten minutes")
			}
		})
	}
}

// A client that fetches in parallel hangs up in the middle of handshakes when it
// gives up. Where others have just accepted the certificate that is no rejection;
// an alert always is one.
func TestHangingUpOnAnAcceptedCertificate(t *testing.T) {
	p := newPort(t, options{})
	wantGet(t, p.client(), "https://"+hubHost+"/v2/", "docker.io https://"+hubHost+"/v2/ by http")
	for range 3 {
		c := p.tunnel(hubHost+":443", "")
		fmt.Fprint(c, clientHello(t))
		wantRead(t, c, "\x16")
		_ = c.(closeWriter).CloseWrite()
		_, _ = io.Copy(io.Discard, c) // until the port has noticed
	}
	if r := p.s.Rejected(); len(r) != 0 {
		t.Errorf("rejected: %v", r)
	}
	wantUntrusted(t, p, tls.VersionTLS13)
	p.eventually(func() bool { return len(p.s.Rejected()) == 1 })
}

func wantUntrusted(t *testing.T, p *port, version uint16) {
	t.Helper()
	c := tls.Client(p.tunnel(hubHost+":443", ""), &tls.Config{ServerName: hubHost, MinVersion: version, MaxVersion: version})
	if err := c.Handshake(); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Fatalf("handshake: %v", err)
	}
	_ = c.Close()
}

// clientHello returns the first message of a TLS client.
func clientHello(t *testing.T) string {
	t.Helper()
	a, b := net.Pipe()
	go func() {
		_ = tls.Client(a, &tls.Config{ServerName: hubHost}).Handshake()
		_ = a.Close()
	}()
	buf := make([]byte, 8<<10)
	n, err := b.Read(buf)
	_ = b.Close()
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

// sendAlert makes a client that has finished its handshake send a fatal alert,
// by making it read a record that is none of the server's.
func sendAlert(t *testing.T, c *tls.Conn) {
	t.Helper()
	inner := c.NetConn().(*readerConn)
	inner.r = io.MultiReader(bytes.NewReader([]byte("\x17\x03\x03\x00\x20"+strings.Repeat("x", 32))), inner.r)
	if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "bad record MAC") {
		t.Fatalf("read: %v", err)
	}
	_ = c.Close()
}

// What is no opinion on our certificate does not count as one.
func TestNotEveryFailureIsARejection(t *testing.T) {
	p := newPort(t, options{timeouts: Timeouts{Handshake: 300 * time.Millisecond, FirstByte: 300 * time.Millisecond}}) // the good client in between must make it
	hello := clientHello(t)
	for name, f := range map[string]func(net.Conn){
		"closed at once":          func(net.Conn) {},
		"closed in ClientHello":   func(c net.Conn) { fmt.Fprint(c, hello[:len(hello)/2]) },
		"silent in ClientHello":   func(c net.Conn) { fmt.Fprint(c, hello[:len(hello)/2]); wantEOF(t, c) },
		"silent":                  func(c net.Conn) { wantEOF(t, c) },
		"silent after our answer": func(c net.Conn) { fmt.Fprint(c, hello); _, _ = io.Copy(io.Discard, c) },
		"idle after handshake": func(c net.Conn) {
			tc := tls.Client(c, &tls.Config{RootCAs: p.roots(), ServerName: hubHost})
			if err := tc.Handshake(); err != nil {
				t.Error(err)
			}
			_ = tc.Close()
		},
	} {
		c := p.tunnel(hubHost+":443", "")
		f(c)
		_ = c.Close()
		wantGet(t, p.client(), "https://"+hubHost+"/v2/", "docker.io https://registry-1.docker.io/v2/ by http")
		if r := p.s.Rejected(); len(r) != 0 {
			t.Errorf("%s: %v", name, r)
		}
	}
}

func TestWithoutALeafTheHostIsTunnelled(t *testing.T) {
	p := newPort(t, options{})
	cfg := *p.config.Load()
	cfg.Registries = append(slices.Clone(cfg.Registries), config.Registry{Name: "new", Hosts: []string{"new.test"}})
	p.config.Store(&cfg) // the CA was not told
	ts := p.tlsServer("new.test:443")
	c := tls.Client(p.tunnel("new.test:443", ""), &tls.Config{InsecureSkipVerify: true, ServerName: "new.test"})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if !c.ConnectionState().PeerCertificates[0].Equal(ts.Certificate()) {
		t.Error("intercepted")
	}
}

func TestSessionsResume(t *testing.T) {
	p := newPort(t, options{})
	config := &tls.Config{RootCAs: p.roots(), ServerName: hubHost, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	for _, want := range []bool{false, true} {
		c := tls.Client(p.tunnel(hubHost+":443", ""), config)
		fmt.Fprintf(c, "GET /v2/ HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", hubHost)
		if _, err := io.ReadAll(c); err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().DidResume; got != want {
			t.Errorf("resumed: %v, want %v", got, want)
		}
		_ = c.Close()
	}
}

// A file on the plain path must reach the TCP connection's own ReadFrom, or
// sendfile is lost.
func TestFilesLeaveBySendfile(t *testing.T) {
	var files atomic.Int32
	p := newPort(t, options{listen: func(ln net.Listener) net.Listener { return countingListener{ln, &files} }})
	name := filepath.Join(t.TempDir(), "blob")
	blob := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	if err := os.WriteFile(name, blob, 0o600); err != nil {
		t.Fatal(err)
	}
	p.mirror = func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) }
	resp, err := http.Get("http://" + p.addr + "/v2/a/blobs/x") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(got, blob) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	http.DefaultClient.CloseIdleConnections()
	if files.Load() != 1 {
		t.Errorf("%d files went through ReadFrom", files.Load())
	}
}

// countingListener counts the files that are handed to its connections whole.
type countingListener struct {
	net.Listener
	files *atomic.Int32
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countingConn{c.(*net.TCPConn), l.files}, nil
}

type countingConn struct {
	*net.TCPConn
	files *atomic.Int32
}

func (c countingConn) ReadFrom(r io.Reader) (int64, error) {
	inner := r
	if l, ok := inner.(*io.LimitedReader); ok {
		inner = l.R
	}
	if _, ok := inner.(*os.File); ok {
		c.files.Add(1)
	}
	return c.TCPConn.ReadFrom(r)
}
