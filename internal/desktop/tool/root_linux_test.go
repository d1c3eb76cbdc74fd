package tool

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pkexec is one as polkit's, with nobody to ask.
func pkexec() {
	args := os.Args[1:]
	switch mode := os.Getenv("XDG_DATA_HOME"); mode { // its own environment is the caller's
	case "declined":
		fmt.Fprintln(os.Stderr, "Error executing command as another user: Request dismissed")
		os.Exit(126)
	case "nobody":
		fmt.Fprintln(os.Stderr, "Error executing command as another user: No authentication agent found.")
		os.Exit(127)
	case "forbidden":
		fmt.Fprint(os.Stderr, "Error executing command as another user: Not authorized\n\nThis incident has been reported.\n")
		os.Exit(127)
	}
	if args[0] != "--disable-internal-agent" {
		os.Exit(125)
	}
	c := exec.Command(args[1], args[2:]...)
	c.Env = []string{"PKEXEC_UID=1000"} // nothing else is left
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			os.Exit(exit.ExitCode())
		}
		os.Exit(127)
	}
	os.Exit(0)
}

func withPkexec(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "pkexec")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
}

func TestAsRootTakesThePersonsPlacesAlong(t *testing.T) {
	withPkexec(t)
	tool := faked(t, "echo")
	tool.Environ = append(tool.Environ, "HOME=/home/a b", "XDG_STATE_HOME=/s", "AWS_SECRET_ACCESS_KEY=secret")
	var got echoed
	if err := tool.asRoot(t.Context(), &got, tool.Program, []string{"connect", "docker", "--yes"}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"--json", "connect", "docker", "--yes"}; !slices.Equal(got.Args, want) {
		t.Errorf("%q", got.Args)
	}
	for _, want := range []string{"HOME=/home/a b", "XDG_STATE_HOME=/s", "PULLEY_HOME=fake:echo", fmt.Sprint("SUDO_UID=", os.Getuid()), rootPath} {
		if !slices.Contains(got.Environ, want) {
			t.Errorf("%s is not in %q", want, got.Environ)
		}
	}
	if strings.Contains(strings.Join(got.Environ, "\n"), "secret") {
		t.Error("a secret went along")
	}
	got = echoed{}
	if err := faked(t, "findings").asRoot(t.Context(), &got, tool.Program, []string{"x"}); err == nil || err.Error() != "docker: two findings; try: pulley doctor --fix" || len(got.Args) != 1 {
		t.Errorf("%v, %q", err, got.Args)
	}
}

func TestAsRootRefused(t *testing.T) {
	withPkexec(t)
	for mode, want := range map[string]string{
		"declined":  ErrDeclined.Error(),
		"forbidden": ErrDeclined.Error(),
		"nobody":    "no program on this desktop asks for an administrator's password (a polkit agent); in a terminal: sudo env PULLEY_HOME=fake:echo XDG_DATA_HOME=nobody /opt/pulley connect docker",
	} {
		tool := &Tool{Environ: []string{fakeVar + "=fake:echo", "XDG_DATA_HOME=" + mode}}
		err := tool.asRoot(t.Context(), nil, "/opt/pulley", []string{"connect", "docker"})
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v", mode, err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	err := (&Tool{Environ: []string{"HOME=/home/a b"}}).asRoot(t.Context(), nil, "/opt/pulley", []string{"ca", "trust"})
	var there *TerminalError
	if !errors.As(err, &there) || there.Command() != `sudo env 'HOME=/home/a b' /opt/pulley ca trust` {
		t.Error(err)
	}
}
