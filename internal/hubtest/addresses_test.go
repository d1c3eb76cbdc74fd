//go:build !darwin

// macOS answers at 127.0.0.1 alone of 127.0.0.0/8.

package hubtest_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// several is a hub at three addresses, as a name is that resolves to three.
func several(t *testing.T) *direct {
	return newDirect(t, &hubtest.Hub{Also: []string{"127.0.0.2", "127.0.0.3"}})
}

// via asks for the blob's first bytes over a connection of its own to one address.
func (d *direct) via(addr string) error {
	d.t.Helper()
	tr := d.Transport()
	defer tr.CloseIdleConnections()
	tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", d.url, nil)
	must(d.t, err)
	req.Header.Set("Range", "bytes=0-99")
	res, err := tr.RoundTrip(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return errors.Join(err, res.Body.Close())
}

// Each address fails in its own way, and the one that is left works.
func TestAddresses(t *testing.T) {
	d := several(t)
	addrs := d.Addrs()
	if len(addrs) != 3 || addrs[0] != d.Addr() {
		t.Fatalf("addresses %q", addrs)
	}
	for i, ip := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"} {
		host, port, err := net.SplitHostPort(addrs[i])
		must(t, err)
		if _, first, _ := net.SplitHostPort(d.Addr()); host != ip || port != first {
			t.Errorf("address %d is %s, want %s and the port of %s", i, addrs[i], ip, d.Addr())
		}
	}
	isDated := func(err error) bool {
		var invalid x509.CertificateInvalidError
		return errors.As(err, &invalid) && invalid.Reason == x509.Expired
	}
	isName := func(err error) bool { return errors.As(err, new(x509.HostnameError)) }
	for name, one := range map[string]struct {
		fault hubtest.Faults
		want  func(error) bool
		seen  int // requests the record has of it
	}{
		"accept":    {hubtest.Faults{Refuse: true}, wasReset, 0},
		"handshake": {hubtest.Faults{ResetHandshake: true}, wasReset, 0},
		"request":   {hubtest.Faults{Reset: true}, wasReset, 1},
		"poisoned":  {hubtest.Faults{WrongName: true}, isName, 0},
		"stranger":  {hubtest.Faults{WrongCert: true}, isName, 0},
		"company":   {hubtest.Faults{UnknownCA: true}, func(err error) bool { return errors.As(err, new(x509.UnknownAuthorityError)) }, 0},
		"expired":   {hubtest.Faults{Expired: true}, isDated, 0},
		"not yet":   {hubtest.Faults{NotYet: true}, isDated, 0},
		"body":      {hubtest.Faults{Cut: hubtest.At(0)}, func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }, 1},
	} {
		for _, bad := range []string{"127.0.0.2", addrs[1]} {
			one.fault.Addr = bad
			d.SetFaults(one.fault)
			for i, addr := range addrs {
				err := d.via(addr)
				if i == 1 && !one.want(err) || i != 1 && err != nil {
					t.Errorf("%s at %s: %s: %v", name, bad, addr, err)
				}
			}
			must(t, d.Quiet(t.Context()))
			n := map[string]int{}
			for _, r := range d.Requests() {
				n[r.Addr]++
			}
			if n[addrs[0]] != 1 || n[addrs[1]] != one.seen || n[addrs[2]] != 1 {
				t.Errorf("%s: requests by address: %v", name, n)
			}
			d.Reset()
		}
	}
}

func TestOneAddressDown(t *testing.T) {
	d := several(t)
	addrs := d.Addrs()
	d.Down("127.0.0.1", addrs[2])
	for i, addr := range addrs {
		if err := d.via(addr); errors.Is(err, syscall.ECONNREFUSED) != (i != 1) {
			t.Errorf("%s: %v", addr, err)
		}
	}
	must(t, d.Up(addrs[0]))
	must(t, d.via(addrs[0]))
	must(t, d.Up())
	must(t, d.via(addrs[2]))
}
