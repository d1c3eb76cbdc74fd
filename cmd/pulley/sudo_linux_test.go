package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestCommandsForRootFindThisProgram: sudo does not look where a person has unpacked it.
func TestCommandsForRootFindThisProgram(t *testing.T) {
	dir, err := os.MkdirTemp("", "pulley") // others' to enter, which a test's own folder is not
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	program, home := filepath.Join(dir, "pulley"), filepath.Join(dir, "home")
	content, err := os.ReadFile(buildPulley(t))
	if err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	person := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		person.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	for _, err := range []error{
		os.Chmod(dir, 0o755), os.Mkdir(home, 0o755), os.WriteFile(program, content, 0o755),
		os.WriteFile(filepath.Join(dir, "dockerd"), []byte("#!/bin/sh\necho Docker version 20.10.24, build 1\n"), 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if person.Credential != nil {
		if err := os.Chown(home, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string]string{
		"connect docker --mirror --yes": `sudo env HOME="$HOME" ` + program + ` connect docker`,
		"service install --system":      "next: sudo " + program + " service install --system",
	} {
		cmd := exec.Command(program, strings.Fields(args)...)
		cmd.Env = []string{"HOME=" + home, "PATH=" + dir + ":/usr/bin:/bin"}
		cmd.SysProcAttr = person
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Run(); err == nil || !strings.Contains(said.String(), want) {
			t.Errorf("%s: %v: %s", args, err, said.String())
		}
	}
}
