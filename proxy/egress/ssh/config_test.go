//go:build linux

package ssh_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"pulley/internal/waytest"
	"pulley/proxy/egress/ssh"
)

// The person's configuration counts: names, jump hosts in a row, a ProxyCommand.
func TestConfiguration(t *testing.T) {
	live := waytest.Echo(t, "127.0.0.1:0", "")
	far, near, middle := waytest.SSHD(t, ""), waytest.SSHD(t, ""), waytest.SSHD(t, "")
	p := waytest.Knowing(t, far, near, middle)
	at := func(m *waytest.Machine) string {
		host, port, _ := net.SplitHostPort(m.Addr)
		return "  HostName " + host + "\n  Port " + port + "\n  User " + m.User + "\n"
	}
	for name, tt := range map[string]struct {
		config    string
		url       string
		connected []int // near, middle, far
	}{
		"alias":        {"Host box\n" + at(far), "ssh://box", []int{0, 0, 1}},
		"jump":         {"Host box\n" + at(far) + "  ProxyJump hop\nHost hop\n" + at(near), "ssh://box", []int{1, 0, 1}},
		"two jumps":    {"Host box\n" + at(far) + "  ProxyJump hop," + middle.User + "@" + middle.Addr + "\nHost hop\n" + at(near), "ssh://box", []int{1, 1, 1}},
		"jump's jump":  {"Host box\n" + at(far) + "  ProxyJump mid\nHost mid\n" + at(middle) + "  ProxyJump hop\nHost hop\n" + at(near), "ssh://box", []int{1, 1, 1}},
		"command":      {"Host box\n" + at(far) + "  ProxyCommand " + p.Home + "/bin/ssh -W %h:%p hop\nHost hop\n" + at(near), "ssh://box", []int{1, 0, 1}},
		"a circle":     {"Host box\n" + at(far) + "  ProxyJump hop\nHost hop\n" + at(near) + "  ProxyJump box\n", "ssh://box", nil},
		"broken":       {"Host box\n  NoSuchThing at all\n", "ssh://box", nil},
		"command dies": {"Host box\n" + at(far) + "  ProxyCommand sh -c 'echo %h is away >&2; exit 3'\n", "ssh://box", nil},
	} {
		t.Run(name, func(t *testing.T) {
			p.Config(tt.config)
			before := []int{near.Connections(), middle.Connections(), far.Connections()}
			c := newClient(t, p, tt.url)
			err := errors.Join(try(t.Context(), c.Client, live))
			if tt.connected == nil {
				want := map[string]string{"a circle": "circle", "broken": "nosuchthing", "command dies": "is away"}[name]
				if err == nil || !strings.Contains(strings.ToLower(err.Error()), want) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, m := range []*waytest.Machine{near, middle, far} {
				if n := m.Connections() - before[i]; n != tt.connected[i] {
					t.Errorf("machine %d: %d connections, want %d", i, n, tt.connected[i])
				}
			}
		})
	}
}

// Logging in with what an agent holds, with a certificate, and not at all.
func TestKeys(t *testing.T) {
	live, m := waytest.Echo(t, "127.0.0.1:0", ""), waytest.SSHD(t, "")
	p := waytest.Knowing(t, m)
	sock := serveAgent(t, p.Key())
	withAgent := func(o *ssh.Options) { o.Environ = append(o.Environ, "SSH_AUTH_SOCK="+sock) }
	none := "IdentityFile /nowhere/key\n"
	t.Run("agent", func(t *testing.T) {
		p.Config("Host *\n  " + none)
		if err := os.Rename(p.Key(), p.Key()+".away"); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Rename(p.Key()+".away", p.Key()) }()
		if err := try(t.Context(), newClient(t, p, m.URL(), withAgent).Client, live); err != nil {
			t.Error(err)
		}
		p.Config("IdentityAgent " + sock)
		if err := try(t.Context(), newClient(t, p, m.URL()).Client, live); err != nil {
			t.Errorf("IdentityAgent: %v", err)
		}
		p.Config("IdentityAgent none")
		if err := try(t.Context(), newClient(t, p, m.URL(), withAgent).Client, live); err == nil {
			t.Error("an agent that must not be used was")
		}
	})
	t.Run("certificate", func(t *testing.T) {
		p.Config("")
		other := waytest.SSHD(t, "")
		p.Trust(other)
		other.AdmitSignedBy(p)
		if err := try(t.Context(), newClient(t, p, other.URL()).Client, live); err != nil {
			t.Error(err)
		}
	})
	t.Run("nobody", func(t *testing.T) {
		p.Config("Host *\n  IdentitiesOnly yes\n")
		stranger := waytest.NewPerson(t)
		stranger.Trust(m)
		c := newClient(t, stranger, m.URL())
		before := m.Connections()
		var login *ssh.LoginError
		for range 3 {
			if err := try(t.Context(), c.Client, live); !errors.As(err, &login) {
				t.Errorf("got %v", err)
			}
		}
		if n := m.Connections() - before; n != 1 {
			t.Errorf("knocked %d times", n)
		}
	})
	t.Run("passphrase", func(t *testing.T) {
		locked := waytest.NewPerson(t, m)
		locked.Trust(m)
		locked.Lock("secret words")
		c := newClient(t, locked, m.URL())
		err := try(t.Context(), c.Client, live)
		if err == nil {
			t.Fatal("logged in")
		}
		c.Retry()
		noProgram := newClient(t, locked, m.URL(), func(o *ssh.Options) {
			o.Environ = []string{"PATH=/nowhere", "HOME=" + locked.Home}
		})
		locked.Dot()
		if err := try(t.Context(), noProgram.Client, live); err == nil || !strings.Contains(err.Error(), "ssh-add") {
			t.Errorf("got %v", err)
		}
	})
}

// serveAgent is an agent that holds a key.
func serveAgent(t *testing.T, file string) string {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	key, err := gossh.ParseRawPrivateKey(body)
	if err != nil {
		t.Fatal(err)
	}
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		t.Fatal(err)
	}
	sock := filepath.Join(dir, "s")
	l, err := net.Listen("unix", sock) //nolint:noctx // a test's listener
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); wg.Wait(); _ = os.RemoveAll(dir) })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { _ = agent.ServeAgent(ring, c); _ = c.Close() })
		}
	})
	return sock
}

// Without an ssh program the defaults of ssh_config(5) hold.
func TestNoProgram(t *testing.T) {
	live, m := waytest.Echo(t, "127.0.0.1:0", ""), waytest.SSHD(t, "")
	p := waytest.Knowing(t, m)
	p.Dot()
	c := newClient(t, p, m.URL(), func(o *ssh.Options) { o.Environ = []string{"PATH=/nowhere", "HOME=" + p.Home} })
	if err := try(t.Context(), c.Client, live); err != nil {
		t.Error(err)
	}
}

// What the library cannot do goes through the ssh program.
func TestProgram(t *testing.T) {
	live, m := waytest.Echo(t, "127.0.0.1:0", ""), waytest.SSHD(t, "")
	p := waytest.Knowing(t, m)
	p.Config("BindAddress 127.0.0.1\n")
	c := newClient(t, p, m.URL())
	for range 2 {
		if err := try(t.Context(), c.Client, live); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(c.log.String(), "ssh program") {
		t.Errorf("the log says nothing: %s", c.log)
	}
	dead := waytest.FreeAddr(t)
	if err := try(t.Context(), c.Client, dead); err == nil {
		t.Error("connected to nobody")
	}
	// Killed in the middle, it does not look like an end.
	killed(t, c, m, live)
}

// Whoever writes to a program that has died learns what it said, as one who reads
// does, not that a pipe is closed: which of them is first is chance.
func TestProgramDiesUnderAWrite(t *testing.T) {
	m := waytest.SSHD(t, "")
	p := waytest.Knowing(t, m)
	p.Config("BindAddress 127.0.0.1\n") // which the library cannot do
	conn, err := newClient(t, p, m.URL()).DialContext(t.Context(), waytest.FreeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, why := conn.Read(make([]byte, 1))
	if why == nil || errors.Is(why, io.EOF) {
		t.Fatalf("got %v", why)
	}
	if _, err := conn.Write([]byte("hello")); err == nil || err.Error() != why.Error() {
		t.Errorf("a write says %v, a read %v", err, why)
	}
	_ = conn.Close()
	if _, err := conn.Write([]byte("hello")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a write after Close: %v", err)
	}
}
