package proxy

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"pulley/internal/config"
)

// A client elsewhere that does not accept our certificate has hosts tunnelled for
// itself: not for this machine, nor for others, whose pulls would be cached no more.
func TestOneClientsRejectionIsItsOwn(t *testing.T) {
	var from atomic.Pointer[net.TCPAddr]
	be := func(addr string) { from.Store(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))) }
	be("192.0.2.7:1")
	p := newPort(t, options{
		config: func(c *config.Config) { c.Access.Allow = []string{"192.0.2.0/24"} },
		listen: func(ln net.Listener) net.Listener { return fromListener{ln, &from} },
	})
	real := p.tlsServer(hubHost + ":443")
	intercepted := func() bool {
		c := tls.Client(p.tunnel(hubHost+":443", ""), &tls.Config{InsecureSkipVerify: true, ServerName: hubHost})
		defer c.Close()
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		return !c.ConnectionState().PeerCertificates[0].Equal(real.Certificate())
	}
	wantUntrusted(t, p, tls.VersionTLS13)
	p.eventually(func() bool { return len(p.s.Rejected()) == 1 })
	for _, tc := range []struct {
		addr string
		want bool
	}{{"192.0.2.7:2", false}, {"192.0.2.8:1", true}, {"127.0.0.1:1", true}} {
		be(tc.addr)
		if got := intercepted(); got != tc.want {
			t.Errorf("%s: intercepted %v", tc.addr, got)
		}
	}
	// This machine's own clients share theirs, and keep what they have.
	be("127.0.0.1:2")
	wantUntrusted(t, p, tls.VersionTLS13)
	p.eventually(func() bool { return !intercepted() })
	if r := p.s.Rejected(); len(r) != 1 || r[0].Host != hubHost+":443" {
		t.Errorf("%+v", r)
	}
	be("192.0.2.9:1")
	if !intercepted() {
		t.Error("this machine's rejection is everybody's")
	}
}

// However many clients there are, what is remembered of them is bounded.
func TestRejectionsAreBounded(t *testing.T) {
	p := newPort(t, options{})
	st := &site{hostport: hubHost + ":443", host: hubHost}
	for i := range 3 * maxAccepted {
		client := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		p.s.reject(client, st, fmt.Errorf("hung up"))
		p.s.rejected.accept(rejectionKey(client, st.hostport), p.clock())
	}
	if n, m := len(p.s.rejected.set), len(p.s.rejected.accepted); n > maxAccepted || m > maxAccepted {
		t.Errorf("%d rejections, %d acceptances", n, m)
	}
}
