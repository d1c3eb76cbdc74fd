package source_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/egress"
	"pulley/proxy/source"
	"pulley/proxy/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is the origin of a hub.
type rig struct {
	*source.Origin
	hub    *hubtest.Hub
	cfg    *config.Config
	set    *source.Set
	tokens *token.Keeper
	reg    *config.Registry
	server *httptest.Server // in place of the hub
}

func newRig(t *testing.T, hub *hubtest.Hub) *rig {
	t.Helper()
	if err := hub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	cfg := config.Default()
	cfg.Fetch.ExtraRoots = []string{hub.RootsFile()}
	for _, h := range hub.Hosts() {
		cfg.Addresses = append(cfg.Addresses, config.Address{Host: h, Use: []string{hub.Addr()}})
	}
	set, tokens := newSetWithTokens(t, cfg, nil)
	reg, _ := cfg.Registry("docker.io")
	return &rig{Origin: set.Of(reg), hub: hub, cfg: cfg, set: set, tokens: tokens, reg: reg}
}

func newSet(t *testing.T, cfg *config.Config, names egress.Resolver) *source.Set {
	set, _ := newSetWithTokens(t, cfg, names)
	return set
}

func newSetWithTokens(t *testing.T, cfg *config.Config, names egress.Resolver) (*source.Set, *token.Keeper) {
	settings := func() *config.Config { return cfg }
	out := egress.New(egress.Options{Settings: settings, Resolver: names})
	t.Cleanup(out.Close)
	tokens := token.NewKeeper(token.Options{Settings: settings, Network: out})
	return source.NewSet(source.Options{Settings: settings, Network: out, Tokens: tokens}), tokens
}

// open opens a part of a blob at the origin, as a fetch does.
func (r *rig) open(t *testing.T, digest string, off, end int64, id source.Identity) (*source.Body, error) {
	t.Helper()
	return openAt(t, r.set, r.reg, repo, digest, off, end, id)
}

func openAt(t *testing.T, set *source.Set, reg *config.Registry, repo, digest string, off, end int64, id source.Identity) (*source.Body, error) {
	t.Helper()
	for _, p := range set.Places(reg) {
		if p.Origin() {
			return p.Blob(source.Want{Repository: repo, Digest: digest, As: id}).Open(t.Context(), off, end)
		}
	}
	t.Fatal("no origin")
	return nil, nil
}

// labRig is lab with a way to its blobs.
func labRig(t *testing.T, h http.HandlerFunc) *rig {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	cfg := config.Default()
	cfg.Registries = append(cfg.Registries, config.Registry{Name: "lab", Hosts: []string{strings.TrimPrefix(srv.URL, "http://")}, Insecure: true})
	set, tokens := newSetWithTokens(t, cfg, nil)
	reg, _ := cfg.Registry("lab")
	return &rig{Origin: set.Of(reg), cfg: cfg, set: set, tokens: tokens, reg: reg, server: srv}
}

// lab is the origin of an insecure registry that is one handler.
func lab(t *testing.T, h http.HandlerFunc) (*source.Origin, *httptest.Server) {
	t.Helper()
	r := labRig(t, h)
	return r.Origin, r.server
}

func labWithTokens(t *testing.T, h http.HandlerFunc) (*source.Origin, *token.Keeper, *httptest.Server) {
	r := labRig(t, h)
	return r.Origin, r.tokens, r.server
}

type names map[string]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	ip, err := netip.ParseAddr(n[host])
	return []netip.Addr{ip}, err
}

func basic(user, pass string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, pass)
	return r.Header.Get("Authorization")
}

// newSetVia has every name lead through an HTTP proxy at a URL, which answers
// in the registry's stead: registries that are not on this machine.
func newSetVia(t *testing.T, cfg *config.Config, proxy string) *source.Set {
	settings := func() *config.Config { return cfg }
	out := egress.New(egress.Options{
		Settings: settings, Resolver: names{"far.example": "203.0.113.7", "inside.example": "127.0.0.1", "localhost": "127.0.0.1"},
		Environ: []string{"HTTP_PROXY=" + proxy, "NO_PROXY=inside.example,0.0.0.0,169.254.169.254,localhost"},
	})
	t.Cleanup(out.Close)
	return source.NewSet(source.Options{
		Settings: settings, Network: out,
		Tokens: token.NewKeeper(token.Options{Settings: settings, Network: out}),
	})
}
