//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// sandbox is a private machine for one engine: a copy of /etc that can be written to, an empty /run, a home and a
// place for its data. Processes in it see only each other and end with the first of them.
type sandbox struct {
	dir string // short, because the path of a unix socket may not exceed 108 bytes
	env []string
}

// enter is the script that every process of a sandbox begins with; $1 is the sandbox's directory. A machine whose /run
// holds the file that /etc/resolv.conf points to gets a plain file instead, written by newSandbox.
const enter = `set -e
mount --make-rprivate /
mount --bind "$1/etc" /etc
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs tmpfs /dev/shm
mount -t proc proc /proc
dir=$1
shift
cd "$dir"
exec "$@"
`

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "e2e")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &sandbox{dir: dir, env: []string{
		"HOME=" + filepath.Join(dir, "home"),
		"TMPDIR=" + filepath.Join(dir, "tmp"),
		"LANG=C.UTF-8",
	}}
	s.path(engineDir, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	for _, sub := range []string{"home", "tmp", "etc"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// Only what engines read: no other engine's settings, and nobody's secrets.
	for _, name := range []string{"passwd", "group", "subuid", "subgid", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "mime.types", "localtime", "os-release"} {
		copyEtc(t, name, filepath.Join(dir, "etc", name))
	}
	s.etc(t, "nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
	s.etc(t, "hosts", "127.0.0.1 localhost\n::1 localhost\n")
	s.etc(t, "resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n") // nobody answers there
	s.etc(t, "containers/policy.json", `{"default":[{"type":"insecureAcceptAnything"}]}`)
	return s
}

func copyEtc(t *testing.T, name, to string) {
	t.Helper()
	from := filepath.Join("/etc", name)
	if _, err := os.Stat(from); err != nil {
		return // not on this machine
	}
	if out, err := exec.CommandContext(t.Context(), "cp", "-aH", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cp %s: %v: %s", from, err, out)
	}
}

// path puts a directory in front of what the engine finds its helpers in.
func (s *sandbox) path(dirs ...string) {
	s.env = append(s.env, "PATH="+strings.Join(dirs, ":"))
}

// etc writes a file of its /etc.
func (s *sandbox) etc(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(s.dir, "etc", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// trust makes a CA the only one that the machine's own store holds.
func (s *sandbox) trust(t *testing.T, pem []byte) {
	t.Helper()
	s.etc(t, "ssl/certs/ca-certificates.crt", string(pem))
}

// proxy sets the environment's proxy for all its processes.
func (s *sandbox) proxy(url string) {
	s.env = append(s.env, "HTTP_PROXY="+url, "HTTPS_PROXY="+url, "http_proxy="+url, "https_proxy="+url)
}

// file is a path in the sandbox, the same inside and outside.
func (s *sandbox) file(name string) string { return filepath.Join(s.dir, name) }

// command is a command that will run in the sandbox, in mount and process namespaces of its own.
func (s *sandbox) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", enter, "sh", s.dir}, args...)...)
	cmd.Env = s.env
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	return cmd
}

// run runs a command in the sandbox to its end.
func (s *sandbox) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := runCommand(s.command(within(t), args...))
	if err != nil {
		return out, fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}
