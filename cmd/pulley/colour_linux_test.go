package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"pulley/internal/hubtest"
)

// TestColoursAreForTerminals: https://no-color.org, and terminals that are dumb.
func TestColoursAreForTerminals(t *testing.T) {
	binary, home := buildPulley(t), t.TempDir()
	run := func(environ ...string) *exec.Cmd {
		cmd := exec.Command(binary, "context", "ls")
		cmd.Env = append(os.Environ(), "PULLEY_HOME="+home, "DOCKER_CONFIG="+home, "DOCKER_HOST=", "DOCKER_CONTEXT=", "NO_COLOR=", "TERM=xterm")
		cmd.Env = append(cmd.Env, environ...)
		return cmd
	}
	create := run()
	create.Args = []string{binary, "context", "create", "far", "ssh://me@far.example", "--mark", "production", "--colour", "red"}
	if said, err := create.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, test := range []struct {
		name     string
		environ  []string
		coloured bool
	}{
		{"a terminal", nil, true},
		{"NO_COLOR", []string{"NO_COLOR=1"}, false},
		{"NO_COLOR that is empty", []string{"NO_COLOR="}, true},
		{"dumb", []string{"TERM=dumb"}, false},
	} {
		drawn, err := terminal(t, run(test.environ...))
		if err != nil || !strings.Contains(drawn, "[production]") || strings.Contains(drawn, "\x1b[31m[production]\x1b[0m") != test.coloured {
			t.Errorf("%s: %v: %q", test.name, err, drawn)
		}
	}
	said, err := run().Output()
	if err != nil || !strings.Contains(string(said), "[production]") || strings.Contains(string(said), "\x1b") {
		t.Errorf("no terminal: %v: %q", err, said)
	}
}

// TestStatusOnATerminal shows by a colour what its words say.
func TestStatusOnATerminal(t *testing.T) {
	binary, home := buildPulley(t), homeWith(t, hubtest.Settings{Origin: hubtest.Start(t)})
	daemon, _ := killableDaemon(t, binary, home)
	defer stopDaemon(daemon)
	cmd := exec.Command(binary, "status")
	cmd.Env = append(os.Environ(), "PULLEY_HOME="+home, "NO_COLOR=", "TERM=xterm")
	drawn, err := terminal(t, cmd)
	if err != nil || !strings.HasPrefix(drawn, "\x1b[32mpulley\x1b[0m     on at 127.0.0.1:") {
		t.Errorf("%v: %q", err, drawn)
	}
}
