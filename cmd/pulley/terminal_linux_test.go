package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"pulley/internal/hubtest"
)

// terminal runs a command whose output is a terminal of 120 columns, and returns what was drawn there.
func terminal(t *testing.T, cmd *exec.Cmd) (string, error) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	fd := int(ours.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 120}); err != nil {
		t.Fatal(err)
	}
	theirs, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = theirs
	err = cmd.Start()
	_ = theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	var drawn bytes.Buffer
	if _, err := io.Copy(&drawn, ours); err != nil && !errors.Is(err, syscall.EIO) { // EIO: nobody has the other end any more
		t.Error(err)
	}
	return drawn.String(), cmd.Wait()
}

// A person at a terminal sees a bar for each blob, its speed and the time left, and at the end a line for the image.
func TestBarsOnATerminal(t *testing.T) {
	hub := hubtest.Start(t)
	image := hubtest.MultiArch(map[string]hubtest.Image{"linux/amd64": hubtest.RandomImage(1, 2, 1<<20)})
	hub.Push("library/app", "1", image)
	hub.SetFaults(hubtest.Faults{Bandwidth: 1 << 20})
	binary, home := buildPulley(t), homeWith(t, hubtest.Settings{Origin: hub})
	daemon, _ := killableDaemon(t, binary, home)
	defer stopDaemon(daemon)
	run := func(args ...string) *exec.Cmd {
		cmd := exec.Command(binary, args...)
		cmd.Env = append(os.Environ(), "PULLEY_HOME="+home, "DOCKER_CONFIG="+home, "TERM=xterm")
		return cmd
	}
	drawn, err := terminal(t, run("pull", "--platform", "linux/amd64", "app:1"))
	if err != nil {
		t.Errorf("%v\n%s", err, drawn)
	}
	for _, want := range []string{"app:1 layer " + image.Children[0].Layers[0].Digest.Encoded()[:12], "[==", "MiB/s", "all ", "app:1: here, "} {
		if !strings.Contains(drawn, want) {
			t.Errorf("no %q in %q", want, drawn)
		}
	}
	cmd := run("cache", "export", "app:1")
	var said bytes.Buffer
	cmd.Stderr = &said
	drawn, err = terminal(t, cmd)
	var status *exec.ExitError
	if !errors.As(err, &status) || status.ExitCode() != 2 || drawn != "" || !strings.HasPrefix(said.String(), "pulley: export: a tar is nothing for a terminal; try: ") {
		t.Errorf("export to a terminal: %v, %q, %q", err, said.String(), drawn)
	}
}

// Who tests a mirror at a terminal sees how far it is, and then what was found; a file has the latter alone.
func TestMirrorTestOnATerminal(t *testing.T) {
	hub := hubtest.Start(t)
	hub.Push("library/alpine", "latest", hubtest.RandomImage(1, 1, 4<<20))
	hub.SetFaults(hubtest.Faults{Bandwidth: 4 << 20})
	binary, home := buildPulley(t), homeWith(t, hubtest.Settings{Origin: hub})
	daemon, _ := killableDaemon(t, binary, home)
	defer stopDaemon(daemon)
	run := func() *exec.Cmd {
		cmd := exec.Command(binary, "mirror", "test", "docker.io", "origin")
		cmd.Env = append(os.Environ(), "PULLEY_HOME="+home, "DOCKER_CONFIG="+home, "TERM=xterm")
		return cmd
	}
	drawn, err := terminal(t, run())
	if err != nil {
		t.Errorf("%v\n%s", err, drawn)
	}
	for _, want := range []string{"[==", "of 4.0", "first byte ", "SOURCE"} {
		if !strings.Contains(drawn, want) {
			t.Errorf("no %q in %q", want, drawn)
		}
	}
	said, err := run().Output()
	if err != nil || strings.Contains(string(said), "[=") || strings.Contains(string(said), "%") || !strings.HasPrefix(string(said), "SOURCE") {
		t.Errorf("%q, %v", said, err)
	}
}
