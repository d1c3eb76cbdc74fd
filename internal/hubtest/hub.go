package hubtest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

// Hub is the whole service. The zero value works; exported fields are read at Start and must not change afterwards
// (there is a Set method for whatever may). All methods may be called concurrently, and those that put content into
// repositories also before Start.
type Hub struct {
	RegistryHost string   // default registry-1.docker.io; of a mirror mirror-1.example and so on
	AuthHost     string   // default auth.docker.io; of a mirror RegistryHost
	CDNHost      string   // default production.cloudflare.docker.com; of a mirror none
	Aliases      []string // further names of the registry; default index.docker.io, docker.io
	Auth         Scheme   // of the registry
	Of           *Hub     // the registry is a mirror of that hub, which must run; see MirrorOf
	Style        Style    // of the mirror; default StyleHost
	Sites        []*Site  // further registries on the same port

	Users map[string]string // name → password, for all sites that have none of their own

	Listen      string   // default: a free port of 127.0.0.1 outside the ephemeral range
	ListenPlain string   // the same
	Also        []string // further IP addresses (127.0.0.2 …) that have Listen's port open; see Faults.Addr
	HTTP2       bool     // offer h2 as the real one does; off because engines speak HTTP/1.1 to registries

	TokenTTL    time.Duration // default 300s
	URLTTL      time.Duration // of signed CDN URLs; default 20 minutes
	Redirect    Redirect      // how blobs are redirected; see SetRedirect
	RateLimit   int           // manifest GETs per identity and RateWindow; 0: no limit and no ratelimit headers
	RateWindow  time.Duration // default 6h
	MaxManifest int64         // bytes of a pushed one; default 4 MiB, the least that the OCI distribution specification asks for
	NoReferrers bool          // answer 404 at the referrers API, as GHCR does
	SendBuffer  int           // SO_SNDBUF of accepted connections; 0: the system's

	Other http.Handler     // gets what is not the registry API, upgrades included; nil: 404
	Now   func() time.Time // clock of tokens, signed URLs and limits; default time.Now
	Log   *slog.Logger     // nil: silent

	once    sync.Once
	key     []byte // signs tokens and URLs
	names   *regexp.Regexp
	primary *Site
	sites   []*Site // primary first

	mu       sync.Mutex // guards everything below, and the sites' repositories
	started  bool
	closed   bool
	dir      string
	ca       *authority
	leaf     *tls.Certificate
	stranger *tls.Certificate
	misnamed *tls.Certificate
	server   *http.Server
	doors    []*door // TLS, plain, Also
	conns    map[*conn]struct{}
	crowd    crowd
	lastConn int64
	copies   int // mirrors of this hub
	redirect Redirect
	users    map[string]string
	uploads  map[string]*upload
	limits   limits

	done     chan struct{}
	incoming chan net.Conn
	wg       sync.WaitGroup

	faults faultBook
	record record
}

// Start starts a hub with default settings and closes it when the test ends.
func Start(t testing.TB) *Hub {
	t.Helper()
	h := &Hub{}
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// init fills in what the zero value leaves open.
func (h *Hub) init() {
	h.once.Do(func() {
		def := func(s *string, v string) {
			if *s == "" {
				*s = v
			}
		}
		if h.Of != nil {
			def(&h.RegistryHost, h.Of.nameMirror())
			def(&h.AuthHost, h.RegistryHost)
			def((*string)(&h.Style), string(StyleHost))
		} else {
			def(&h.CDNHost, "production.cloudflare.docker.com")
		}
		def(&h.RegistryHost, "registry-1.docker.io")
		def(&h.AuthHost, "auth.docker.io")
		if h.Aliases == nil && h.RegistryHost == "registry-1.docker.io" {
			h.Aliases = []string{"index.docker.io", "docker.io"}
		}
		if h.TokenTTL == 0 {
			h.TokenTTL = 300 * time.Second
		}
		if h.URLTTL == 0 {
			h.URLTTL = 20 * time.Minute
		}
		if h.RateWindow == 0 {
			h.RateWindow = 6 * time.Hour
		}
		if h.MaxManifest == 0 {
			h.MaxManifest = 4 << 20
		}
		if h.Now == nil {
			h.Now = time.Now
		}
		if h.Log == nil {
			h.Log = slog.New(slog.DiscardHandler)
		}
		h.faults.now = h.Now
		h.key = make([]byte, 32)
		rand.Read(h.key) //nolint:errcheck // crypto/rand.Read never fails
		h.names = regexp.MustCompile(repoName)
		h.redirect = h.Redirect
		h.limits.limit = h.RateLimit
		h.users = map[string]string{}
		for name, password := range h.Users {
			h.users[name] = password
		}
		h.conns = map[*conn]struct{}{}
		h.crowd = crowd{}
		h.uploads = map[string]*upload{}
		h.done = make(chan struct{})
		h.incoming = make(chan net.Conn)
		h.primary = &Site{
			Host: h.RegistryHost, Aliases: h.Aliases, TokenHost: h.AuthHost, CDN: h.CDNHost,
			Auth: h.Auth, NoReferrers: h.NoReferrers, limited: true, of: h.Of, style: h.Style,
		}
		if h.Of == nil {
			h.primary.Service = "registry.docker.io"
		}
		h.sites = append([]*Site{h.primary}, h.Sites...)
		for _, s := range h.sites {
			s.attach(h)
		}
	})
}

// Start listens and serves until Close.
func (h *Hub) Start() (err error) {
	h.init()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.started {
		return errors.New("hub: started already")
	}
	if h.dir, err = os.MkdirTemp("", "hubtest-"); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(h.dir)
		}
	}()
	if h.ca, err = h.authority(); err != nil {
		return fmt.Errorf("hub: certificate authority: %w", err)
	}
	if h.leaf, err = h.ca.leaf(h.certified()); err != nil {
		return fmt.Errorf("hub: certificate: %w", err)
	}
	if err = os.WriteFile(filepath.Join(h.dir, "roots.pem"), h.ca.pem, 0o644); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	if err = h.listen(); err != nil {
		return fmt.Errorf("hub: %w", err)
	}
	h.serve()
	h.started = true
	return nil
}

// certified is what the hub's certificate is for.
func (h *Hub) certified() []string {
	return slices.Concat(h.Hosts(), []string{"localhost", "127.0.0.1", "::1"}, h.Also)
}

// authority is a new one, or that of the hub this is a mirror of.
func (h *Hub) authority() (*authority, error) {
	if h.Of == nil {
		return newAuthority("hubtest root")
	}
	h.Of.mu.Lock()
	defer h.Of.mu.Unlock()
	if !h.Of.started {
		return nil, errors.New("the hub it is a mirror of is not started")
	}
	return h.Of.ca, nil
}

// serve starts the HTTP server and the accept loops. h.mu is held.
func (h *Hub) serve() {
	h.server = &http.Server{
		Handler:           http.HandlerFunc(h.handle),
		ReadHeaderTimeout: time.Minute, // and none for bodies: pushes may be silent for minutes
		ConnContext:       connContext,
		ConnState:         h.connState,
		ErrorLog:          slog.NewLogLogger(h.Log.Handler(), slog.LevelDebug),
		TLSConfig:         h.tlsConfig(),
	}
	h.wg.Go(func() {
		_ = h.server.Serve(&queue{h})
	})
	for _, d := range h.doors {
		h.admit(d)
	}
}

// Close stops serving, cuts what is open and waits for every goroutine of the hub. It may be called twice.
func (h *Hub) Close() {
	h.init()
	h.mu.Lock()
	if h.closed || !h.started {
		h.closed = true
		h.mu.Unlock()
		return
	}
	h.closed = true
	close(h.done)
	h.shut(true, nil)
	h.mu.Unlock()
	_ = h.server.Close()
	h.wg.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, u := range h.uploads {
		u.drop()
	}
	os.RemoveAll(h.dir)
}

// Hosts lists every host name the hub answers for: registry, token service, CDN, then aliases and further sites'.
func (h *Hub) Hosts() []string {
	h.init()
	var hosts []string
	for _, s := range h.sites {
		for _, name := range append([]string{s.Host, s.TokenHost, s.CDN}, s.Aliases...) {
			if name = hostname(name); name != "" && !slices.Contains(hosts, name) {
				hosts = append(hosts, name)
			}
		}
	}
	return hosts
}

// RootsPEM is the certificate of the CA that signed the hub's.
func (h *Hub) RootsPEM() []byte { return slices.Clone(h.ca.pem) }

// RootsFile is a file with RootsPEM, there until Close.
func (h *Hub) RootsFile() string { return filepath.Join(h.dir, "roots.pem") }

// Roots is a pool with that certificate alone.
func (h *Hub) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(h.ca.cert)
	return pool
}

// DialContext connects to the hub whatever the address says, as a hosts file would. Port 80 leads to the same port.
func (h *Hub) DialContext(ctx context.Context, network, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, h.Addr())
}

// Transport is a new HTTP transport that dials the hub for every host and trusts its CA. The caller closes its idle
// connections.
func (h *Hub) Transport() *http.Transport {
	return &http.Transport{
		DialContext:         h.DialContext,
		TLSClientConfig:     &tls.Config{RootCAs: h.Roots(), MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: 64,
		DisableCompression:  true,
		ForceAttemptHTTP2:   h.HTTP2,
	}
}

// Client is a new client over Transport that follows redirects as Go does.
func (h *Hub) Client() *http.Client { return &http.Client{Transport: h.Transport()} }

// SetUser adds a user, or changes a password.
func (h *Hub) SetUser(name, password string) {
	h.init()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users[name] = password
}

// Site returns the registry of that host name; "" is the first one. It panics on a name that is no registry here.
func (h *Hub) Site(host string) *Site {
	h.init()
	if host == "" {
		return h.primary
	}
	if s := h.find(host); s != nil {
		return s
	}
	panic("hubtest: no registry " + host)
}

func (h *Hub) find(host string) *Site {
	for _, s := range h.sites {
		if s.Host == host || slices.Contains(s.Aliases, host) {
			return s
		}
	}
	return nil
}

// Push puts an image (all its children too) into a repository of the first registry. An empty tag sets none.
func (h *Hub) Push(repo, tag string, img Image) digest.Digest { return h.Site("").Push(repo, tag, img) }

// AddBlob puts a blob into a repository of the first registry.
func (h *Hub) AddBlob(repo string, data []byte) digest.Digest { return h.Site("").AddBlob(repo, data) }

// AddRandomBlob puts a generated blob there that is not held in memory; see Random.
func (h *Hub) AddRandomBlob(repo string, seed uint64, size int64) digest.Digest {
	return h.Site("").AddContent(repo, Random(seed, size))
}

// AddContent puts any content there.
func (h *Hub) AddContent(repo string, c Content) digest.Digest {
	return h.Site("").AddContent(repo, c)
}

// SetPrivate hides a repository of the first registry from everybody but the users named.
func (h *Hub) SetPrivate(repo string, users ...string) { h.Site("").SetPrivate(repo, users...) }

// SetPublic shows it to everybody again.
func (h *Hub) SetPublic(repo string) { h.Site("").SetPublic(repo) }

// Delete removes a tag, a manifest (with its tags) or a blob from a repository of the first registry.
func (h *Hub) Delete(repo, ref string) { h.Site("").Delete(repo, ref) }
