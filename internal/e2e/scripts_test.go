//go:build unix

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// machine is a PATH of fake programs in front of which the scripts of .ci run, so that what they do on other machines is
// seen on this one.
type machine struct{ bin, log string }

// newMachine has the small tools that the scripts use themselves, and nothing else.
func newMachine(t *testing.T) machine {
	t.Helper()
	dir := t.TempDir()
	m := machine{filepath.Join(dir, "bin"), filepath.Join(dir, "log")}
	if err := os.Mkdir(m.bin, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"bash", "dirname", "sed", "sort", "head", "tail", "cat", "cut", "mktemp", "rm", "find", "chmod"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(m.bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	m.program(t, "uname", "echo Linux")
	m.program(t, "id", "echo 1000")
	return m
}

// program puts a fake there.
func (m machine) program(t *testing.T, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.bin, name), []byte("#!/bin/bash\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// run runs a script without a terminal and returns all it printed.
func (m machine) run(t *testing.T, env []string, script string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", append([]string{"../../.ci/" + script}, args...)...)
	cmd.Env = append([]string{"PATH=" + m.bin, "LOG=" + m.log, "HOME=" + t.TempDir()}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestGoVersionIsCheckedInOneLine(t *testing.T) {
	for _, test := range []struct{ go_, want string }{
		{"", "none found on PATH"},
		{"echo go version go1.19.8 linux/amd64", "version 1.19.8 found"},
		{"echo go version go1.9 linux/amd64", "version 1.9 found"},
		{"echo go version go1.26.0 linux/amd64", ""},
		{"echo go version go1.26 linux/amd64", ""},
		{"echo go version go1.100.1 linux/amd64", ""},
		{"echo go version devel go1.27-abcdef linux/amd64", ""},
		// A new Go that would fetch a toolchain must have been told not to.
		{`[[ $GOTOOLCHAIN == local ]] && echo go version go1.26.3 linux/amd64`, ""},
	} {
		m := newMachine(t)
		if test.go_ != "" {
			m.program(t, "go", test.go_)
		}
		out, err := m.run(t, nil, "go")
		if test.want == "" {
			if err != nil || out != "" {
				t.Errorf("%q: %v: %s", test.go_, err, out)
			}
			continue
		}
		if err == nil || strings.Count(out, "\n") != 1 || !strings.Contains(out, test.want) ||
			!strings.Contains(out, "Go 1.26.0 or newer") || !strings.Contains(out, "https://go.dev/dl/") {
			t.Errorf("%q: %v: %s", test.go_, err, out)
		}
	}
}

func TestNeedWithNoTerminalNamesTheCommand(t *testing.T) {
	for manager, want := range map[string]string{
		"apt-get": "sudo bash -c 'apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends gcc libc6-dev ",
		"dnf":     "sudo bash -c 'dnf install -y gcc ",
		"pacman":  "sudo bash -c 'pacman -Sy --noconfirm --needed gcc ",
	} {
		m := newMachine(t)
		m.program(t, manager, `echo "$0 $*" >>$LOG`)
		m.program(t, "sudo", `echo "sudo $*" >>$LOG`)
		out, err := m.run(t, []string{"SSL_CERT_FILE=/x"}, "need", "desktop")
		if err == nil || !strings.Contains(out, want) || !strings.Contains(out, "a C compiler") || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: %v: %s", manager, err, out)
		}
		if log, err := os.ReadFile(m.log); err == nil {
			t.Errorf("%s: it ran %s", manager, log)
		}
	}
}

// In CI it installs without asking, and a second run finds all of it and installs nothing.
func TestNeedInstallsOnce(t *testing.T) {
	m := newMachine(t)
	m.program(t, "sudo", `[[ $1 == -n ]] && shift; "$@"`)
	// The compiler that it installs finds every header.
	m.program(t, "apt-get", `echo "apt-get $*" >>$LOG
[[ $1 == install ]] || exit 0
cd "${0%/*}"
for name in cc pkg-config; do
  printf '#!/bin/bash\n' >$name
  chmod +x $name
done`)
	env := []string{"CI=true", "SSL_CERT_FILE=/x"}
	out, err := m.run(t, env, "need", "desktop")
	if err != nil || !strings.Contains(out, "installing: gcc libc6-dev pkg-config") {
		t.Fatalf("%v: %s", err, out)
	}
	log, err := os.ReadFile(m.log)
	if err != nil {
		t.Fatal(err)
	}
	first := strings.Split(strings.TrimSpace(string(log)), "\n")
	if len(first) != 2 || first[0] != "apt-get update" || !strings.HasPrefix(first[1], "apt-get install -y --no-install-recommends ") {
		t.Errorf("it ran %q", first)
	}
	if out, err = m.run(t, env, "need", "desktop"); err != nil || out != "" {
		t.Errorf("the second run: %v: %s", err, out)
	}
	if again, _ := os.ReadFile(m.log); string(again) != string(log) {
		t.Errorf("the second run installed: %s", again)
	}
}

func TestNeedWithNoPackageManager(t *testing.T) {
	m := newMachine(t)
	out, err := m.run(t, []string{"CI=1"}, "need", "desktop")
	if err == nil || !strings.Contains(out, "no package manager") || !strings.Contains(out, "a C compiler") {
		t.Errorf("%v: %s", err, out)
	}
}
