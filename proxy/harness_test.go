package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pulley/internal/config"
	"pulley/proxy/ca"
	"pulley/proxy/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// port is a running Server with everything around it that a test may look at.
type port struct {
	t      testing.TB
	s      *Server
	addr   string
	ca     *ca.Store
	config atomic.Pointer[config.Config]
	log    *syncBuffer
	stop   func() error // ends Serve and returns its result; safe twice
	served func() error // waits for Serve

	mu     sync.Mutex
	hosts  map[string]string // where Dial really goes
	dialed []string
	seen   []registry.Target
	events []TunnelEvent
	now    time.Time
	mirror http.HandlerFunc
	host   func(w http.ResponseWriter, r *http.Request, t registry.Target)
	ready  func(w http.ResponseWriter, r *http.Request, t *registry.Target) bool
}

// options change what newPort would do.
type options struct {
	timeouts Timeouts
	config   func(*config.Config)
	options  func(*Options)
	listen   func(net.Listener) net.Listener
}

// The registries of the tests.
const (
	hubHost   = "registry-1.docker.io"
	plainHost = "plain.test" // insecure
)

var remoteClient = netip.MustParseAddr("192.0.2.7")

func newPort(t testing.TB, o options) *port {
	t.Helper()
	p := &port{t: t, hosts: make(map[string]string), now: time.Now(), log: &syncBuffer{}}
	cfg := &config.Config{
		Listen: "127.0.0.1:5055", Enabled: true,
		Access: config.Access{Allow: []string{"192.0.2.0/24"}}, // remoteClient
		Registries: []config.Registry{
			{Name: "docker.io", Hosts: []string{hubHost, "docker.io"}},
			{Name: "plain", Hosts: []string{plainHost}, Insecure: true},
			{Name: "odd", Hosts: []string{"odd.test:5000", "10.9.8.7:5000"}},
		},
	}
	if o.config != nil {
		o.config(cfg)
	}
	p.config.Store(cfg)
	store, err := ca.Open(ca.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range cfg.Registries {
		names = append(names, r.Hosts...)
	}
	if err := store.Cover(names); err != nil {
		t.Fatal(err)
	}
	p.ca = store
	opt := Options{
		Settings: p.config.Load, CA: store, Dial: p.dial, Registry: p, Timeouts: o.timeouts, Now: p.clock,
		Own:    http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "own "+r.URL.Path) }),
		Log:    slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Record: p.record,
	}
	if o.options != nil {
		o.options(&opt)
	}
	if p.s, err = New(opt); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = ln.Addr().String()
	if o.listen != nil {
		ln = o.listen(ln)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- p.s.Serve(ctx, ln) }()
	p.served = sync.OnceValue(func() error { return <-served })
	p.stop = sync.OnceValue(func() error {
		cancel()
		return p.served()
	})
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
		if t.Failed() {
			t.Log(p.log.String())
		}
	})
	return p
}

// ServeMirror, ServeHost and ServeReady make port the RegistryHandler.
func (p *port) ServeMirror(w http.ResponseWriter, r *http.Request) {
	if p.mirror != nil {
		p.mirror(w, r)
		return
	}
	fmt.Fprintf(w, "mirror %s", r.URL)
}

func (p *port) ServeHost(w http.ResponseWriter, r *http.Request, t registry.Target) {
	p.mu.Lock()
	p.seen = append(p.seen, t)
	p.mu.Unlock()
	if p.host != nil {
		p.host(w, r, t)
		return
	}
	fmt.Fprintf(w, "%s %s://%s%s by %s", t.Registry.Name, t.Scheme, t.Host, r.URL, t.Door)
}

func (p *port) ServeReady(w http.ResponseWriter, r *http.Request, t *registry.Target) bool {
	return p.ready != nil && p.ready(w, r, t)
}

func (p *port) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	p.mu.Lock()
	p.dialed = append(p.dialed, addr)
	to := p.hosts[addr]
	p.mu.Unlock()
	if to == "" {
		return nil, fmt.Errorf("%s: no such host", addr)
	}
	return new(net.Dialer).DialContext(ctx, network, to)
}

func (p *port) record(e TunnelEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, e)
}

func (p *port) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *port) advance(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

// lead makes Dial connect to addr when asked for hostport.
func (p *port) lead(hostport, addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hosts[hostport] = addr
}

func (p *port) dials() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.dialed...)
}

// targets are what ServeHost was asked on behalf of.
func (p *port) targets() []registry.Target {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]registry.Target(nil), p.seen...)
}

// event waits for the n-th tunnel to end, from 1.
func (p *port) event(n int) TunnelEvent {
	p.t.Helper()
	var e TunnelEvent
	p.eventually(func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.events) < n {
			return false
		}
		e = p.events[n-1]
		return true
	})
	return e
}

// untilClosed waits until the port takes no connection any more.
func (p *port) untilClosed() {
	p.t.Helper()
	p.eventually(func() bool {
		c, err := net.Dial("tcp", p.addr)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
}

// eventually waits until f is true.
func (p *port) eventually(f func() bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.t.Fatal("waited in vain")
		}
	}
}

// connect opens a TCP connection to the port.
func (p *port) connect() net.Conn {
	p.t.Helper()
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	p.t.Cleanup(func() { _ = c.Close() })
	return c
}

// tunnel opens a connection to the port and sends CONNECT and early in one
// write; it returns the connection after a 200.
func (p *port) tunnel(hostport, early string) net.Conn {
	p.t.Helper()
	c := p.connect()
	return p.connectOver(c, hostport, early)
}

func (p *port) connectOver(c net.Conn, hostport, early string) net.Conn {
	p.t.Helper()
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n%s", hostport, hostport, early)
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil {
		p.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(resp.Body)
		p.t.Fatalf("CONNECT %s: %s %s", hostport, resp.Status, body)
	}
	return &readerConn{Conn: c, r: br}
}

// readerConn is a connection with a reader that may hold bytes of it.
type readerConn struct {
	net.Conn
	r io.Reader
}

func (c *readerConn) Read(p []byte) (int, error) { return c.r.Read(p) }
func (c *readerConn) CloseWrite() error          { return c.Conn.(closeWriter).CloseWrite() }

// roots trusts the local CA.
func (p *port) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(p.ca.PEM())
	return pool
}

// client is an HTTP client that uses the port as its proxy and trusts the local
// CA and extra.
func (p *port) client(extra ...*x509.Certificate) *http.Client {
	pool := p.roots()
	for _, c := range extra {
		pool.AddCert(c)
	}
	tr := &http.Transport{
		Proxy:             http.ProxyURL(&url.URL{Scheme: "http", Host: p.addr}),
		TLSClientConfig:   &tls.Config{RootCAs: pool},
		ForceAttemptHTTP2: true,
	}
	p.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

// get returns the status and body of a GET.
func get(t *testing.T, c *http.Client, u string) (int, string) {
	t.Helper()
	resp, err := c.Get(u)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// wantGet fails unless a GET gives that body.
func wantGet(t *testing.T, c *http.Client, u, want string) {
	t.Helper()
	if _, got := get(t, c, u); got != want {
		t.Errorf("GET %s: got %q, want %q", u, got, want)
	}
}

// tlsServer is a TLS server for name that answers "real <path>".
func (p *port) tlsServer(hostport string) *httptest.Server {
	ts := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "real %s %s", r.Proto, r.URL)
	}))
	ts.EnableHTTP2 = true
	ts.StartTLS()
	p.t.Cleanup(ts.Close)
	p.lead(hostport, ts.Listener.Addr().String())
	return ts
}

// tcpServer runs handle for each connection and leads hostport to it.
func (p *port) tcpServer(hostport string, handle func(*net.TCPConn)) {
	p.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			wg.Go(func() {
				defer c.Close()
				handle(c.(*net.TCPConn))
			})
		}
	})
	p.t.Cleanup(func() {
		_ = ln.Close()
		_ = p.stop() // closes what tunnels hold
		wg.Wait()
	})
	p.lead(hostport, ln.Addr().String())
}

// echo sends everything back.
func echo(c *net.TCPConn) { _, _ = io.Copy(c, struct{ io.Reader }{c}) }

// wantEOF fails unless c is closed by the other side, in good time.
func wantEOF(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if n, err := c.Read(make([]byte, 1)); n != 0 || isTimeout(err) {
		t.Errorf("connection is still open: %d bytes, %v", n, err)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// wantRead fails unless exactly want comes next.
func wantRead(t testing.TB, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", got[:n], err, want)
	}
}

// syncBuffer is a bytes.Buffer for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *syncBuffer) count(s string) int { return strings.Count(b.String(), s) }

// fromElsewhere makes every client look as if it were not on this machine.
func fromElsewhere(ln net.Listener) net.Listener { return remoteListener{ln} }

type remoteListener struct{ net.Listener }

func (l remoteListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return remoteConn{c.(*net.TCPConn)}, nil
}

type remoteConn struct{ *net.TCPConn }

func (remoteConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(remoteClient, 40000))
}
