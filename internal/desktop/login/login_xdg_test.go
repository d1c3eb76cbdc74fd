//go:build unix && !darwin

package login

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "config")
	t.Setenv("XDG_CONFIG_HOME", dir)
	e := Entry{ID: "app.pulley.tray", Name: "Pulley", Program: `/opt/my $apps/100%/pulley-tray`}
	name := filepath.Join(dir, "autostart", "app.pulley.tray.desktop")
	expect := func(want bool) {
		t.Helper()
		if got, err := e.Enabled(); got != want || err != nil {
			t.Errorf("enabled is %v, %v", got, err)
		}
	}
	expect(false)
	for range 2 {
		if err := e.Set(true); err != nil {
			t.Fatal(err)
		}
		expect(true)
	}
	text, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(text), "\nExec=\"/opt/my \\\\$apps/100%%/pulley-tray\"\n") {
		t.Errorf("%v\n%s", err, text)
	}
	for _, off := range []string{"Hidden=true", "X-GNOME-Autostart-enabled = false"} { // as a desktop's settings do it
		if err := os.WriteFile(name, append(text, off+"\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
		expect(false)
	}
	if err := e.Set(true); err != nil {
		t.Fatal(err)
	}
	expect(true)
	for range 2 {
		if err := e.Set(false); err != nil {
			t.Fatal(err)
		}
		expect(false)
	}
	if left, err := os.ReadDir(filepath.Dir(name)); err != nil || len(left) != 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestSetSaysWhyNot(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	if err := os.WriteFile(filepath.Join(dir, "autostart"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (Entry{ID: "x", Program: "/x"}).Set(true); err == nil || !strings.HasPrefix(err.Error(), "start at login: ") {
		t.Error(err)
	}
}
