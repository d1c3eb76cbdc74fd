package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"pulley/proxy/registry"
)

// TestServeDrains: a port that ends waits for requests, and for nobody who has none. Tunnels go on as long, also those that go
// past us only because we cannot stand in for the host.
func TestServeDrains(t *testing.T) {
	p := newPort(t, options{})
	p.tcpServer("echo.test:9", echo)
	p.tcpServer(hubHost+":443", echo)
	running, finish := make(chan struct{}), make(chan struct{})
	p.host = func(w http.ResponseWriter, r *http.Request, _ registry.Target) {
		fmt.Fprint(w, "begun, ")
		_ = http.NewResponseController(w).Flush()
		close(running)
		<-finish
		fmt.Fprint(w, "done")
	}
	tunnels := map[string]net.Conn{
		"not a registry":    p.tunnel("echo.test:9", "x"),
		"no TLS":            p.tunnel(hubHost+":443", "x"),
		"no TLS, by SOCKS5": p.socksTunnel(hubHost, 443, "x"),
	}
	for _, c := range tunnels {
		wantRead(t, c, "x")
	}
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
	for name, c := range tunnels {
		fmt.Fprint(c, name)
		wantRead(t, c, name)
	}
	close(finish)
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "begun, done" {
		t.Errorf("got %q, %v", body, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	for _, c := range tunnels {
		wantEOF(t, c)
	}
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

// TestWhoHasAskedNothingIsNotWaitedFor: the port ends at once for clients that have not asked for anything, of the port itself or
// of the registry that they are connected with, by whichever door they came.
func TestWhoHasAskedNothingIsNotWaitedFor(t *testing.T) {
	p := newPort(t, options{})
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
		"SOCKS5":         func() net.Conn { return p.socksTunnel(hubHost, 443, "") },
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
