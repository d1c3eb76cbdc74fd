package proxy

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"pulley/proxy/registry"
)

// BenchmarkNewConnection is what dockerd does for each request: CONNECT, TLS
// handshake, one small GET. "bare" is a Go tunnel in front of a Go TLS server
// with the same kind of key.
func BenchmarkNewConnection(b *testing.B) {
	p := newPort(b, options{})
	p.host = func(w http.ResponseWriter, _ *http.Request, _ registry.Target) { _, _ = io.WriteString(w, "hello") }
	config := &tls.Config{RootCAs: p.roots(), ServerName: hubHost}
	leaf, err := p.ca.Leaf(hubHost)
	if err != nil {
		b.Fatal(err)
	}
	origin := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	origin.TLS = &tls.Config{Certificates: []tls.Certificate{*leaf}, NextProtos: []string{"http/1.1"}, SessionTicketsDisabled: true}
	origin.StartTLS()
	defer origin.Close()
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		up, err := net.Dial("tcp", origin.Listener.Addr().String())
		if err != nil {
			return
		}
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(up, c); _ = up.Close() }()
		_, _ = io.Copy(c, up)
		_ = c.Close()
	}))
	defer bare.Close()
	one := func(addr string) error {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer c.Close()
		_, _ = fmt.Fprintf(c, "CONNECT %s:443 HTTP/1.1\r\nHost: %[1]s\r\n\r\n", hubHost)
		if _, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodConnect}); err != nil {
			return err
		}
		tc := tls.Client(c, config)
		_, _ = fmt.Fprintf(tc, "GET /v2/ HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", hubHost)
		_, err = io.ReadAll(tc)
		return err
	}
	var took [2]time.Duration
	b.ReportAllocs()
	for b.Loop() {
		for i, addr := range []string{p.addr, bare.Listener.Addr().String()} {
			begin := time.Now()
			if err := one(addr); err != nil {
				b.Fatal(err)
			}
			took[i] += time.Since(begin)
		}
	}
	b.ReportMetric(float64(took[0])/float64(took[1]), "of-bare")
	b.ReportMetric(float64(took[0].Microseconds())/float64(b.N), "µs/ours")
}
