//go:build unix

package machine_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pulley/internal/docker/machine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func linux(t *testing.T) (*machine.Local, string) {
	t.Helper()
	dir := t.TempDir()
	return &machine.Local{Dir: dir, As: &machine.Facts{OS: machine.Linux, Home: "/home/ann", User: "ann", UID: 1000}}, dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWriteKeepsModeAndOwner(t *testing.T) {
	l, dir := linux(t)
	name := filepath.Join(dir, "etc", "daemon.json")
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, []byte("old"), 0o640))
	must(t, os.Chmod(name, 0o640))
	if os.Geteuid() == 0 {
		must(t, os.Chown(name, 12, 34))
	}
	was, err := os.Stat(name)
	must(t, err)
	made, err := l.WriteFile("/etc/daemon.json", []byte("new"), 0o600)
	if err != nil || len(made) != 0 {
		t.Fatal(made, err)
	}
	is, err := os.Stat(name)
	must(t, err)
	a, b := was.Sys().(*syscall.Stat_t), is.Sys().(*syscall.Stat_t)
	if is.Mode() != 0o640 || a.Uid != b.Uid || a.Gid != b.Gid {
		t.Errorf("%v %d:%d, was %v %d:%d", is.Mode(), b.Uid, b.Gid, was.Mode(), a.Uid, a.Gid)
	}
	f, err := l.ReadFile("/etc/daemon.json")
	if err != nil || string(f.Data) != "new" || f.Mode != 0o640 || f.Path != "/etc/daemon.json" {
		t.Errorf("%+v, %v", f, err)
	}
	if names, err := l.List("/etc"); err != nil || !slices.Equal(names, []string{"daemon.json"}) {
		t.Errorf("something was left: %v, %v", names, err)
	}
}

// A link to a file elsewhere, as people who keep their settings in a repository have it, stays one.
func TestWriteThroughLinks(t *testing.T) {
	l, dir := linux(t)
	must(t, os.MkdirAll(filepath.Join(dir, "etc"), 0o755))
	must(t, os.MkdirAll(filepath.Join(dir, "repo"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "repo", "real"), []byte("old"), 0o644))
	must(t, os.Symlink("/repo/real", filepath.Join(dir, "etc", "absolute")))
	must(t, os.Symlink("../repo/real", filepath.Join(dir, "etc", "relative")))
	must(t, os.Symlink("relative", filepath.Join(dir, "etc", "twice")))
	must(t, os.Symlink("/repo/none", filepath.Join(dir, "etc", "nowhere")))
	must(t, os.Symlink("round", filepath.Join(dir, "etc", "round")))
	for _, name := range []string{"absolute", "relative", "twice"} {
		if _, err := l.WriteFile("/etc/"+name, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := l.ReadFile("/etc/" + name)
		if err != nil || string(f.Data) != name || f.Path != "/repo/real" {
			t.Errorf("%+v, %v", f, err)
		}
		if info, err := os.Lstat(filepath.Join(dir, "etc", name)); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s is no link any more", name)
		}
	}
	if _, err := l.WriteFile("/etc/nowhere", []byte("x"), 0o600); err != nil {
		t.Error(err)
	}
	if f, err := l.ReadFile("/repo/none"); err != nil || string(f.Data) != "x" {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := l.WriteFile("/etc/round", nil, 0o600); err == nil {
		t.Error("a link to itself was written")
	}
}

func TestWriteRefuses(t *testing.T) {
	l, dir := linux(t)
	must(t, os.WriteFile(filepath.Join(dir, "locked"), []byte("x"), 0o400))
	must(t, os.Mkdir(filepath.Join(dir, "folder"), 0o755))
	_, err := l.WriteFile("/locked", []byte("y"), 0o600)
	var pe *fs.PathError
	if !errors.Is(err, fs.ErrPermission) || !errors.As(err, &pe) || pe.Path != "/locked" {
		t.Errorf("a read-only file: %v", err)
	}
	if f, _ := l.ReadFile("/locked"); string(f.Data) != "x" {
		t.Errorf("it was written: %s", f.Data)
	}
	if _, err := l.WriteFile("/folder", nil, 0o600); err == nil {
		t.Error("a folder was written")
	}
	if _, err := l.WriteFile("/locked/below", nil, 0o600); err == nil {
		t.Error("a file below a file was written")
	}
	if names, _ := l.List("/"); !slices.Equal(names, []string{"folder", "locked"}) {
		t.Errorf("something was left: %v", names)
	}
	if _, err := l.ReadFile("/none"); !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), dir) {
		t.Error(err)
	}
}

func TestFoldersAreListed(t *testing.T) {
	l, dir := linux(t)
	must(t, os.MkdirAll(filepath.Join(dir, "home", "ann"), 0o700))
	if os.Geteuid() == 0 {
		must(t, os.Chown(filepath.Join(dir, "home", "ann"), 1000, 1000))
	}
	made, err := l.WriteFile("/home/ann/.config/docker/daemon.json", nil, 0o600)
	if err != nil || !slices.Equal(made, []string{"/home/ann/.config", "/home/ann/.config/docker"}) {
		t.Errorf("%v, %v", made, err)
	}
	more, err := l.WriteFile("/etc/docker/daemon.json", nil, 0o644)
	if err != nil || !slices.Equal(more, []string{"/etc", "/etc/docker"}) {
		t.Errorf("%v, %v", more, err)
	}
	for name, mode := range map[string]fs.FileMode{
		"/home/ann/.config": 0o700, "/home/ann/.config/docker": 0o700, "/home/ann/.config/docker/daemon.json": 0o600,
		"/etc/docker": 0o755, "/etc/docker/daemon.json": 0o644,
	} {
		info, err := l.Stat(name)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
			continue
		}
		if st := info.Sys().(*syscall.Stat_t); os.Geteuid() == 0 && strings.HasPrefix(name, "/home/ann") && st.Uid != 1000 {
			t.Errorf("%s belongs to %d, not to the person", name, st.Uid)
		}
	}
	for _, name := range []string{"/etc/docker/daemon.json", "/etc/docker", "/etc"} {
		must(t, l.Remove(name))
	}
	if err := l.Remove("/home"); err == nil {
		t.Error("a folder that is not empty was removed")
	}
}

// Without a home everything is outside it.
func TestNoHome(t *testing.T) {
	for _, home := range []string{"", "/"} {
		l, _ := linux(t)
		l.As.Home = home
		if _, err := l.WriteFile("/etc/docker/daemon.json", nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if info, err := l.Stat("/etc/docker"); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("home %q: %v, %v", home, info.Mode(), err)
		}
	}
}

func TestRun(t *testing.T) {
	l := &machine.Local{Environ: []string{"PATH=" + os.Getenv("PATH"), "A=old", "A=new"}}
	out, err := l.Run(t.Context(), machine.Command{Args: []string{"sh", "-c", "cat; echo $A $B"}, Stdin: []byte("in "), Env: []string{"B=b"}})
	if err != nil || string(out) != "in new b\n" {
		t.Errorf("%q, %v", out, err)
	}
	_, err = l.Run(t.Context(), machine.Command{Args: []string{"sh", "-c", "echo first >&2; echo last >&2; exit 3"}})
	var exit *machine.ExitError
	if !errors.As(err, &exit) || exit.Status != 3 || exit.Stderr != "first\nlast\n" || err.Error() != "sh: last" {
		t.Errorf("%v", err)
	}
	_, err = l.Run(t.Context(), machine.Command{Args: []string{"false"}})
	if err == nil || err.Error() != "false: ended with status 1" {
		t.Errorf("%v", err)
	}
	_, err = l.Run(t.Context(), machine.Command{Args: []string{"sh", "-c", "kill -9 $$"}})
	if !errors.As(err, &exit) || exit.Status != -1 {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"no-such-program-here", "/no/such/program"} {
		if _, err := l.Run(t.Context(), machine.Command{Args: []string{name}}); !errors.Is(err, exec.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := l.Run(ctx, machine.Command{Args: []string{"sleep", "60"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if l.Getenv("A") != "new" || l.Getenv("C") != "" {
		t.Error(l.Getenv("A"), l.Getenv("C"))
	}
}

// An init script starts a daemon that keeps its output: nobody waits for the daemon.
func TestRunDoesNotWaitForDaemons(t *testing.T) {
	l := &machine.Local{}
	begin := time.Now()
	out, err := l.Run(t.Context(), machine.Command{Args: []string{"sh", "-c", "sleep 30 & echo $!"}})
	if took := time.Since(begin); err != nil || took > 20*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	_, _ = l.Run(t.Context(), machine.Command{Args: []string{"kill", strings.TrimSpace(string(out))}})
}

func TestNothingOfTheRealMachine(t *testing.T) {
	l, dir := linux(t)
	if _, err := l.Run(t.Context(), machine.Command{Args: []string{"true"}}); !errors.Is(err, exec.ErrNotFound) {
		t.Error(err)
	}
	must(t, os.Mkdir(filepath.Join(dir, "run"), 0o755))
	socket, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(dir, "run", "s"))
	must(t, err)
	defer socket.Close()
	conn, err := l.Dial(t.Context(), "unix", "/run/s")
	must(t, err)
	_ = conn.Close()
	if _, err := l.Dial(t.Context(), "npipe", `\\.\pipe\x`); err == nil {
		t.Error("a named pipe here")
	}
}

// Paths of Windows in a test's folder.
func TestWindowsPaths(t *testing.T) {
	l, dir := linux(t)
	l.As = &machine.Facts{OS: machine.Windows, Home: `C:\Users\ann`}
	made, err := l.WriteFile(`C:\Users\ann\AppData\Docker\s.json`, []byte("{}"), 0o600)
	if err != nil || len(made) == 0 || made[len(made)-1] != `C:\Users\ann\AppData\Docker` {
		t.Errorf("%v, %v", made, err)
	}
	if f, err := l.ReadFile(`C:\Users\ann\AppData\Docker\s.json`); err != nil || f.Path != `C:\Users\ann\AppData\Docker\s.json` {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "Users", "ann", "AppData", "Docker", "s.json")); err != nil {
		t.Error(err)
	}
}

func TestFactsBehindSudo(t *testing.T) {
	l := &machine.Local{Environ: []string{"SUDO_UID=1234", "SUDO_USER=ann"}}
	f := l.Facts()
	if os.Geteuid() == 0 && (f.UID != 1234 || f.User != "ann" || !f.Root) {
		t.Errorf("%+v", f)
	}
	if os.Geteuid() != 0 && f.UID != os.Getuid() {
		t.Errorf("%+v", f)
	}
}
