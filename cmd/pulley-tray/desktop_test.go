//go:build xvfb && ui && linux

package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// panelSettings are of a panel at the top of the screen, with a status area at its right end and nothing else.
const panelSettings = `<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array"><value type="int" value="1"/>
    <property name="dark-mode" type="bool" value="true"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="icon-size" type="uint" value="22"/>
      <property name="size" type="uint" value="32"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/><value type="int" value="2"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="separator">
      <property name="expand" type="bool" value="true"/><property name="style" type="uint" value="0"/>
    </property>
    <property name="plugin-2" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
    </property>
  </property>
</channel>
`

// furnish makes of a session a whole desktop: a window manager, and a panel with a status area.
func (s *session) furnish(t *testing.T) {
	t.Helper()
	settings := filepath.Join(s.home, "xfce4", "xfconf", "xfce-perchannel-xml", "xfce4-panel.xml")
	if err := os.MkdirAll(filepath.Dir(settings), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(settings, []byte(panelSettings), 0o600); err != nil {
		t.Fatal(err)
	}
	daemons, _ := filepath.Glob("/usr/lib*/*/xfce4/xfconf/xfconfd")
	if len(daemons) == 0 {
		daemons = []string{tool(t, "xfconfd", "xfconf")}
	}
	for _, program := range []string{tool(t, "openbox", "openbox"), daemons[0]} {
		s.start(t, program)
	}
	s.named(t, "org.xfce.Xfconf")
	s.start(t, tool(t, "xfce4-panel", "xfce4-panel"))
	s.named(t, watcherName)
}

// start runs a program of the desktop.
func (s *session) start(t *testing.T, program string, args ...string) {
	t.Helper()
	command := exec.Command(program, args...)
	command.Env = s.environ("NO_AT_BRIDGE=1", "GTK_THEME=Adwaita:dark")
	start(t, command)
}

func (s *session) dial(t *testing.T) *dbus.Conn {
	t.Helper()
	conn, err := dbus.Connect(s.bus)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// named waits until somebody on the bus has a name.
func (s *session) named(t *testing.T, name string) {
	t.Helper()
	conn := s.dial(t)
	eventually(t, name+" was there", func() bool {
		var there bool
		return conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, name).Store(&there) == nil && there
	})
}

// panelIcon waits until the panel has our icon.
func (s *session) panelIcon(t *testing.T) *statusIcon {
	t.Helper()
	conn := s.dial(t)
	var items []string
	eventually(t, "the panel had an icon", func() bool {
		value, err := conn.Object(watcherName, "/StatusNotifierWatcher").GetProperty(watcherName + ".RegisteredStatusNotifierItems")
		return err == nil && value.Store(&items) == nil && len(items) > 0
	})
	name, _, _ := strings.Cut(items[0], "/")
	return &statusIcon{t: t, item: conn.Object(name, "/StatusNotifierItem"), menu: conn.Object(name, "/StatusNotifierItem/menu")}
}

// xdo types and points as a person would.
func (s *session) xdo(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.Command(tool(t, "xdotool", "xdotool"), args...)
	command.Env = s.environ()
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("xdotool %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// keys types keys, as "ctrl+2".
func (s *session) keys(t *testing.T, keys ...string) {
	t.Helper()
	s.xdo(t, append([]string{"key", "--clearmodifiers", "--delay", "40"}, keys...)...)
}

// face is the window, by the number that X knows it by; a window manager puts it into another one.
func (s *session) face(t *testing.T) uint32 {
	t.Helper()
	var id uint32
	eventually(t, "the window was open", func() bool {
		command := exec.Command("xdotool", "search", "--onlyvisible", "--name", "^Pulley$")
		command.Env = s.environ()
		out, err := command.Output()
		if err != nil {
			return false
		}
		_, err = fmt.Sscan(string(out), &id)
		return err == nil
	})
	return id
}

// gone waits until no window is shown.
func (s *session) gone(t *testing.T) {
	t.Helper()
	eventually(t, "the window was closed", func() bool {
		command := exec.Command("xdotool", "search", "--onlyvisible", "--name", "^Pulley$")
		command.Env = s.environ()
		out, _ := command.Output()
		return len(out) == 0
	})
}

// click clicks at a place in the window.
func (s *session) click(t *testing.T, id uint32, x, y int) {
	t.Helper()
	s.xdo(t, "mousemove", "--window", fmt.Sprint(id), fmt.Sprint(x), fmt.Sprint(y))
	s.xdo(t, "click", "1")
}
