package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCompletionInBash has a real bash complete a line.
func TestCompletionInBash(t *testing.T) {
	binary := buildPulley(t)
	script := `source <(pulley completion bash)
COMP_WORDS=(pulley config set tray.theme ""); COMP_CWORD=4; COMP_LINE="pulley config set tray.theme "; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9
_get_comp_words_by_ref() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=""; prev=tray.theme; }
compopt() { :; }
__start_pulley 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"`
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "--norc", "-c", script)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+string(filepath.ListSeparator)+os.Getenv("PATH"), "PULLEY_HOME="+t.TempDir())
	said, err := cmd.CombinedOutput()
	if got := strings.Fields(string(said)); err != nil || strings.Join(got, " ") != "auto dark light" {
		t.Errorf("%v: %q", err, said)
	}
}
