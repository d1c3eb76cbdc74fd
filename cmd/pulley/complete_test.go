package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// TestEveryArgumentIsCompleted: whoever adds a command says what its arguments are, and nothing is said of what is gone.
func TestEveryArgumentIsCompleted(t *testing.T) {
	places, flags := arguments(), choices()
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		path := strings.TrimPrefix(cmd.CommandPath(), "pulley ")
		if _, takes, _ := strings.Cut(cmd.Use, " "); takes != "" {
			if places[path] == nil {
				t.Errorf("pulley %s takes %q, of which nothing is known", path, takes)
			}
			delete(places, path)
		}
		for name := range flags {
			if command, flag, _ := strings.Cut(name, " --"); command == path && cmd.LocalFlags().Lookup(flag) != nil {
				delete(flags, name)
			}
		}
		for _, below := range cmd.Commands() {
			walk(below)
		}
	}
	walk(newRoot())
	for path := range places {
		t.Errorf("pulley %s takes no arguments", path)
	}
	for name := range flags {
		t.Errorf("there is no pulley %s", name)
	}
}

// TestCompletionWaitsForNobody: a daemon that takes a connection and never answers keeps nobody from typing on.
func TestCompletionWaitsForNobody(t *testing.T) {
	home, err := os.MkdirTemp("", "pulley") // short: a socket's path may not be long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	ln, err := net.Listen("unix", filepath.Join(home, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	t.Setenv("PULLEY_HOME", home)
	cmd := &cobra.Command{}
	cmd.SetContext(t.Context())
	for name, c := range map[string]completer{"images": images, "registries": registries, "egresses": egresses} {
		since := time.Now()
		got := offered(cmd, c, nil, "")
		if took := time.Since(since); took > 4*completeTime {
			t.Errorf("%s: %s", name, took)
		}
		if name == "registries" && len(got) == 0 {
			t.Error("the settings know registries, and were not asked")
		}
	}
}
