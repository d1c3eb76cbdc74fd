package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
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
