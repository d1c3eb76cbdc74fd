package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pulley/cache"
	"pulley/internal/config"
	"pulley/proxy/ca"
	"pulley/proxy/egress"
	"pulley/proxy/registry"
	"pulley/proxy/source"
	"pulley/proxy/token"
)

// longSilence is more than any download, handshake or idle connection may take.
const longSilence = 20 * time.Minute

// A push survives minutes of silence, of the client in the middle of a body and
// of the registry before an answer, and what was sent before the silence is at
// the registry by then.
func TestPushSurvivesSilence(t *testing.T) {
	for _, scheme := range []string{"http", "socks5"} {
		t.Run(scheme, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { pushSilently(t, scheme) }) })
	}
}

func pushSilently(t *testing.T, scheme string) {
	const half = 100_000
	arrived := make(chan struct{}, 1)
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			if _, err := io.CopyN(io.Discard, r.Body, half); err != nil {
				t.Errorf("the first half: %v", err)
			}
			arrived <- struct{}{}
		}
		rest, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("%s: %v", r.Method, err)
		}
		<-time.After(longSilence)
		w.Header().Set("Location", "/v2/alice/app/blobs/uploads/1")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, "%s %d", r.Method, len(rest))
	})
	client := l.client(scheme)
	send := func(method, path string, body io.Reader, want string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "https://"+hubHost+path, body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer of-the-registry")
		begin := time.Now()
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s after %v: %v", method, time.Since(begin), err)
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusAccepted || string(got) != want {
			t.Errorf("%s: %d %q, %v; want %q", method, resp.StatusCode, got, err, want)
		}
		if took := time.Since(begin); took < longSilence {
			t.Errorf("%s: answered after %v, before the registry did", method, took)
		}
	}
	send(http.MethodPost, "/v2/alice/app/blobs/uploads/", nil, "POST 0")
	in, out := io.Pipe()
	go func() {
		piece := make([]byte, half)
		if _, err := out.Write(piece); err != nil {
			t.Errorf("the first half: %v", err)
		}
		select {
		case <-arrived: // not held back until there is more
		case <-t.Context().Done():
		}
		<-time.After(longSilence)
		_, err := out.Write(piece)
		_ = out.CloseWithError(err)
	}()
	send(http.MethodPatch, "/v2/alice/app/blobs/uploads/1", in, fmt.Sprintf("PATCH %d", half))
	send(http.MethodPut, "/v2/alice/app/blobs/uploads/1?digest=x", nil, "PUT 0")
	send(http.MethodPut, "/v2/alice/app/manifests/1", strings.NewReader("{}"), "PUT 2")
}

// lab is all of ours between a client and a registry that is one handler, with a
// network in memory, so that time is the test's.
type lab struct {
	t     *testing.T
	net   *memory
	roots *x509.CertPool
}

// The addresses of the network in memory.
const (
	labPort     = "192.0.2.1:5055"
	labRegistry = "192.0.2.2:443"
)

func newLab(t *testing.T, registryHandler http.HandlerFunc) *lab {
	t.Helper()
	m := &memory{listeners: make(map[string]*handoff)}
	dir := t.TempDir()
	world := openCA(t, filepath.Join(dir, "world"))
	leaf, err := world.Leaf(hubHost)
	if err != nil {
		t.Fatal(err)
	}
	extra := filepath.Join(dir, "world.pem")
	if err := os.WriteFile(extra, world.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	origin := &http.Server{Handler: registryHandler, TLSConfig: &tls.Config{Certificates: []tls.Certificate{*leaf}}}
	ln := m.listen(labRegistry)
	go func() { _ = origin.ServeTLS(ln, "", "") }()
	t.Cleanup(func() { _ = origin.Close() })

	cfg := config.Default()
	cfg.Fetch.ExtraRoots = []string{extra}
	settings := func() *config.Config { return cfg }
	out := egress.New(egress.Options{Settings: settings, Resolver: names{hubHost: "192.0.2.2"}, Dial: m.dial})
	t.Cleanup(out.Close)
	kept, err := cache.Open(cache.Options{Dir: filepath.Join(dir, "cache")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	tokens := token.NewKeeper(token.Options{Settings: settings, Network: out})
	handler, err := registry.New(registry.Options{
		Settings: settings, Cache: kept, Tokens: tokens, Network: out, StateDir: filepath.Join(dir, "state"),
		Sources: source.NewSet(source.Options{Settings: settings, Network: out, Tokens: tokens}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(handler.Close)
	local := openCA(t, filepath.Join(dir, "ca"))
	s, err := New(Options{Settings: settings, CA: local, Dial: out.DialContext, Registry: handler})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	door := m.listen(labPort)
	go func() { served <- s.Serve(ctx, door) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	l := &lab{t: t, net: m, roots: x509.NewCertPool()}
	l.roots.AppendCertsFromPEM(local.PEM())
	return l
}

func openCA(t *testing.T, dir string) *ca.Store {
	t.Helper()
	store, err := ca.Open(ca.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Cover([]string{hubHost}); err != nil {
		t.Fatal(err)
	}
	return store
}

// client is an HTTP client behind the port, which it speaks to by a scheme.
func (l *lab) client(scheme string) *http.Client {
	tr := &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: scheme, Host: labPort}),
		DialContext:     l.net.dial,
		TLSClientConfig: &tls.Config{RootCAs: l.roots},
	}
	l.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// memory is a network.
type memory struct {
	mu        sync.Mutex
	listeners map[string]*handoff
}

func (m *memory) listen(addr string) net.Listener {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := newHandoff(&net.TCPAddr{})
	m.listeners[addr] = h
	return h
}

func (m *memory) dial(_ context.Context, _, addr string) (net.Conn, error) {
	m.mu.Lock()
	h := m.listeners[addr]
	m.mu.Unlock()
	if h == nil {
		return nil, errors.New(addr + ": nobody is there")
	}
	near, far := net.Pipe()
	if !h.push(far) {
		return nil, errors.New(addr + ": closed")
	}
	return near, nil
}
