//go:build linux

// Against OpenSSH's own sshd; see internal/waytest.

package ssh_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"testing"

	"go.uber.org/goleak"

	"pulley/internal/waytest"
	"pulley/proxy/egress/ssh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type rig struct {
	*ssh.Client
	log     *bytes.Buffer
	changes int
}

// newClient is a client of somebody's for a URL.
func newClient(t *testing.T, p *waytest.Person, to string, change ...func(*ssh.Options)) *rig {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{log: &bytes.Buffer{}}
	o := ssh.Options{URL: u, Environ: p.Environ(), Log: slog.New(slog.NewTextHandler(r.log, nil)), Changed: func() { r.changes++ }}
	for _, c := range change {
		c(&o)
	}
	if r.Client, err = ssh.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// try sends something to an echo and compares what comes back.
func try(ctx context.Context, c *ssh.Client, addr string) error {
	conn, err := c.DialContext(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	want := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
	go func() {
		_, _ = conn.Write(want)
		_ = conn.(interface{ CloseWrite() error }).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes came back of %d", len(got), len(want))
	}
	return nil
}

// One connection carries many channels, also when they are wanted at once.
func TestOneConnection(t *testing.T) {
	live, m := waytest.Echo(t, "127.0.0.1:0", ""), waytest.SSHD(t, "")
	p := waytest.Knowing(t, m)
	c := newClient(t, p, m.URL())
	done := make(chan error)
	for range 20 {
		go func() { done <- try(t.Context(), c.Client, live) }()
	}
	for range 20 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := m.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
	// After Close there is a new one.
	c.Close()
	if err := try(t.Context(), c.Client, live); err != nil || m.Connections() != 2 {
		t.Errorf("%v, %d connections", err, m.Connections())
	}
}
