package egress_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/armon/go-socks5"
	"go.uber.org/goleak"

	"pulley/internal/config"
	"pulley/proxy/egress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// names is a resolver of a few names.
type names map[string][]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, s := range n[host] {
		out = append(out, netip.MustParseAddr(s))
	}
	if out == nil {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return out, nil
}

type rig struct {
	*egress.Egress
	log *bytes.Buffer
}

func newRig(t *testing.T, o egress.Options, change ...func(*config.Config)) *rig {
	t.Helper()
	cfg := config.Default()
	for _, c := range change {
		c(cfg)
	}
	if o.Settings == nil {
		o.Settings = func() *config.Config { return cfg }
	}
	log := &bytes.Buffer{}
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	if o.Resolver == nil {
		o.Resolver = names{}
	}
	e := egress.New(o)
	t.Cleanup(e.Close)
	return &rig{e, log}
}

// hello reads the name that a [waytest.Echo] says.
func hello(t *testing.T, c net.Conn, err error) string {
	t.Helper()
	if err != nil {
		return err.Error()
	}
	defer func() { _ = c.Close() }()
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// httpProxy is a small forward proxy that records what it was asked for. Every
// name leads it to the address in to.
type httpProxy struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
	to    string
	auth  string // Proxy-Authorization demanded, if any
	quiet bool   // the far side does not speak first
}

func newProxy(t *testing.T, to string, tls bool) *httpProxy {
	t.Helper()
	p := &httpProxy{to: to}
	p.Server = httptest.NewUnstartedServer(p)
	if tls {
		p.StartTLS()
	} else {
		p.Start()
	}
	t.Cleanup(p.Close)
	return p
}

func (p *httpProxy) requests() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.asked, " ")
}

func (p *httpProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+":"+r.RequestURI)
	p.mu.Unlock()
	if p.auth != "" && r.Header.Get("Proxy-Authorization") != p.auth {
		http.Error(w, "who are you", http.StatusProxyAuthRequired)
		return
	}
	if r.Method != http.MethodConnect {
		_, _ = io.WriteString(w, "plain by proxy")
		return
	}
	var d net.Dialer
	far, err := d.DialContext(r.Context(), "tcp", p.to)
	if err != nil {
		http.Error(w, "cannot reach it", http.StatusBadGateway)
		return
	}
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = far.Close()
		return
	}
	// The answer and the first bytes of the far side in one packet, as a fast
	// server's greeting arrives.
	first := make([]byte, 64<<10)
	n := 0
	if !p.quiet {
		n, _ = far.Read(first)
	}
	_, _ = c.Write(append([]byte("HTTP/1.1 200 OK\r\n\r\n"), first[:n]...))
	go func() { _, _ = io.Copy(far, c); _ = far.Close() }()
	_, _ = io.Copy(c, far)
	_ = c.Close()
}

func contextFor(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

// What the SOCKS server under test does with names: keep them, tell them, and
// lead them all to one address.
type keepNames struct{}

func (keepNames) Resolve(ctx context.Context, _ string) (context.Context, net.IP, error) {
	return ctx, nil, nil
}

type asking struct{ names chan string }

func (a asking) Allow(ctx context.Context, req *socks5.Request) (context.Context, bool) {
	a.names <- req.DestAddr.FQDN
	return ctx, true
}

type rewrite struct{ to string }

func (r rewrite) Rewrite(ctx context.Context, _ *socks5.Request) (context.Context, *socks5.AddrSpec) {
	ap := netip.MustParseAddrPort(r.to)
	return ctx, &socks5.AddrSpec{IP: ap.Addr().AsSlice(), Port: int(ap.Port())}
}
