package registry_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"

	"pulley/cache"
	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/egress"
	"pulley/proxy/registry"
	"pulley/proxy/source"
	"pulley/proxy/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	hubHost   = "registry-1.docker.io"
	indexType = "application/vnd.oci.image.index.v1+json"
	// accepts is what an engine of today takes.
	accepts = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, " +
		"application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)

// room is a Hub, everything of ours above it, and clients at every door.
type room struct {
	t    testing.TB
	hub  *hubtest.Hub
	dir  string
	kept *cache.Options

	stored func(cache.Name, digest.Digest, bool)
	wait   registry.Waits
	own    http.Handler // the person's own images; nil: none

	mu     sync.Mutex
	cfg    *config.Config
	ahead  time.Duration // how much our clock is ahead
	from   string        // where all clients are; "": here
	events []registry.Event
	news   chan struct{}
	hit    func()        // see hold
	gate   chan struct{} // nil: open

	cache   *cache.Cache
	handler *registry.Handler
	sources *source.Set
	egress  *egress.Egress
	server  *httptest.Server
	client  *http.Client
}

// newRoom starts a hub unless it is given one that is not started yet.
func newRoom(t testing.TB, hub *hubtest.Hub) *room {
	t.Helper()
	if hub == nil {
		hub = &hubtest.Hub{}
	}
	if err := hub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	r := &room{t: t, hub: hub, dir: t.TempDir(), cfg: config.Default(), news: make(chan struct{})}
	r.set(func(c *config.Config) {
		c.Fetch.ExtraRoots = []string{hub.RootsFile()}
		for _, host := range hub.Hosts() {
			c.Addresses = append(c.Addresses, config.Address{Host: host, Use: []string{hub.Addr()}})
		}
	})
	r.open()
	t.Cleanup(r.close)
	return r
}

// open makes everything but the hub; after close, as a restart does.
func (r *room) open() {
	r.t.Helper()
	var err error
	o := cache.Options{Dir: filepath.Join(r.dir, "cache"), Now: r.now}
	if r.kept != nil {
		o = *r.kept
	}
	if r.cache, err = cache.Open(o); err != nil {
		r.t.Fatal(err)
	}
	r.egress = egress.New(egress.Options{Settings: r.settings})
	tokens := token.NewKeeper(token.Options{Settings: r.settings, Network: r.egress, Now: r.now})
	r.sources = source.NewSet(source.Options{
		Settings: r.settings, Network: r.egress, Tokens: tokens, Now: r.now, StateDir: filepath.Join(r.dir, "state"),
	})
	r.handler, err = registry.New(registry.Options{
		Settings: r.settings, Cache: r.cache, Sources: r.sources, Tokens: tokens, Network: r.egress,
		StateDir: filepath.Join(r.dir, "state"), Now: r.now, Record: r.record, Waits: r.wait, Stored: r.stored, Own: r.own,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.server = httptest.NewServer(http.HandlerFunc(r.serve))
	addr := r.server.Listener.Addr().String()
	r.client = &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, network, addr)
			},
			DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (r *room) close() {
	if r.server == nil {
		return
	}
	r.client.CloseIdleConnections()
	r.server.CloseClientConnections()
	r.server.Close()
	r.handler.Close()
	if err := r.cache.Close(); err != nil {
		r.t.Errorf("closing the cache: %v", err)
	}
	r.egress.Close()
	r.server = nil
}

func (r *room) restart() { r.close(); r.open() }

// serve does what the port does: a configured host is a registry, everything
// else is the mirror; what is ready is given at once.
func (r *room) serve(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	if r.from != "" {
		q.RemoteAddr = r.from
	}
	r.mu.Unlock()
	if reg, ok := r.settings().RegistryByHost(q.Host); ok {
		t := registry.Target{Registry: reg, Scheme: "http", Host: q.Host, Door: "http"}
		if !r.handler.ServeReady(w, q, &t) {
			r.handler.ServeHost(w, q, t)
		}
		return
	}
	if !r.handler.ServeReady(w, q, nil) {
		r.handler.ServeMirror(w, q)
	}
}

func (r *room) settings() *config.Config {
	r.mu.Lock()
	cfg, hit, gate := r.cfg, r.hit, r.gate
	r.mu.Unlock()
	if gate != nil {
		hit()
		<-gate
	}
	return cfg
}

// hold keeps whoever asks for the settings waiting until open; hit is closed when
// somebody does.
func (r *room) hold() (hit <-chan struct{}, open func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked, gate := make(chan struct{}), make(chan struct{})
	r.hit, r.gate = sync.OnceFunc(func() { close(asked) }), gate
	return asked, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.gate = nil
		close(gate)
	}
}

// set changes the settings as a person would: at once, for what comes next.
func (r *room) set(change func(*config.Config)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := *r.cfg
	c.Registries = slices.Clone(c.Registries)
	c.Addresses = slices.Clone(c.Addresses)
	change(&c)
	r.cfg = &c
}

func (r *room) route(name, route string) {
	r.set(func(c *config.Config) {
		reg, _ := c.Registry(name)
		reg.Route = route
	})
}

// elsewhere makes every client one that is not on this machine.
func (r *room) elsewhere() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.from = "192.0.2.7:40000"
}

func (r *room) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Add(r.ahead)
}

// pass lets time pass for us alone.
func (r *room) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ahead += d
}

func (r *room) record(e registry.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	close(r.news)
	r.news = make(chan struct{})
}

// event waits for one that fits, and forgets it and those before.
func (r *room) event(fits func(registry.Event) bool) registry.Event {
	r.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		r.mu.Lock()
		i := slices.IndexFunc(r.events, fits)
		var e registry.Event
		if i >= 0 {
			e = r.events[i]
			r.events = r.events[i+1:]
		}
		news := r.news
		r.mu.Unlock()
		if i >= 0 {
			return e
		}
		select {
		case <-news:
		case <-deadline:
			r.t.Fatal("no such event")
		}
	}
}

// idle waits until nothing is being downloaded.
func (r *room) idle() {
	r.t.Helper()
	r.until("downloads to end", func() bool { return len(r.handler.Active()) == 0 })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.hub.Quiet(ctx); err != nil {
		r.t.Fatal(err)
	}
}

// until waits for a condition that has no event of its own.
func (r *room) until(what string, ok func() bool) {
	r.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			r.t.Fatalf("waiting for %s", what)
		}
	}
}

func content(t testing.TB, c hubtest.Content, off, n int64) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := c.ReadAt(b, off); err != nil && err != io.EOF { //nolint:errorlint // io.ReaderAt says so itself
		t.Fatal(err)
	}
	return b
}

func same(a, b []byte) bool { return bytes.Equal(a, b) }

func wantStatus(t testing.TB, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: status %d, want %d", what, got, want)
	}
}

func has(s, part string) bool { return strings.Contains(s, part) }
