package source_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/egress"
	"pulley/proxy/source"
	"pulley/proxy/token"
)

// town is a registry with mirrors, and settings that can be changed.
type town struct {
	*source.Set
	t    *testing.T
	hub  *hubtest.Hub
	cfg  atomic.Pointer[config.Config]
	log  *syncBuffer
	net  atomic.Pointer[string] // the network we are on
	env  map[string]string
	opts source.Options
}

func newTown(t *testing.T, hub *hubtest.Hub, mirrors ...config.Mirror) *town {
	t.Helper()
	if err := hub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	w := &town{t: t, hub: hub, log: &syncBuffer{}, env: map[string]string{}}
	cfg := config.Default()
	cfg.Fetch.ExtraRoots = []string{hub.RootsFile()}
	for _, h := range hub.Hosts() {
		cfg.Addresses = append(cfg.Addresses, config.Address{Host: h, Use: []string{hub.Addr()}})
	}
	reg, _ := cfg.Registry("docker.io")
	reg.Mirrors = mirrors
	w.cfg.Store(cfg)
	w.move("home")
	w.opts = source.Options{
		Settings: w.cfg.Load, Log: slog.New(slog.NewTextHandler(w.log, nil)), StateDir: t.TempDir(),
		Where: func() string { return *w.net.Load() }, Getenv: func(name string) string { return w.env[name] }, DockerDir: t.TempDir(),
	}
	w.restart()
	return w
}

// restart makes the Set anew, as a restart of the daemon does.
func (w *town) restart() {
	out := egress.New(egress.Options{Settings: w.cfg.Load})
	w.t.Cleanup(out.Close)
	w.opts.Network, w.opts.Tokens = out, token.NewKeeper(token.Options{Settings: w.cfg.Load, Network: out})
	w.Set = source.NewSet(w.opts)
}

func (w *town) move(network string) { w.net.Store(&network) }

func (w *town) reg() *config.Registry {
	reg, _ := w.cfg.Load().Registry("docker.io")
	return reg
}

// change edits a copy of the settings and puts it in force.
func (w *town) change(f func(*config.Registry)) {
	cfg := *w.cfg.Load()
	cfg.Registries = append([]config.Registry(nil), cfg.Registries...)
	reg, _ := cfg.Registry("docker.io")
	reg.Mirrors = append([]config.Mirror(nil), reg.Mirrors...)
	f(reg)
	w.cfg.Store(&cfg)
	w.Update()
}

func (w *town) names() string {
	var names []string
	for _, p := range w.Places(w.reg()) {
		names = append(names, p.Name())
	}
	return strings.Join(names, " ")
}

func (w *town) place(name string) *source.Place {
	w.t.Helper()
	for _, p := range w.Places(w.reg()) {
		if p.Name() == name {
			return p
		}
	}
	w.t.Fatalf("no place %q", name)
	return nil
}

// read takes a part of a blob.
func read(t *testing.T, r *source.BlobRef, off, end int64) ([]byte, error) {
	t.Helper()
	b, err := r.Open(t.Context(), off, end)
	if err != nil {
		return nil, err
	}
	defer func() { _ = b.Close() }()
	return io.ReadAll(b)
}

func mirrorOf(m *hubtest.Hub, name string, style hubtest.Style) config.Mirror {
	return config.Mirror{Name: name, URL: m.URL(), Style: string(style), Enabled: true}
}

// shop is a mirror that is one handler, with what it was asked.
type shop struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request
}

func newShop(t *testing.T, h http.HandlerFunc) *shop {
	s := &shop{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, r)
		s.mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shop) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

func (s *shop) mirror(name, style string) config.Mirror {
	return config.Mirror{Name: name, URL: s.URL, Style: style, Enabled: true}
}

// serve answers blobs with data, ranges included.
func serve(data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}
}

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
