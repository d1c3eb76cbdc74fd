//go:build linux

// Against OpenSSH's own sshd; see internal/waytest.

package ssh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"pulley/internal/waytest"
	"pulley/proxy/egress/ssh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo gives back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's listener
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			})
		}
	})
	return l.Addr().String()
}

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
	live, m := echo(t), waytest.SSHD(t, "")
	p := waytest.NewPerson(t, m)
	p.Trust(m)
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

// Nobody is asked: an unknown key is an error that says what a person needs to
// know, waits, and is accepted by its fingerprint.
func TestUnknownHostKey(t *testing.T) {
	live, m := echo(t), waytest.SSHD(t, "")
	p := waytest.NewPerson(t, m)
	c := newClient(t, p, m.URL())
	err := try(t.Context(), c.Client, live)
	var unknown *ssh.HostKeyError
	if !errors.As(err, &unknown) || unknown.Fingerprint == "" || !strings.Contains(err.Error(), unknown.Fingerprint) {
		t.Fatalf("got %v", err)
	}
	kind := strings.TrimPrefix(unknown.Type, "ssh-")
	if kind != "ed25519" && kind != "rsa" {
		kind = "ecdsa"
	}
	if unknown.Fingerprint != m.Fingerprint(kind) {
		t.Errorf("the fingerprint of %s is %s, want %s", kind, unknown.Fingerprint, m.Fingerprint(kind))
	}
	// While it waits, the machine is left alone.
	if err := try(t.Context(), c.Client, live); !errors.As(err, &unknown) || m.Connections() != 1 {
		t.Errorf("%v, %d connections", err, m.Connections())
	}
	if list := c.Pending(); len(list) != 1 || list[0].Fingerprint != unknown.Fingerprint || c.changes == 0 {
		t.Errorf("pending: %v", list)
	}
	if err := c.Accept("SHA256:another"); err == nil {
		t.Error("accepted a key that nobody saw")
	}
	if _, err := os.Stat(p.KnownHosts()); err == nil {
		t.Error("known_hosts was written")
	}
	if err := c.Accept(unknown.Fingerprint); err != nil {
		t.Fatal(err)
	}
	if err := try(t.Context(), c.Client, live); err != nil || len(c.Pending()) != 0 {
		t.Errorf("%v, pending %v", err, c.Pending())
	}
	info, err := os.Stat(p.KnownHosts())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// Another run knows it, and so does ssh.
	if err := try(t.Context(), newClient(t, p, m.URL()).Client, live); err != nil {
		t.Error(err)
	}
	host, port, _ := net.SplitHostPort(m.Addr)
	if out, err := p.SSH(t, "-o", "BatchMode=yes", "-p", port, host, "true"); err != nil && strings.Contains(out, "verification") {
		t.Errorf("ssh does not know the key: %s", out)
	}
}

// known_hosts files as people have them.
func TestKnownHosts(t *testing.T) {
	live, m := echo(t), waytest.SSHD(t, "")
	m.NewKeys("ed25519", "ecdsa", "rsa")
	rsa := func(p *waytest.Person) { p.Trust(m, "rsa") }
	for name, tt := range map[string]struct {
		config  string
		prepare func(p *waytest.Person)
		want    string // in the error
	}{
		// The machine prefers to show another key than the one that is known.
		"one kind of three": {"", rsa, ""},
		"lines that nobody can read": {"", func(p *waytest.Person) {
			add(t, p.KnownHosts(), "# comment\nnonsense\nh ssh-unheard-of AAAA\n@cert-authority *.example ssh-rsa !!!\n"+strings.Repeat("x", 70<<10)+"\n")
			p.Trust(m, "ecdsa")
		}, ""},
		"no newline at the end": {"HashKnownHosts yes\nStrictHostKeyChecking accept-new", func(p *waytest.Person) {
			add(t, p.KnownHosts(), "other.example ssh-ed25519 AAAA")
		}, ""},
		"alias":        {"HostKeyAlias box", func(p *waytest.Person) { p.Trust(m); rename(t, p.KnownHosts(), "box") }, ""},
		"other alias":  {"HostKeyAlias other", func(p *waytest.Person) { p.Trust(m); rename(t, p.KnownHosts(), "box") }, "not known"},
		"accept new":   {"StrictHostKeyChecking accept-new", func(*waytest.Person) {}, ""},
		"do not check": {"StrictHostKeyChecking no\nUserKnownHostsFile /dev/null", func(*waytest.Person) {}, ""},
		"another machine's": {"StrictHostKeyChecking no", func(p *waytest.Person) {
			other := waytest.SSHD(t, "")
			other.Addr = m.Addr
			p.Trust(other)
		}, "has changed"},
		"signed by an authority": {"", func(p *waytest.Person) {
			add(t, p.KnownHosts(), m.SignHostKeys())
		}, ""},
		"another authority": {"", func(p *waytest.Person) {
			m.SignHostKeys()
			add(t, p.KnownHosts(), waytest.SSHD(t, "").SignHostKeys())
		}, "not known"},
		"revoked": {"", func(p *waytest.Person) {
			p.Trust(m, "ed25519")
			body, err := os.ReadFile(p.KnownHosts())
			if err != nil {
				t.Fatal(err)
			}
			add(t, p.KnownHosts(), "@revoked "+string(body))
		}, "revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			p := waytest.NewPerson(t, m)
			p.Config(tt.config)
			tt.prepare(p)
			c := newClient(t, p, m.URL())
			err := try(t.Context(), c.Client, live)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(name, "newline") {
				body, err := os.ReadFile(p.KnownHosts())
				if err != nil || strings.Count(string(body), "\n") != 2 || !strings.Contains(string(body), "\n|1|") {
					t.Errorf("%v: %s", err, body)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "known_hosts*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func add(t *testing.T, file, text string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// rename gives every line of a known_hosts to another host.
func rename(t *testing.T, file, host string) {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(body)) {
		_, key, _ := strings.Cut(line, " ")
		out.WriteString(host + " " + key)
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A key that changes under a running client is refused at the next connection,
// and cannot be accepted.
func TestChangedHostKey(t *testing.T) {
	live, m := echo(t), waytest.SSHD(t, "")
	p := waytest.NewPerson(t, m)
	p.Trust(m)
	c := newClient(t, p, m.URL())
	if err := try(t.Context(), c.Client, live); err != nil {
		t.Fatal(err)
	}
	m.Kill()
	m.NewKeys("ed25519", "ecdsa")
	m.Start()
	err := try(t.Context(), c.Client, live)
	var changed *ssh.ChangedKeyError
	if !errors.As(err, &changed) || changed.File != p.KnownHosts() || changed.Line < 1 || changed.Line > 3 || len(c.Pending()) != 0 {
		t.Errorf("%v, pending %v", err, c.Pending())
	}
	if err := c.Accept(changed.Fingerprint); err == nil {
		t.Error("a changed key was accepted")
	}
}

// The person's configuration counts: names, jump hosts in a row, a ProxyCommand.
func TestConfiguration(t *testing.T) {
	live := echo(t)
	far, near, middle := waytest.SSHD(t, ""), waytest.SSHD(t, ""), waytest.SSHD(t, "")
	p := waytest.NewPerson(t, far, near, middle)
	for _, m := range []*waytest.Machine{far, near, middle} {
		p.Trust(m)
	}
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
	live, m := echo(t), waytest.SSHD(t, "")
	p := waytest.NewPerson(t, m)
	p.Trust(m)
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
	live, m := echo(t), waytest.SSHD(t, "")
	p := waytest.NewPerson(t, m)
	p.Trust(m)
	p.Dot()
	c := newClient(t, p, m.URL(), func(o *ssh.Options) { o.Environ = []string{"PATH=/nowhere", "HOME=" + p.Home} })
	if err := try(t.Context(), c.Client, live); err != nil {
		t.Error(err)
	}
}

// What the library cannot do goes through the ssh program.
func TestProgram(t *testing.T) {
	live, m := echo(t), waytest.SSHD(t, "")
	p := waytest.NewPerson(t, m)
	p.Trust(m)
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
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's listener
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	_ = l.Close()
	if err := try(t.Context(), c.Client, dead); err == nil {
		t.Error("connected to nobody")
	}
	// Killed in the middle, it does not look like an end.
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
		t.Errorf("%d, %v", n, err)
	}
}

// A machine that is killed ends its channels with an error, never as if the far
// side had ended; when it is back, the next dial works.
func TestKilled(t *testing.T) {
	live, m := echo(t), waytest.SSHD(t, "")
	p := waytest.NewPerson(t, m)
	p.Trust(m)
	c := newClient(t, p, m.URL())
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
	live, m := echo(t), waytest.SSHD(t, "")
	p := waytest.NewPerson(t, m)
	p.Trust(m)
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
	p := waytest.NewPerson(t, m)
	p.Trust(m)
	c := newClient(t, p, m.URL())
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's listener
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	_ = l.Close()
	if err := try(t.Context(), c.Client, dead); err == nil || !strings.Contains(err.Error(), "cannot reach "+dead) {
		t.Errorf("nobody there: %v", err)
	}
	strict := waytest.SSHD(t, "AllowTcpForwarding no")
	p = waytest.NewPerson(t, strict)
	p.Trust(strict)
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
	live, m := echo(t), waytest.SSHD(t, "")
	p := waytest.NewPerson(t, m)
	p.Trust(m)
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
	live, m := echo(t), waytest.SSHD(t, "")
	p := waytest.NewPerson(t, m)
	p.Trust(m)
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
