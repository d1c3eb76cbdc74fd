package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pulley/internal/waytest"
)

// connected is a connection of a person to a real sshd.
func connected(t *testing.T, far *waytest.Machine, me *waytest.Person, change func(*SSHOptions)) *SSH {
	t.Helper()
	o := SSHOptions{URL: far.URL(), Name: "far", Environ: me.Environ()}
	if change != nil {
		change(&o)
	}
	s, err := ConnectSSH(within(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func leakless(t *testing.T) {
	t.Helper()
	old := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, old) })
}

func put(t *testing.T, name, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSSHFacts(t *testing.T) {
	leakless(t)
	far := waytest.SSHD(t, "SetEnv DOCKER_HOST=unix:///elsewhere.sock\n")
	s := connected(t, far, waytest.Knowing(t, far), nil)
	f := s.Facts()
	if f.Name != "far" || f.OS != Linux || f.Arch != (&Local{}).Facts().Arch || f.UID != os.Getuid() || f.User != far.User || f.Root != (os.Getuid() == 0) || !filepath.IsAbs(f.Home) {
		t.Errorf("facts are %+v", f)
	}
	if v := s.Getenv("DOCKER_HOST"); v != "unix:///elsewhere.sock" {
		t.Errorf("DOCKER_HOST is %q", v)
	}
	var many sync.WaitGroup
	for range 20 {
		many.Go(func() {
			if _, err := s.Run(within(t), Command{Args: []string{"true"}}); err != nil {
				t.Error(err)
			}
		})
	}
	many.Wait()
	if n := far.Connections(); n != 1 {
		t.Errorf("%d connections were made", n)
	}
}

func TestSSHRuns(t *testing.T) {
	leakless(t)
	far := waytest.SSHD(t, "")
	s := connected(t, far, waytest.Knowing(t, far), nil)
	odd := []string{"", "a b", `it's "so" $HOME`, "`id`", `back\slash\n`, "new\nline", "!bang", "ünï", "*", "-n", "~", "%d", "a;b&c|d", "\t", "#x"}
	out, err := s.Run(within(t), Command{Args: append([]string{"printf", `<%s>`}, odd...)})
	if want := "<" + strings.Join(odd, "><") + ">"; err != nil || string(out) != want {
		t.Errorf("printf has %q, want %q: %v", out, want, err)
	}
	binary := "\x00\x01\xff\r\n\x00"
	out, err = s.Run(within(t), Command{Args: []string{"sh", "-c", `printf %s "$A"; cat`}, Stdin: []byte(binary), Env: []string{"A=it's $B", "B=no"}})
	if err != nil || string(out) != "it's $B"+binary {
		t.Errorf("sh has %q: %v", out, err)
	}
	for _, status := range []int{1, 42, 127, 255} {
		var ee *ExitError
		_, err = s.Run(within(t), Command{Args: []string{"sh", "-c", fmt.Sprintf("echo first >&2; echo why >&2; exit %d", status)}})
		if !errors.As(err, &ee) || ee.Status != status || err.Error() != "sh: why" {
			t.Errorf("status %d is %v", status, err)
		}
	}
	if _, err = s.Run(within(t), Command{Args: []string{"no-such-program"}}); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("a program that is not there is %v", err)
	}
	// A daemon keeps what it was started with open.
	out, err = s.Run(within(t), Command{Args: []string{"sh", "-c", "sleep 100 & echo $!"}})
	if err != nil {
		t.Errorf("a program that leaves a daemon: %v", err)
	}
	if _, err := s.Run(within(t), Command{Args: []string{"kill", strings.TrimSpace(string(out))}}); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := s.Run(ctx, Command{Args: []string{"sleep", "20"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a program that is cut off is %v", err)
	}
}

// What a person's shell prints by itself is no part of anything.
func TestSSHShellThatTalks(t *testing.T) {
	leakless(t)
	far := waytest.SSHD(t, `ForceCommand echo welcome; echo beware >&2; eval "$SSH_ORIGINAL_COMMAND"`+"\n")
	s := connected(t, far, waytest.Knowing(t, far), nil)
	if out, err := s.Run(within(t), Command{Args: []string{"echo", "yes"}}); err != nil || string(out) != "yes\n" {
		t.Errorf("echo has %q: %v", out, err)
	}
	name := filepath.Join(t.TempDir(), "f")
	put(t, name, "text", 0o600)
	if f, err := s.ReadFile(name); err != nil || string(f.Data) != "text" {
		t.Errorf("the file is %+v: %v", f, err)
	}
	if got := echo(t, s, listenEcho(t)); got != "ping\n" {
		t.Errorf("the socket answers %q", got)
	}
}

func TestSSHFiles(t *testing.T) {
	leakless(t)
	far := waytest.SSHD(t, "")
	s := connected(t, far, waytest.Knowing(t, far), nil)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s.facts.Home = filepath.Join(dir, "home")
	file := filepath.Join(dir, "it's a file")
	put(t, file, "old", 0o640)
	link := filepath.Join(dir, "link")
	for to, from := range map[string]string{"it's a file": link, "nowhere": filepath.Join(dir, "dangling"), "loop": filepath.Join(dir, "loop")} {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	content := "\xef\xbb\xbf{\r\n}\x00 no newline"
	if made, err := s.WriteFile(link, []byte(content), 0o600); err != nil || made != nil {
		t.Errorf("writing made %q: %v", made, err)
	}
	if f, err := s.ReadFile(link); err != nil || string(f.Data) != content || f.Path != file || f.Mode != 0o640 {
		t.Errorf("read is %+v: %v", f, err)
	}
	if to, err := os.Readlink(link); err != nil || to != "it's a file" {
		t.Errorf("the link leads to %q: %v", to, err)
	}
	if _, err := s.WriteFile(filepath.Join(dir, "dangling"), nil, 0o604); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "nowhere")); err != nil || info.Size() != 0 || info.Mode() != 0o604 {
		t.Errorf("the file behind the link is %v: %v", info, err)
	}
	made, err := s.WriteFile(filepath.Join(dir, "home", "a", "b", "f"), []byte("x"), 0o644)
	if want := []string{filepath.Join(dir, "home"), filepath.Join(dir, "home/a"), filepath.Join(dir, "home/a/b")}; err != nil || !slices.Equal(made, want) {
		t.Errorf("made %q: %v", made, err)
	}
	for name, mode := range map[string]fs.FileMode{"home": 0o755, "home/a": 0o700, "home/a/b": 0o700, "home/a/b/f": 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v: %v", name, info.Mode(), err)
		}
		if there, err := s.Stat(filepath.Join(dir, name)); err != nil || there.Mode() != info.Mode() || there.Size() != info.Size() || there.ModTime().Unix() != info.ModTime().Unix() || there.Name() != info.Name() {
			t.Errorf("%s is %v there: %v", name, there, err)
		}
	}
	if names, err := s.List(dir); err != nil || !slices.Equal(names, []string{"dangling", "home", "it's a file", "link", "loop", "nowhere"}) {
		t.Errorf("listed %q: %v", names, err)
	}
	if names, err := s.List(filepath.Join(dir, "home")); err != nil || !slices.Equal(names, []string{"a"}) {
		t.Errorf("listed %q: %v", names, err)
	}
	refusedFiles(t, s, dir)
	if err := s.Remove(link); err != nil {
		t.Error(err)
	}
	if get(t, file) != content {
		t.Error("what the link led to has gone")
	}
	for _, name := range []string{"home/a/b/f", "home/a/b", "home/a", "home"} {
		if err := s.Remove(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func refusedFiles(t *testing.T, s *SSH, dir string) {
	t.Helper()
	put(t, filepath.Join(dir, "ro"), "kept", 0o400)
	for what, err := range map[string]error{
		"reading":  second(s.ReadFile(filepath.Join(dir, "none"))),
		"below":    second(s.ReadFile(filepath.Join(dir, "none", "x"))),
		"listing":  second(s.List(filepath.Join(dir, "none"))),
		"stat":     second(s.Stat(filepath.Join(dir, "none"))),
		"removing": s.Remove(filepath.Join(dir, "none")),
	} {
		var pe *fs.PathError
		if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &pe) || !strings.HasPrefix(pe.Path, dir) {
			t.Errorf("%s what is not there: %v", what, err)
		}
	}
	for what, err := range map[string]error{
		"a folder that is not empty": s.Remove(filepath.Join(dir, "home")),
		"listing a file":             second(s.List(filepath.Join(dir, "ro"))),
		"reading a folder":           second(s.ReadFile(dir)),
		"writing a folder":           second(s.WriteFile(dir, nil, 0o600)),
		"a circle":                   second(s.ReadFile(filepath.Join(dir, "loop"))),
		"no absolute path":           second(s.ReadFile("x")),
	} {
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.WriteFile(filepath.Join(dir, "ro"), []byte("x"), 0o600); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "is read-only") || get(t, filepath.Join(dir, "ro")) != "kept" {
		t.Errorf("writing what is read-only: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "ro")); err != nil {
		t.Fatal(err)
	}
}

func second[T any](_ T, err error) error { return err }

// Who looks for a program reads the command line of each process: one journey.
func TestSSHProcesses(t *testing.T) {
	leakless(t)
	far := waytest.SSHD(t, "")
	s := connected(t, far, waytest.Knowing(t, far), nil)
	name := fmt.Sprintf("/proc/%d/cmdline", os.Getpid())
	if f, err := s.ReadFile(name); err != nil || string(f.Data) != get(t, name) {
		t.Errorf("our own is %q: %v", f.Data, err)
	}
	if _, err := s.ReadFile("/proc/99999999/cmdline"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("that of no process: %v", err)
	}
}

// A process that has no command line, as one that ended, does not hide the one that is listed after it.
func TestSSHProcessesBesideEnded(t *testing.T) {
	leakless(t)
	far := waytest.SSHD(t, "")
	s := connected(t, far, waytest.Knowing(t, far), nil)
	var names []string
	for range 20 {
		ended := exec.Command("true")
		running := exec.Command("sleep", "60")
		for _, cmd := range []*exec.Cmd{ended, running} {
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		}
		name := fmt.Sprintf("/proc/%d/cmdline", ended.Process.Pid)
		for get(t, name) != "" { // it ends, and nobody waits for it yet
			runtime.Gosched()
		}
		names = append(names, fmt.Sprintf("/proc/%d/cmdline", running.Process.Pid))
	}
	for _, name := range names {
		if f, err := s.ReadFile(name); err != nil || string(f.Data) != "sleep\x0060\x00" {
			t.Errorf("%s is %q: %v", name, f.Data, err)
		}
	}
}

// What the person there may not do goes by sudo, and where that would ask it is said what to type. Here, whoever logs in is
// nobody in particular, and sudo unlocks a folder.
func TestSSHSudo(t *testing.T) {
	leakless(t)
	dir, err := os.MkdirTemp("/tmp", "pulley")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "locked"), 0o700); _ = os.RemoveAll(dir) })
	locked := filepath.Join(dir, "locked")
	for _, sub := range []string{"bin", "locked"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(locked, "f"), "old", 0o600)
	sudo := func(script string) { put(t, filepath.Join(dir, "bin/sudo"), "#!/bin/sh\n"+script, 0o755) }
	unlock := `[ "$1" = -n ] || exit 9
shift
chmod 700 ` + locked + "\n" + `"$@"` + "\ns=$?\nchmod 0 " + locked + "\nexit $s\n"
	sudo(unlock)
	drop := ""
	if os.Getuid() == 0 {
		const nobody = 65534
		for _, name := range []string{dir, filepath.Join(dir, "bin"), locked, filepath.Join(locked, "f"), filepath.Join(dir, "bin/sudo")} {
			if err := os.Chown(name, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
		drop = "setpriv --reuid=65534 --regid=65534 --clear-groups "
	}
	if err := os.Chmod(locked, 0); err != nil {
		t.Fatal(err)
	}
	far := waytest.SSHD(t, "ForceCommand PATH="+filepath.Join(dir, "bin")+":$PATH exec "+drop+"/bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n")
	me := waytest.Knowing(t, far)
	s := connected(t, far, me, func(o *SSHOptions) { o.Sudo = true })
	if f := s.Facts(); !f.Root || f.UID == 0 {
		t.Fatalf("facts are %+v", f)
	}
	file := filepath.Join(locked, "f")
	if _, err := s.WriteFile(file, []byte("new"), 0o644); err != nil {
		t.Error(err)
	}
	if f, err := s.ReadFile(file); err != nil || string(f.Data) != "new" || f.Mode != 0o600 {
		t.Errorf("the file is %+v: %v", f, err)
	}
	if names, err := s.List(locked); err != nil || !slices.Equal(names, []string{"f"}) {
		t.Errorf("listed %q: %v", names, err)
	}
	if out, err := s.Run(within(t), Command{Args: []string{"cat", file}}); err != nil || string(out) != "new" {
		t.Errorf("cat has %q: %v", out, err)
	}

	sudo("echo 'sudo: a password is required' >&2\nexit 1\n")
	s = connected(t, far, me, func(o *SSHOptions) { o.Sudo = true })
	_, err = s.WriteFile(file, []byte("newer"), 0o644)
	if !errors.Is(err, fs.ErrPermission) || !errors.Is(err, ErrNeedsRoot) || !strings.Contains(err.Error(), "sudo asks for a password; try: ssh -t -p ") || !strings.HasSuffix(err.Error(), " sudo tee "+file) {
		t.Errorf("writing without sudo: %v", err)
	}
	_, err = s.Run(within(t), Command{Args: []string{"cat", file}})
	var ee *ExitError
	if !errors.Is(err, ErrNeedsRoot) || !errors.As(err, &ee) || !strings.Contains(err.Error(), " sudo cat "+file) {
		t.Errorf("running without sudo: %v", err)
	}
}
