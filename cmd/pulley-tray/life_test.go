//go:build xvfb

package main_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"

	"pulley/internal/control"
	"pulley/internal/hubtest"
)

// A click on the icon opens the window.
func TestClickOpensTheWindow(t *testing.T) {
	s := newSession(t)
	a := newArea(t, s)
	s.tray(t)
	icon := a.icon(t)
	icon.find("On · 127.0.0.1:")
	if err := icon.item.Call("org.kde.StatusNotifierItem.Activate", 0, int32(0), int32(0)).Err; err != nil {
		t.Fatal(err)
	}
	s.window(t)
}

// notifications is the desktop's service for them.
type notifications struct {
	mu    sync.Mutex
	shown []string
}

// Notify is what programs call.
func (n *notifications) Notify(_ string, _ uint32, _, summary, body string, _ []string, _ map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.shown = append(n.shown, summary+": "+body)
	return uint32(len(n.shown)), nil //nolint:gosec // a few
}

func (n *notifications) text() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.shown, "\n")
}

// A mirror that disagrees is told once, while the same problem stands in the menu; so is a pull that failed.
func TestNotifications(t *testing.T) {
	s := newSession(t)
	hub := hubtest.Start(t)
	mirror := hubtest.MirrorOf(t, hub, hubtest.StyleHost)
	for i, name := range []string{"library/app", "library/other"} {
		hub.Push(name, "latest", hubtest.RandomImage(uint64(2*i+1), 1, 1000))
		mirror.Push(name, "latest", hubtest.RandomImage(uint64(2*i+2), 1, 1000))
	}
	s.behind(t, hub, mirror)
	config := filepath.Join(s.home, "config.toml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, append(text, "[[address]]\nhost = \"ghcr.io\"\nuse = [\"127.0.0.1:1\"]\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	a := newArea(t, s)
	service := &notifications{}
	if err := a.conn.Export(service, "/org/freedesktop/Notifications", "org.freedesktop.Notifications"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.conn.RequestName("org.freedesktop.Notifications", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	s.tray(t)
	icon := a.icon(t)
	icon.find("On · 127.0.0.1:")
	for _, name := range []string{"library/app", "library/other"} {
		if status := s.pull(t, name); status != http.StatusOK {
			t.Fatalf("status %d", status)
		}
	}
	icon.find("⚠ mirror docker.io/m1 disagrees")
	eventually(t, "a notification was shown", func() bool { return service.text() != "" })
	if got := service.text(); !strings.HasPrefix(got, "Pulley: mirror docker.io/m1 disagrees with the origin about docker.io/library/") || strings.Contains(got, "\n") {
		t.Errorf("shown was\n%s", got)
	}
	if status := s.pull(t, "ghcr.io/org/nowhere"); status < 500 {
		t.Fatalf("status %d", status)
	}
	icon.find("⚠ ghcr.io/org/nowhere:latest could not be pulled") // half a minute later: nobody tried again
	eventually(t, "the failed pull was told", func() bool {
		return strings.Contains(service.text(), "\nPulley: ghcr.io/org/nowhere:latest could not be pulled through Pulley: ")
	})
}

// Docker's contexts are in the menu, and docker uses the one that is chosen there.
func TestContextsInTheMenu(t *testing.T) {
	s := newSession(t)
	for _, name := range []string{"box", "farm"} {
		command := exec.Command(filepath.Join(programs, "pulley"), "context", "create", name, "unix:///nobody/"+name+".sock")
		command.Env = s.environ()
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	a := newArea(t, s)
	s.tray(t)
	icon := a.icon(t)
	icon.find("Docker context: default")
	icon.find("Docker context: default > farm, unreachable")
	icon.click(icon.find("Docker context: default > box"))
	if l := icon.find("Docker context: box, unreachable > box"); !l.checked {
		t.Error("the context in force is not checked")
	}
	config, err := os.ReadFile(filepath.Join(s.home, ".docker", "config.json"))
	if err != nil || !strings.Contains(string(config), `"currentContext": "box"`) {
		t.Errorf("docker's settings are %s, %v", config, err)
	}
}

// quitting is a command line program for which an engine is wired, but for that the real one.
const quitting = `#!/bin/sh
case "$*" in
*"--json connect") echo '[{"id":"podman","name":"Podman","wired":{"way":"proxy","ours":true}}]' ;;
*) exec REAL "$@" ;;
esac
`

// Who quits while an engine goes out by Pulley is asked first; a daemon that goes on by itself is no reason to ask.
func TestQuitAsksForWiredEngines(t *testing.T) {
	dir := t.TempDir()
	tray, err := os.ReadFile(filepath.Join(programs, "pulley-tray"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"pulley-tray": tray, "pulley": []byte(strings.Replace(quitting, "REAL", filepath.Join(programs, "pulley"), 1)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o700); err != nil { //nolint:gosec // programs
			t.Fatal(err)
		}
	}
	s := newSession(t)
	a := newArea(t, s)
	command := exec.Command(filepath.Join(dir, "pulley-tray"))
	command.Env = s.environ()
	p := start(t, command)
	icon := a.icon(t)
	icon.find("On · 127.0.0.1:")
	icon.click(icon.find("Quit"))
	s.window(t)
	select {
	case <-p.done:
		t.Fatal("it ended without asking")
	default:
	}
	s.becomes(t, "on", func(c control.State) bool { return c.Enabled })
}
