package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"pulley/internal/hubtest"
	"pulley/internal/waytest"
)

// A share whose owner is gone, as a desktop app that was killed is, ends by itself, though nobody reads what it says; the
// next one has its port.
func TestShareEndsWithItsOwner(t *testing.T) {
	binary, far := buildPulley(t), waytest.SSHD(t, "")
	home := homeWith(t, hubtest.Settings{Origin: hubtest.Start(t)})
	daemon, _ := killableDaemon(t, binary, home)
	t.Cleanup(func() { stopDaemon(daemon) })
	environ := append(waytest.Knowing(t, far).Environ(), "PULLEY_HOME="+home, "DOCKER_CONFIG="+filepath.Join(home, "docker"))
	pulley := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), binary, args...)
		cmd.Env = environ
		return cmd
	}
	if out, err := pulley("context", "create", "far", far.URL()).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	port := 0
	for range 2 {
		share := pulley("--until-eof", "context", "share", "far", "--json", "--port", strconv.Itoa(port))
		owner, err := share.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		reader, said, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		share.Stdout, share.Stderr = said, os.Stderr
		if err := share.Start(); err != nil {
			t.Fatal(err)
		}
		_ = said.Close()
		var up struct {
			Event string
			Port  int
		}
		if err := json.NewDecoder(reader).Decode(&up); err != nil || up.Event != "up" || port != 0 && up.Port != port {
			t.Fatalf("%+v, %v; port %d", up, err, port)
		}
		port = up.Port
		_, _ = reader.Close(), owner.Close()
		if err := share.Wait(); err != nil {
			t.Errorf("it ends with %v", err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(home, "state", "shares", "*.json")); err != nil || len(left) > 0 {
		t.Errorf("%q is left, %v", left, err)
	}
	if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); !errors.Is(err, syscall.ECONNREFUSED) { //nolint:noctx // at once
		if err == nil { // sshd sees the end a moment later
			_, err = io.Copy(io.Discard, c)
			_ = c.Close()
		}
		if err != nil {
			t.Errorf("the port is still open: %v", err)
		}
	}
}
