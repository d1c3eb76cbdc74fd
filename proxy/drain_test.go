package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	socks "golang.org/x/net/proxy"

	"pulley/proxy/registry"
)

func TestServeDrains(t *testing.T) {
	p := newPort(t, options{})
	p.tcpServer("echo.test:9", echo)
	running, finish := make(chan struct{}), make(chan struct{})
	p.host = func(w http.ResponseWriter, r *http.Request, _ registry.Target) {
		fmt.Fprint(w, "begun, ")
		_ = http.NewResponseController(w).Flush()
		close(running)
		<-finish
		fmt.Fprint(w, "done")
	}
	tunnel := p.tunnel("echo.test:9", "x")
	wantRead(t, tunnel, "x")
	silent := p.tunnel(hubHost+":443", "")
	idle := tls.Client(p.tunnel(hubHost+":443", ""), &tls.Config{RootCAs: p.roots(), ServerName: hubHost})
	if err := idle.Handshake(); err != nil {
		t.Fatal(err)
	}
	resp, err := p.client().Get("https://" + hubHost + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	<-running
	stopped := make(chan error, 1)
	go func() { stopped <- p.stop() }()
	wantEOF(t, silent)
	wantEOF(t, idle)
	p.untilClosed()
	select {
	case err := <-stopped:
		t.Fatalf("stopped before the request was done: %v", err)
	default:
	}
	close(finish)
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "begun, done" {
		t.Errorf("got %q, %v", body, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	wantEOF(t, tunnel)
}

func TestDrainingEndsInTime(t *testing.T) {
	p := newPort(t, options{timeouts: Timeouts{Drain: 50 * time.Millisecond}})
	running := make(chan struct{})
	p.host = func(w http.ResponseWriter, r *http.Request, _ registry.Target) {
		close(running)
		<-r.Context().Done()
	}
	client := p.client()
	failed := make(chan error, 1)
	go func() {
		resp, err := client.Get("https://" + hubHost + "/v2/")
		if err == nil {
			_ = resp.Body.Close()
		}
		failed <- err
	}()
	<-running
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if err := <-failed; err == nil {
		t.Error("the request looks complete")
	}
}

// TestWhoHasAskedNothingIsNotWaitedFor: the port ends at once for clients that are connected with a registry and have sent
// nothing, by whichever door they came.
func TestWhoHasAskedNothingIsNotWaitedFor(t *testing.T) {
	p := newPort(t, options{})
	d, err := socks.SOCKS5("tcp", p.addr, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	inTLS := func() net.Conn {
		c := tls.Client(p.connect(), &tls.Config{RootCAs: p.roots(), ServerName: "localhost"})
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	doors := map[string]func() net.Conn{
		"nothing said":   p.connect,
		"CONNECT":        func() net.Conn { return p.tunnel(hubHost+":443", "") },
		"CONNECT in TLS": func() net.Conn { return p.connectOver(inTLS(), hubHost+":443", "") },
		"TLS":            inTLS,
		"SOCKS5": func() net.Conn {
			c, err := d.Dial("tcp", hubHost+":443")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			return c
		},
	}
	silent := make(map[string][]net.Conn)
	for range 20 {
		for door, connect := range doors {
			silent[door] = append(silent[door], connect())
		}
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if p.log.count("did not end in time") > 0 {
		t.Error("silent clients were waited for")
	}
	for door, all := range silent {
		for _, c := range all {
			if wantEOF(t, c); t.Failed() {
				t.Fatal(door)
			}
		}
	}
}

// TestTunnelsLastAsLongAsRequests: what goes past us goes on while the port waits for requests, also where it is past us only
// because we cannot stand in for the host.
func TestTunnelsLastAsLongAsRequests(t *testing.T) {
	p := newPort(t, options{})
	p.tcpServer(hubHost+":443", echo)
	running, finish := make(chan struct{}), make(chan struct{})
	p.mirror = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "begun, ")
		_ = http.NewResponseController(w).Flush()
		close(running)
		<-finish
		_, _ = io.WriteString(w, "done")
	}
	d, err := socks.SOCKS5("tcp", p.addr, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	bySOCKS, err := d.Dial("tcp", hubHost+":443")
	if err != nil {
		t.Fatal(err)
	}
	defer bySOCKS.Close()
	tunnels := map[string]net.Conn{"CONNECT": p.tunnel(hubHost+":443", ""), "SOCKS5": bySOCKS}
	for _, c := range tunnels {
		fmt.Fprint(c, "no TLS")
		wantRead(t, c, "no TLS")
	}
	silent := p.connect()
	long := p.connect()
	fmt.Fprintf(long, "GET /v2/ HTTP/1.1\r\nHost: %s\r\n\r\n", p.addr)
	<-running
	stopped := make(chan error, 1)
	go func() { stopped <- p.stop() }()
	wantEOF(t, silent)
	for _, c := range tunnels {
		fmt.Fprint(c, "still")
		wantRead(t, c, "still")
	}
	close(finish)
	if _, body := readResponse(t, long); body != "begun, done" {
		t.Errorf("the request got %q", body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	for _, c := range tunnels {
		wantEOF(t, c)
	}
}
