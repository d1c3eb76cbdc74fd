package main

import (
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pulley/internal/hubtest"
)

// The client must read what is there, to its end, by every door: a row of a client that stops early would be a fast one.
func TestClientReadsWholeBlobsByEveryDoor(t *testing.T) {
	dir := t.TempDir()
	authority, err := newAuthority("a test")
	if err != nil {
		t.Fatal(err)
	}
	content := strings.Repeat("x", 300<<10)
	ca, file := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "blob")
	for name, text := range map[string]string{ca: string(authority), file: content} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	plain, socks := goServerFor(t, dir, ca)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	for name, w := range map[string]*way{
		"plain": plainly(plain), "CONNECT": proxied("https://"+registry, roots, byConnect(plain)),
		"SOCKS5": proxied("https://"+registry, roots, bySOCKS(socks)),
	} {
		c := w.client()
		for range 2 {
			r, err := c.get(t.Context(), "/blob")
			if err != nil || r.bytes != int64(len(content)) || r.first <= 0 || r.took < r.first {
				t.Errorf("%s: %+v: %v", name, r, err)
			}
		}
		if len(c.lines) != 1 {
			t.Errorf("%s: %d connections for two requests", name, len(c.lines))
		}
		if _, err := c.get(t.Context(), "/nothing"); err == nil || !strings.Contains(err.Error(), "404") {
			t.Errorf("%s: what is not there: %v", name, err)
		}
		c.close()
	}
}

func goServerFor(t *testing.T, dir, ca string) (plain, socks string) {
	t.Helper()
	config, err := leafConfig(ca)
	if err != nil {
		t.Fatal(err)
	}
	var listeners [2]net.Listener
	for i := range listeners {
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	server := newGoServer(dir, config)
	go func() { _ = server.serve(listeners[0], listeners[1]) }()
	t.Cleanup(func() {
		_ = server.http.Close()
		_ = listeners[1].Close()
	})
	return listeners[0].Addr().String(), listeners[1].Addr().String()
}

func TestClientFollowsTheHubToItsCDNAndGetsATokenForIt(t *testing.T) {
	hub := hubtest.Start(t)
	image := hubtest.RandomImage(1, 1, 1<<20)
	hub.Push(repository, "latest", image)
	b := &bench{hub: hub}
	w := b.toHub()
	bearer, err := token(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	w.bearer = bearer
	r, err := b.read(t.Context(), w, blobPath(image.Layers[0].Digest.String()))
	if err != nil || r.bytes != image.Layers[0].Content.Size() {
		t.Errorf("%+v: %v", r, err)
	}
	cdn := 0
	for _, request := range hub.Requests() {
		if request.Kind != hubtest.CDN {
			continue
		}
		cdn++
		if request.Header.Get("Authorization") != "" {
			t.Error("the token went to the CDN")
		}
	}
	if cdn != 1 {
		t.Errorf("%d requests at the CDN", cdn)
	}
}
