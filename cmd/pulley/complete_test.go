package main

import (
	"context"
	"net"
	"os"
	"os/exec"
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

// TestCompletionInBash has a real bash complete a line.
func TestCompletionInBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Log("there is no bash here")
		return
	}
	binary := buildPulley(t)
	script := `source <(pulley completion bash)
COMP_WORDS=(pulley config set tray.theme ""); COMP_CWORD=4; COMP_LINE="pulley config set tray.theme "; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9
_get_comp_words_by_ref() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=""; prev=tray.theme; }
compopt() { :; }
__start_pulley 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"`
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bash, "--norc", "-c", script)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+string(filepath.ListSeparator)+os.Getenv("PATH"), "PULLEY_HOME="+t.TempDir())
	said, err := cmd.CombinedOutput()
	if got := strings.Fields(string(said)); err != nil || strings.Join(got, " ") != "auto dark light" {
		t.Errorf("%v: %q", err, said)
	}
}
