package service

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pulley/internal/docker/machine"
)

// unit installs a unit into a folder of the test's and returns the file. Its program is there.
func unit(t *testing.T, system bool) string {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "with space", "pulley")
	if err := os.MkdirAll(filepath.Dir(binary), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, []byte("#!/bin/sh\n"), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	b := newBench(t, machine.Facts{OS: machine.Linux, Home: "/home/me", User: "me", UID: 1000, Root: system}, "PULLEY_HOME=/srv/50% and more")
	b.put("/home/me/theirs", "")
	b.put(binary, "")
	s := b.service("linux-systemd", Options{System: system, Binary: binary})
	if _, err := s.manager.install(t.Context()); err != nil {
		t.Fatal(err)
	}
	from := "/home/me/.config/systemd/user/pulley.service"
	if system {
		from = "/etc/systemd/system/pulley.service"
	}
	text, err := os.ReadFile(filepath.Join(b.dir, from))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pulley.service")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func analyze(ctx context.Context, t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(ctx, "systemd-analyze", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0", "XDG_RUNTIME_DIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestUnitsVerified has systemd itself read the units: it says nothing about what it does not know, or finds wrong.
func TestUnitsVerified(t *testing.T) {
	for name, test := range map[string]struct {
		system bool
		mode   []string
	}{
		"user":   {false, []string{"--user"}},
		"system": {true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := analyze(t.Context(), t, append(append([]string{"verify", "--man=no"}, test.mode...), unit(t, test.system))...)
			if err != nil || strings.Contains(out, "pulley") {
				t.Errorf("systemd-analyze verify: %v\n%s", err, out)
			}
		})
	}
}

// TestUnitExposure holds how little the system's service may do. systemd-analyze counts from 0 (safe) to 10.
func TestUnitExposure(t *testing.T) {
	out, err := analyze(t.Context(), t, "security", "--offline=yes", "--no-pager", "--threshold=20", unit(t, true))
	if err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}
