package egress_test

import (
	"net/netip"
	"slices"
	"testing"

	"pulley/internal/config"
	"pulley/proxy/egress"
)

// TestInspect: what is said of a way is what a connection would do.
func TestInspect(t *testing.T) {
	cfg := config.Default()
	cfg.Addresses = []config.Address{{Host: "auth.docker.io", Use: []string{"192.0.2.1", "192.0.2.2:8443"}}}
	cfg.Egresses = []config.Egress{
		{Name: "jump", URL: "socks5://jump.example", For: []string{"gcr.io"}, Except: []string{"near.gcr.io"}},
		{Name: "round", URL: "http://127.0.0.1:5055", For: []string{"quay.io"}},
	}
	e := egress.New(egress.Options{
		Settings: func() *config.Config { return cfg },
		Self:     func() []string { return []string{"127.0.0.1:5055"} },
		Environ:  []string{"HTTPS_PROXY=http://me:secret@proxy.example:3128", "NO_PROXY=.local.example"},
	})
	defer e.Close()
	for _, c := range []struct{ registry, host, name, proxy string }{
		{"gcr.io", "gcr.io:443", "jump", "jump.example:1080"},
		{"gcr.io", "near.gcr.io:443", egress.Environment, "proxy.example:3128"},
		{"quay.io", "quay.io:443", egress.Environment, "proxy.example:3128"}, // round leads to ourselves
		{"lab", "app.local.example:443", egress.Direct, ""},
	} {
		r := e.Route(t.Context(), c.registry, "https", c.host)
		if r.Name != c.name || r.Proxy != c.proxy || r.Err != nil {
			t.Errorf("%s for %s: %+v", c.host, c.registry, r)
		}
	}
	if a, ok := e.Ambient("https"); !ok || a.Name != egress.Environment || a.Way != "the environment's proxy http://proxy.example:3128" {
		t.Errorf("%+v", a)
	}
	list, pinned, err := e.Addresses(t.Context(), "auth.docker.io", "443")
	if err != nil || !pinned || !slices.Equal(list, []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:443"), netip.MustParseAddrPort("192.0.2.2:8443")}) {
		t.Errorf("%v %v %v", list, pinned, err)
	}
	for at, us := range map[string]bool{"127.0.0.1:5055": true, "localhost:5055": true, "127.0.0.1:5056": false, "proxy.example:5055": false, "[::1]:5055": true} {
		if e.PointsAtUs(at) != us {
			t.Errorf("%s: us is %v", at, !us)
		}
	}
}
