package machine

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pulley/internal/waytest"
)

// listenEcho is a unix socket that answers each line with itself.
func listenEcho(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pulley")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	serveEcho(t, l)
	return l.Addr().String()
}

func serveEcho(t *testing.T, l net.Listener) {
	t.Helper()
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); _ = c.Close() }()
		}
	}()
}

func echo(t *testing.T, m Machine, socket string) string {
	t.Helper()
	network := "unix"
	if !filepath.IsAbs(socket) {
		network = "tcp"
	}
	c, err := m.Dial(within(t), network, socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "ping\n"); err != nil {
		t.Error(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Errorf("the answer: %v", err)
	}
	return line
}

// Where ssh cannot share a connection each command makes its own.
func TestSSHSeparate(t *testing.T) {
	leakless(t)
	far := waytest.SSHD(t, "")
	s := connected(t, far, waytest.Knowing(t, far), func(o *SSHOptions) { o.Separate = true })
	name := filepath.Join(t.TempDir(), "f")
	if _, err := s.WriteFile(name, []byte("text"), 0o600); err != nil {
		t.Error(err)
	}
	if f, err := s.ReadFile(name); err != nil || string(f.Data) != "text" {
		t.Errorf("the file is %+v: %v", f, err)
	}
	if got := echo(t, s, listenEcho(t)); got != "ping\n" {
		t.Errorf("the socket answers %q", got)
	}
}

func TestSSHDials(t *testing.T) {
	leakless(t)
	far := waytest.SSHD(t, "")
	s := connected(t, far, waytest.Knowing(t, far), nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveEcho(t, l)
	for _, to := range []string{listenEcho(t), l.Addr().String()} {
		if got := echo(t, s, to); got != "ping\n" {
			t.Errorf("%s answers %q", to, got)
		}
	}
	c, err := s.Dial(within(t), "unix", listenEcho(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	_ = c.Close()
	if _, err := s.Dial(within(t), "unix", "/nonexistent/s"); err == nil || !strings.Contains(err.Error(), "No such file") {
		t.Errorf("a socket that is not there: %v", err)
	}
	_ = l.Close()
	if c, err := s.Dial(within(t), "tcp", l.Addr().String()); err == nil {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("a port where nobody listens answers")
		}
		_ = c.Close()
	}
	if n := far.Connections(); n != 1 {
		t.Errorf("%d connections were made", n)
	}
}

func TestSSHRefusals(t *testing.T) {
	leakless(t)
	far := waytest.SSHD(t, "")
	try := func(me *waytest.Person, want string) {
		t.Helper()
		_, err := ConnectSSH(within(t), SSHOptions{URL: far.URL(), Name: "far", Environ: me.Environ()})
		if err == nil || !strings.HasPrefix(err.Error(), "far: "+want) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "ssh -p ") {
			t.Errorf("want %q: %v", want, err)
		}
	}
	try(waytest.NewPerson(t, far), "ssh does not know its host key; ")
	stranger := waytest.NewPerson(t)
	stranger.Trust(far)
	try(stranger, "ssh is not let in; ")
	me := waytest.Knowing(t, far)
	me.Config("Compression perhaps\n")
	try(me, "ssh: ")
	me.Config("")
	me.Lock("secret")
	try(me, "ssh is not let in; ")
	far.NewKeys("ed25519")
	try(me, "its host key is another than before; find out why, then: ssh-keygen -R '["+strings.Replace(far.Addr, ":", "]:", 1)+"', and log in once: ")
	far.Kill()
	try(me, "nobody listens for ssh there; ")
	for _, bad := range []string{"tcp://far", "ssh://-oProxyCommand=x", "ssh://a b", "ssh://", "ssh://-l@far", "ssh://fa$(r)"} {
		if _, err := newSSH(SSHOptions{URL: bad}); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// A port there leads here; when the connection ends it closes, and when it breaks that is told.
func TestSSHReverse(t *testing.T) {
	for _, separate := range []bool{false, true} {
		t.Run(fmt.Sprintf("separate %v", separate), func(t *testing.T) { reverse(t, separate) })
	}
}

func reverse(t *testing.T, separate bool) {
	leakless(t)
	far := waytest.SSHD(t, "")
	me := waytest.Knowing(t, far)
	here, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveEcho(t, here)
	me.Config("RemoteForward 127.0.0.1:1 127.0.0.1:1\nLocalForward " + here.Addr().String() + " 127.0.0.1:1\n") // theirs, and not for us
	s := connected(t, far, me, func(o *SSHOptions) { o.Separate = separate; o.Reverse = &Reverse{To: here.Addr().String()} })
	addr := fmt.Sprintf("127.0.0.1:%d", s.Port())
	if got := echo(t, &Local{}, addr); got != "ping\n" {
		t.Errorf("the tunnel answers %q", got)
	}
	var pe *PortError
	_, err = ConnectSSH(within(t), SSHOptions{URL: far.URL(), Name: "far", Separate: separate, Environ: me.Environ(), Reverse: &Reverse{Port: s.Port(), To: here.Addr().String()}})
	if !errors.As(err, &pe) || pe.Free || pe.Port != s.Port() || !strings.Contains(err.Error(), fmt.Sprintf("far: port %d there is taken", s.Port())) {
		t.Errorf("a port that is taken: %v", err)
	}
	select {
	case <-s.Done():
		t.Errorf("the connection has ended: %v", s.Err())
	default:
	}
	// The link breaks; what sshd has of it there, and the port, is ended from a new one.
	old := s.FarEnd()
	if err := syscall.Kill(s.first.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if s.Err() == nil {
		t.Error("nobody says why")
	}
	again := connected(t, far, me, nil)
	again.EndOld(within(t), old)
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("the port is still open")
	}
	next := connected(t, far, me, func(o *SSHOptions) {
		o.Separate = separate
		o.Reverse = &Reverse{Port: s.Port(), To: here.Addr().String()}
	})
	if got := echo(t, &Local{}, addr); got != "ping\n" || next.Port() != s.Port() {
		t.Errorf("the new tunnel answers %q at %d", got, next.Port())
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
	for ctx := within(t); ; { // sshd sees the end a moment later
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			break
		}
		_ = c.Close()
		if ctx.Err() != nil {
			t.Fatal("after the end the port is open")
		}
	}
	closed := waytest.SSHD(t, "AllowTcpForwarding local\n")
	_, err = ConnectSSH(within(t), SSHOptions{URL: closed.URL(), Name: "far", Separate: separate, Environ: waytest.Knowing(t, closed).Environ(), Reverse: &Reverse{Port: s.Port(), To: here.Addr().String()}})
	if !errors.As(err, &pe) || !pe.Free {
		t.Errorf("an sshd that allows no tunnels: %v", err)
	}
}
