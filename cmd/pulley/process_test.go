package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pulley/internal/hubtest"
)

// built is the daemon as it is shipped, built once by whoever needs it first.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// swept runs the tests and takes away what was built for them.
type swept struct{ *testing.M }

func (m swept) Run() int {
	defer func() { _ = os.RemoveAll(built.dir) }()
	return m.M.Run()
}

// buildPulley returns the program.
func buildPulley(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "pulley"); built.err != nil {
			return
		}
		build := exec.Command("go", "build", "-o", built.dir+string(filepath.Separator), ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "pulley")
}

// homeWith is a PULLEY_HOME of these settings.
func homeWith(t *testing.T, s hubtest.Settings) string {
	t.Helper()
	home, err := os.MkdirTemp("", "pulley") // short: a socket's path may not be long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	if err := os.WriteFile(filepath.Join(home, "config.toml"), []byte(s.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return home
}

// killableDaemon starts a daemon and returns the address from its ready line.
func killableDaemon(t *testing.T, binary, home string, environ ...string) (*exec.Cmd, string) {
	t.Helper()
	daemon := exec.Command(binary, "up")
	daemon.Env = append(append(os.Environ(), environ...), "PULLEY_HOME="+home)
	daemon.Stderr = os.Stderr
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "ready ") {
		stopDaemon(daemon)
		t.Fatalf("no ready line: %q, %v", line, err)
	}
	for _, word := range strings.Fields(line) {
		if _, _, err := net.SplitHostPort(strings.TrimPrefix(word, "http://")); err == nil {
			return daemon, strings.TrimPrefix(word, "http://")
		}
	}
	stopDaemon(daemon)
	t.Fatalf("no address in %q", line)
	return nil, ""
}

// stopDaemon kills it.
func stopDaemon(daemon *exec.Cmd) {
	_ = daemon.Process.Kill()
	_ = daemon.Wait()
}
