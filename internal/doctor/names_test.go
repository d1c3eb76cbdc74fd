package doctor

import (
	"net/netip"
	"testing"

	"pulley/internal/config"
)

// TestARegistryInsideTheNetwork is one that a company has put there for all, with the right certificate: no filter. That is a
// test of what it is decided by, since only root's tests can listen where a public registry does.
func TestARegistryInsideTheNetwork(t *testing.T) {
	const host = "registry-1.docker.io"
	x := &exam{reg: &config.Registry{Name: "docker.io", Hosts: []string{host}, Sample: "library/alpine:latest"}}
	inside := netip.MustParseAddrPort("10.0.0.5:443")
	for is, want := range map[cause]bool{fine: false, refused: true, foreign: true} {
		if got := x.bogus(&visit{host: host, addrs: []netip.AddrPort{inside}, causes: []cause{is}}); got != want {
			t.Errorf("at %v, which is %s: bogus %v", inside, is, got)
		}
	}
}
