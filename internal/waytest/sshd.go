//go:build linux

package waytest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// A Machine is one that has an sshd, one process of it per connection.
type Machine struct {
	Addr string // host:port, the same over Kill and Start
	User string // who may log in: whoever runs the test
	dir  string
	keys map[string]ssh.PublicKey // host keys by type: "ed25519", "ecdsa", "rsa"
	t    testing.TB
	sshd string
	more string

	mu       sync.Mutex
	listener net.Listener
	running  map[*exec.Cmd]bool
	accepted int
	wg       sync.WaitGroup
}

// SSHD starts one; config is added to its sshd_config.
func SSHD(t testing.TB, config string) *Machine {
	t.Helper()
	m := &Machine{Addr: FreeAddr(t), dir: t.TempDir(), t: t, sshd: program(t, "sshd"), more: config, keys: map[string]ssh.PublicKey{}, running: map[*exec.Cmd]bool{}}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	m.User = me.Username
	if os.Geteuid() == 0 { // sshd wants an empty folder to lock itself into
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil { //nolint:gosec // as the package makes it
			t.Fatal(err)
		}
	}
	m.NewKeys("ed25519", "ecdsa")
	m.write("authorized_keys", "")
	m.Start()
	t.Cleanup(m.Kill)
	return m
}

// NewKeys replaces the machine's host keys by new ones of these kinds.
func (m *Machine) NewKeys(kinds ...string) {
	m.t.Helper()
	clear(m.keys)
	conf := ""
	for _, kind := range kinds {
		name := filepath.Join(m.dir, "host_"+kind)
		_ = os.Remove(name)
		m.keys[kind] = keygen(m.t, name, kind)
		conf += "HostKey " + name + "\n"
	}
	m.write("sshd_config", conf+"AuthorizedKeysFile "+filepath.Join(m.dir, "authorized_keys")+"\nPidFile none\nStrictModes no\nUsePAM no\n"+
		"PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nUseDNS no\nMaxStartups 100\n"+m.more)
}

// SignHostKeys has a new authority sign the machine's host keys, and returns
// known_hosts' line for it.
func (m *Machine) SignHostKeys() string {
	m.t.Helper()
	ca := filepath.Join(m.dir, "host_authority")
	_ = os.Remove(ca)
	key := keygen(m.t, ca, "ed25519")
	host, _, _ := net.SplitHostPort(m.Addr)
	conf := ""
	for kind := range m.keys {
		name := filepath.Join(m.dir, "host_"+kind)
		cmd := exec.CommandContext(m.t.Context(), program(m.t, "ssh-keygen"), "-q", "-h", "-s", ca, "-I", "host", "-n", host, name+".pub")
		if out, err := cmd.CombinedOutput(); err != nil {
			m.t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
		conf += "HostCertificate " + name + "-cert.pub\n"
	}
	body, err := os.ReadFile(filepath.Join(m.dir, "sshd_config"))
	if err != nil {
		m.t.Fatal(err)
	}
	m.write("sshd_config", conf+string(body))
	return "@cert-authority " + knownhosts.Line([]string{m.Addr}, key) + "\n"
}

// keygen makes a key with ssh-keygen and returns its public half.
func keygen(t testing.TB, file, kind string) ssh.PublicKey {
	t.Helper()
	args := []string{"-q", "-N", "", "-t", kind, "-f", file}
	if kind == "rsa" {
		args = append(args, "-b", "2048")
	}
	if out, err := exec.CommandContext(t.Context(), program(t, "ssh-keygen"), args...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	body, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(body)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (m *Machine) write(name, text string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// Start starts the machine again after Kill.
func (m *Machine) Start() {
	m.t.Helper()
	l, err := net.Listen("tcp", m.Addr) //nolint:noctx // a test's listener
	if err != nil {
		m.t.Fatal(err)
	}
	m.mu.Lock()
	m.listener = l
	m.mu.Unlock()
	m.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.serve(l, c.(*net.TCPConn))
		}
	})
}

// serve runs an sshd for one connection, as inetd does.
func (m *Machine) serve(l net.Listener, c *net.TCPConn) {
	defer func() { _ = c.Close() }()
	f, err := c.File()
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	cmd := exec.Command(m.sshd, "-i", "-e", "-f", filepath.Join(m.dir, "sshd_config")) //nolint:noctx // ended by Kill
	cmd.Stdin, cmd.Stdout = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it has children, which have the connection
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listener != l || cmd.Start() != nil {
		return
	}
	m.accepted++
	m.running[cmd] = true
	m.wg.Go(func() {
		_ = cmd.Wait()
		m.mu.Lock()
		delete(m.running, cmd)
		m.mu.Unlock()
	})
}

// Kill ends the machine and all connections to it.
func (m *Machine) Kill() {
	m.mu.Lock()
	if m.listener != nil {
		_ = m.listener.Close()
		m.listener = nil
	}
	for cmd := range m.running {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	m.mu.Unlock()
	m.wg.Wait()
}

// Connections is how many there have been.
func (m *Machine) Connections() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.accepted
}

// Fingerprint of its host key of a kind, as ssh-keygen -l shows it.
func (m *Machine) Fingerprint(kind string) string { return ssh.FingerprintSHA256(m.keys[kind]) }

// URL is the machine as an ssh:// way out.
func (m *Machine) URL() string { return "ssh://" + m.User + "@" + m.Addr }

// A Person has an ssh configuration, a key and a known_hosts.
type Person struct {
	Home string
	t    testing.TB
}

// NewPerson makes one whose key each of the machines accepts, and who knows none
// of them yet.
func NewPerson(t testing.TB, machines ...*Machine) *Person {
	t.Helper()
	p := &Person{Home: t.TempDir(), t: t}
	if err := os.MkdirAll(p.path("bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	// ssh takes the home folder from the user database, whatever HOME says.
	wrapper := fmt.Sprintf("#!/bin/sh\nexec %s -F %s \"$@\"\n", program(t, "ssh"), p.path("config"))
	if err := os.WriteFile(p.path("bin/ssh"), []byte(wrapper), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	p.Config("")
	pub, secret, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(secret, "")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	p.write("key", string(pem.EncodeToMemory(block)))
	p.write("key.pub", string(ssh.MarshalAuthorizedKey(key)))
	for _, m := range machines {
		m.Admit(string(ssh.MarshalAuthorizedKey(key)))
	}
	return p
}

// Knowing makes a person who can log in to each of the machines and has all their
// host keys.
func Knowing(t testing.TB, machines ...*Machine) *Person {
	t.Helper()
	p := NewPerson(t, machines...)
	for _, m := range machines {
		p.Trust(m)
	}
	return p
}

// Admit adds lines to the machine's authorized_keys.
func (m *Machine) Admit(lines string) {
	m.t.Helper()
	body, err := os.ReadFile(filepath.Join(m.dir, "authorized_keys"))
	if err != nil {
		m.t.Fatal(err)
	}
	m.write("authorized_keys", string(body)+lines)
}

func (p *Person) path(name string) string { return filepath.Join(p.Home, name) }

func (p *Person) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// KnownHosts is the person's file.
func (p *Person) KnownHosts() string { return p.path("known_hosts") }

// Key is the file of the person's private key.
func (p *Person) Key() string { return p.path("key") }

// Config sets the person's ssh_config; what it does not say is said behind it:
// which key, which known_hosts, no agent.
func (p *Person) Config(text string) {
	p.t.Helper()
	p.write("config", text+"\nHost *\n  IdentityFile "+p.path("key")+"\n  UserKnownHostsFile "+p.path("known_hosts")+
		"\n  GlobalKnownHostsFile /dev/null\n  GSSAPIAuthentication no\n")
}

// Trust puts the machine's host keys of these kinds, or all, into known_hosts.
func (p *Person) Trust(m *Machine, kinds ...string) {
	p.t.Helper()
	if len(kinds) == 0 {
		kinds = []string{"ed25519", "ecdsa", "rsa"}
	}
	lines := ""
	for _, kind := range kinds {
		if key := m.keys[kind]; key != nil {
			lines += knownhosts.Line([]string{m.Addr}, key) + "\n"
		}
	}
	old, _ := os.ReadFile(p.KnownHosts())
	p.write("known_hosts", string(old)+lines)
}

// Environ is the person's environment.
func (p *Person) Environ() []string {
	return append(withoutAgent(os.Environ()), "HOME="+p.Home, "PATH="+p.path("bin")+string(filepath.ListSeparator)+os.Getenv("PATH"))
}

func withoutAgent(env []string) (out []string) {
	for _, kv := range env {
		if !strings.HasPrefix(kv, "SSH_AUTH_SOCK=") {
			out = append(out, kv)
		}
	}
	return out
}

// SSH runs the person's ssh and returns what it says.
func (p *Person) SSH(t testing.TB, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.path("bin/ssh"), args...)
	cmd.Env = p.Environ()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Dot lays the person's key and known_hosts where ssh looks without a
// configuration: in HOME/.ssh.
func (p *Person) Dot() {
	p.t.Helper()
	if err := os.MkdirAll(p.path(".ssh"), 0o700); err != nil {
		p.t.Fatal(err)
	}
	for from, to := range map[string]string{"key": "id_ed25519", "known_hosts": "known_hosts"} {
		body, err := os.ReadFile(p.path(from))
		if err != nil {
			p.t.Fatal(err)
		}
		p.write(".ssh/"+to, string(body))
	}
}

// Lock gives the person's key a passphrase.
func (p *Person) Lock(passphrase string) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), program(p.t, "ssh-keygen"), "-q", "-p", "-P", "", "-N", passphrase, "-f", p.path("key"))
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
}

// AdmitSignedBy has an authority sign the person's key, and the machine accept
// what that authority has signed, and nothing else of theirs.
func (m *Machine) AdmitSignedBy(p *Person) {
	m.t.Helper()
	ca := filepath.Join(m.dir, "authority")
	key := keygen(m.t, ca, "ed25519")
	cmd := exec.CommandContext(m.t.Context(), program(m.t, "ssh-keygen"), "-q", "-s", ca, "-I", "test", "-n", m.User, p.path("key.pub"))
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	m.Admit("cert-authority " + string(ssh.MarshalAuthorizedKey(key)))
}
