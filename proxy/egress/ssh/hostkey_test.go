//go:build linux

package ssh_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pulley/internal/waytest"
	"pulley/proxy/egress/ssh"
)

// Nobody is asked: an unknown key is an error that says what a person needs to
// know, waits, and is accepted by its fingerprint.
func TestUnknownHostKey(t *testing.T) {
	live, m := waytest.Echo(t, "127.0.0.1:0", ""), waytest.SSHD(t, "")
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
	live, m := waytest.Echo(t, "127.0.0.1:0", ""), waytest.SSHD(t, "")
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
			t.Setenv("TMPDIR", t.TempDir())
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
	live, m := waytest.Echo(t, "127.0.0.1:0", ""), waytest.SSHD(t, "")
	p := waytest.Knowing(t, m)
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
