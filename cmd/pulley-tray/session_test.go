//go:build xvfb

package main_test

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"pulley/internal/control"
)

// session is a desktop of its own: an X server, a session bus, a home.
type session struct {
	display int
	bus     string // its address
	home    string // PULLEY_HOME
	listen  string // in config.toml; "": a free port
	x       *x11
}

// newSession starts one; it is gone when the test ends.
func newSession(t *testing.T) *session {
	t.Helper()
	home, err := os.MkdirTemp("", "pulley") // short: sockets go there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	s := &session{home: home}
	s.display = startX11(t)
	s.bus = startBus(t)
	s.x = dialX11(t, s.display)
	s.configure(t, "")
	return s
}

// configure writes config.toml: where to listen, and more.
func (s *session) configure(t *testing.T, more string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.home, "config.toml"), fmt.Appendf(nil, "listen = %q\n%s", cmp.Or(s.listen, "127.0.0.1:0"), more), 0o600); err != nil {
		t.Fatal(err)
	}
}

// environ is the environment of programs in the session, with more on top.
func (s *session) environ(more ...string) []string {
	var environ []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if name != "DISPLAY" && name != "WAYLAND_DISPLAY" && !strings.HasPrefix(name, "PULLEY_") && !strings.HasPrefix(name, "DBUS_") {
			environ = append(environ, e)
		}
	}
	return append(append(environ,
		fmt.Sprintf("DISPLAY=:%d", s.display), "DBUS_SESSION_BUS_ADDRESS="+s.bus, "PULLEY_HOME="+s.home,
		"LANGUAGE=en", "HOME="+s.home, "XDG_CONFIG_HOME="+s.home, "XDG_CACHE_HOME="+s.home, "LIBGL_ALWAYS_SOFTWARE=1", "FYNE_SCALE=1"), more...)
}

// tool is the path of a program that the tests need.
func tool(t *testing.T, name, debian string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing; install it with: apt-get install %s", name, debian)
	}
	return path
}

func startX11(t *testing.T) (display int) {
	t.Helper()
	number, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = number.Close() }()
	server := exec.Command(tool(t, "Xvfb", "xvfb"), "-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp", "-ac")
	server.ExtraFiles = []*os.File{theirs}
	start(t, server)
	_ = theirs.Close()
	line, err := bufio.NewReader(number).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb did not start: %v", err)
	}
	if display, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		t.Fatal(err)
	}
	return display
}

// busConfig is a session bus that starts nothing by itself.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`

func startBus(t *testing.T) (address string) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "bus.conf")
	if err := os.WriteFile(config, []byte(busConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	bus := exec.Command(tool(t, "dbus-daemon", "dbus-daemon"), "--config-file="+config, "--nofork", "--nopidfile", "--print-address=3")
	ours, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ours.Close() }()
	bus.ExtraFiles = []*os.File{theirs}
	start(t, bus)
	_ = theirs.Close()
	line, err := bufio.NewReader(ours).ReadString('\n')
	if err != nil {
		t.Fatalf("dbus-daemon did not start: %v", err)
	}
	return strings.TrimSpace(line)
}

// process is a program that was started, and what it printed.
type process struct {
	*exec.Cmd
	out  output
	done chan struct{}
}

// output can be read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start runs a program until it ends, at the latest with the test.
func start(t *testing.T, command *exec.Cmd) *process {
	t.Helper()
	p := &process{Cmd: command, done: make(chan struct{})}
	command.Stdout, command.Stderr = &p.out, &p.out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = command.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM) // a tray takes its daemon with it
		select {
		case <-p.done:
		case <-time.After(control.Drain + 20*time.Second): // a tray waits for its daemon
			t.Errorf("%s does not end when it is asked to", filepath.Base(command.Path))
			_ = command.Process.Signal(syscall.SIGQUIT) // a Go program then says where it is stuck
			<-p.done
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", filepath.Base(command.Path), p.out.String())
		}
	})
	return p
}

// ended waits for the end of a program and returns its exit status.
func (p *process) ended(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
		return p.ProcessState.ExitCode()
	case <-time.After(30 * time.Second):
		t.Fatalf("%s does not end", filepath.Base(p.Path))
		return -1
	}
}

// eventually waits until is is true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("it never happened that %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// area is a status area: it collects the icons that register.
type area struct {
	conn *dbus.Conn
	mu   sync.Mutex
	item string // the bus name of the last one
}

const watcherName = "org.kde.StatusNotifierWatcher"

// newArea puts a status area on the session's bus.
func newArea(t *testing.T, s *session) *area {
	t.Helper()
	conn, err := dbus.Connect(s.bus)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	a := &area{conn: conn}
	if err := conn.Export(a, "/StatusNotifierWatcher", watcherName); err != nil {
		t.Fatal(err)
	}
	if reply, err := conn.RequestName(watcherName, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatalf("the name of the watcher is not ours: %v %v", reply, err)
	}
	return a
}

// RegisterStatusNotifierItem is what an icon calls.
func (a *area) RegisterStatusNotifierItem(sender dbus.Sender, _ string) *dbus.Error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.item = string(sender)
	return nil
}

// icon waits for an icon to register and returns it.
func (a *area) icon(t *testing.T) *statusIcon {
	t.Helper()
	var name string
	eventually(t, "an icon registered", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		name = a.item
		return name != ""
	})
	return &statusIcon{t: t, item: a.conn.Object(name, "/StatusNotifierItem"), menu: a.conn.Object(name, "/StatusNotifierItem/menu")}
}
