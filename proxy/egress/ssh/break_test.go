//go:build linux

package ssh_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"pulley/internal/waytest"
	"pulley/proxy/egress/ssh"
)

// killed kills a machine in the middle of a connection through it to an echo, and
// checks that this looks like no end of the far side's.
func killed(t *testing.T, c *rig, m *waytest.Machine, live string) {
	t.Helper()
	conn, err := c.DialContext(t.Context(), live)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	m.Kill()
	if n, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a connection that was cut: %d, %v", n, err)
	}
}

// A machine that is killed ends its channels with an error, never as if the far
// side had ended; when it is back, the next dial works.
func TestKilled(t *testing.T) {
	live, m := waytest.Echo(t, "127.0.0.1:0", ""), waytest.SSHD(t, "")
	p := waytest.Knowing(t, m)
	c := newClient(t, p, m.URL())
	killed(t, c, m, live)
	if err := try(t.Context(), c.Client, live); err == nil {
		t.Error("a machine that is gone connected us")
	}
	m.Start()
	c.Retry() // or wait a second
	if err := try(t.Context(), c.Client, live); err != nil {
		t.Error(err)
	}
}

// A connection that dies without a word is noticed when somebody says that the
// network has changed, and by a dial that gets no answer.
func TestSilentDeath(t *testing.T) {
	live, m := waytest.Echo(t, "127.0.0.1:0", ""), waytest.SSHD(t, "")
	p := waytest.Knowing(t, m)
	stuck := &stopper{}
	c := newClient(t, p, m.URL(), func(o *ssh.Options) { o.Dial = stuck.dial })
	if err := try(t.Context(), c.Client, live); err != nil {
		t.Fatal(err)
	}
	stuck.stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	begin := time.Now()
	if err := try(ctx, c.Client, live); err != nil {
		t.Error(err)
	}
	if d := time.Since(begin); d > 12*time.Second || m.Connections() != 2 {
		t.Errorf("after %s, %d connections", d, m.Connections())
	}
}

// stopper makes connections that it can make silent.
type stopper struct {
	mu   sync.Mutex
	open []*stopped
}

type stopped struct {
	net.Conn
	gone chan struct{}
	once sync.Once
	quit chan struct{}
	end  sync.Once
}

func (s *stopper) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sc := &stopped{Conn: c, gone: make(chan struct{}), quit: make(chan struct{})}
	s.open = append(s.open, sc)
	return sc, nil
}

func (s *stopper) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.open {
		c.once.Do(func() { close(c.gone) })
	}
}

func (c *stopped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	select {
	case <-c.gone:
		<-c.quit
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

func (c *stopped) Write(p []byte) (int, error) {
	select {
	case <-c.gone:
		return len(p), nil
	default:
		return c.Conn.Write(p)
	}
}

func (c *stopped) Close() error {
	c.end.Do(func() { close(c.quit) })
	return c.Conn.Close()
}

func TestRefusals(t *testing.T) {
	m := waytest.SSHD(t, "")
	p := waytest.Knowing(t, m)
	c := newClient(t, p, m.URL())
	dead := waytest.FreeAddr(t)
	if err := try(t.Context(), c.Client, dead); err == nil || !strings.Contains(err.Error(), "cannot reach "+dead) {
		t.Errorf("nobody there: %v", err)
	}
	strict := waytest.SSHD(t, "AllowTcpForwarding no")
	p = waytest.Knowing(t, strict)
	if err := try(t.Context(), newClient(t, p, strict.URL()).Client, dead); err == nil || !strings.Contains(err.Error(), "AllowTcpForwarding") {
		t.Errorf("no forwarding: %v", err)
	}
	for _, bad := range []string{"ssh://me:secret@host", "ssh://-oProxyCommand=x", "ssh://a;b@host", "ssh://host:0"} {
		u, err := url.Parse(bad)
		if err != nil {
			continue
		}
		if _, err := ssh.New(ssh.Options{URL: u}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// A dial ends with its context, and takes no other with it.
func TestDialEndsWithItsContext(t *testing.T) {
	live, m := waytest.Echo(t, "127.0.0.1:0", ""), waytest.SSHD(t, "")
	p := waytest.Knowing(t, m)
	began, hold := make(chan struct{}, 1), make(chan struct{})
	c := newClient(t, p, m.URL(), func(o *ssh.Options) {
		o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			began <- struct{}{}
			select {
			case <-hold:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error), make(chan error)
	go func() { first <- try(ctx, c.Client, live) }()
	<-began
	go func() { second <- try(t.Context(), c.Client, live) }()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(hold)
	if err := <-second; err != nil {
		t.Error(err)
	}
}

// Deadlines, which ssh's own channels do not have.
func TestDeadlines(t *testing.T) {
	live, m := waytest.Echo(t, "127.0.0.1:0", ""), waytest.SSHD(t, "")
	p := waytest.Knowing(t, m)
	c := newClient(t, p, m.URL())
	conn, err := c.DialContext(t.Context(), live)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	buf := make([]byte, 5)
	for range 2 { // a deadline that has passed does not end the connection
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := conn.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		_ = conn.SetReadDeadline(time.Time{})
		if _, err := io.WriteString(conn, "hello"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != "hello" {
			t.Fatalf("%q, %v", buf, err)
		}
	}
	_ = conn.SetWriteDeadline(time.Now().Add(-time.Second))
	if _, err := conn.Write(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	_ = conn.Close()
	if _, err := conn.Read(buf); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
