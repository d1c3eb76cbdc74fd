package token_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/egress"
	"pulley/proxy/token"
)

// rig is a keeper in front of a hub.
type rig struct {
	*token.Keeper
	hub  *hubtest.Hub
	cfg  *config.Config
	site token.Site
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
	reg, _ := cfg.Registry("docker.io")
	return &rig{keeper(t, cfg), hub, cfg, token.Site{Registry: reg, Host: "registry-1.docker.io"}}
}

func keeper(t *testing.T, cfg *config.Config) *token.Keeper {
	return keeperAt(t, cfg, nil, nil)
}

// keeperAt has its own clock and names.
func keeperAt(t *testing.T, cfg *config.Config, names egress.Resolver, now func() time.Time) *token.Keeper {
	settings := func() *config.Config { return cfg }
	out := egress.New(egress.Options{Settings: settings, Resolver: names})
	t.Cleanup(out.Close)
	return token.NewKeeper(token.Options{Settings: settings, Network: out, Now: now})
}

// discovered has the keeper know the registry's challenge.
func (r *rig) discovered(t *testing.T) *rig {
	t.Helper()
	h, err := r.Discover(t.Context(), r.site)
	if err != nil || h.Scheme != token.Bearer {
		t.Fatalf("hint %+v, %v", h, err)
	}
	return r
}

func (r *rig) authorize(t *testing.T, scope string, c token.Credentials) (string, bool) {
	t.Helper()
	h, fresh, err := r.Authorize(t.Context(), r.site, scope, c)
	if err != nil {
		t.Fatal(err)
	}
	return h, fresh
}

// insecure is a keeper in front of a plain HTTP registry whose token service is
// a handler on the same host.
func insecure(t *testing.T, now func() time.Time, service http.HandlerFunc) (*token.Keeper, token.Site) {
	t.Helper()
	srv := httptest.NewServer(nil)
	t.Cleanup(srv.Close)
	host := strings.TrimPrefix(srv.URL, "http://")
	srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+srv.URL+`/token",service="lab"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		service(w, r)
	})
	cfg := config.Default()
	cfg.Registries = append(cfg.Registries, config.Registry{Name: "lab", Hosts: []string{host}, Insecure: true})
	reg, _ := cfg.Registry("lab")
	k := keeperAt(t, cfg, nil, now)
	s := token.Site{Registry: reg, Host: host}
	if _, err := k.Discover(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return k, s
}

// names is a resolver that knows one name.
type names map[string]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	ip, err := netip.ParseAddr(n[host])
	return []netip.Addr{ip}, err
}
