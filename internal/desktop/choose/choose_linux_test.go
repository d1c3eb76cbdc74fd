package choose_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"go.uber.org/goleak"

	"pulley/internal/desktop/choose"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`

// bus starts a session bus of the test's own, and has this program use it.
func bus(t *testing.T) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "bus.conf")
	if err := os.WriteFile(config, []byte(busConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon := exec.CommandContext(t.Context(), "dbus-daemon", "--config-file="+config, "--nofork", "--nopidfile", "--print-address")
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatalf("dbus-daemon: %v; install it with: apt-get install dbus-daemon", err)
	}
	t.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", strings.TrimSpace(address))
}

// portal is xdg-desktop-portal with a person before it.
type portal struct {
	conn   *dbus.Conn
	status uint32
	uris   []string
	mute   bool // the person does not answer

	asked  chan asked
	closed chan struct{}
}

type asked struct {
	method, parent, title string
	options               map[string]dbus.Variant
}

func start(t *testing.T, p *portal) *portal {
	t.Helper()
	bus(t)
	conn, err := dbus.ConnectSessionBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	p.conn, p.asked, p.closed = conn, make(chan asked, 1), make(chan struct{})
	const path = "/org/freedesktop/portal/desktop"
	for _, err := range []error{
		conn.Export(p, path, "org.freedesktop.portal.FileChooser"),
		conn.Export(properties{}, path, "org.freedesktop.DBus.Properties"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.RequestName("org.freedesktop.portal.Desktop", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	return p
}

type properties struct{}

// Get answers for the version of the interface.
func (properties) Get(string, string) (dbus.Variant, *dbus.Error) {
	return dbus.MakeVariant(uint32(3)), nil
}

func (p *portal) OpenFile(sender dbus.Sender, parent, title string, options map[string]dbus.Variant) (dbus.ObjectPath, *dbus.Error) {
	return p.answer(sender, asked{"OpenFile", parent, title, options})
}

func (p *portal) SaveFile(sender dbus.Sender, parent, title string, options map[string]dbus.Variant) (dbus.ObjectPath, *dbus.Error) {
	return p.answer(sender, asked{"SaveFile", parent, title, options})
}

func (p *portal) answer(sender dbus.Sender, a asked) (dbus.ObjectPath, *dbus.Error) {
	name := strings.ReplaceAll(strings.TrimPrefix(string(sender), ":"), ".", "_")
	handle := dbus.ObjectPath("/org/freedesktop/portal/desktop/request/" + name + "/" + a.options["handle_token"].Value().(string))
	if p.mute {
		_ = p.conn.Export(request{p.closed}, handle, "org.freedesktop.portal.Request")
		p.asked <- a
		return handle, nil
	}
	p.asked <- a
	// Before the call returns: the answer must not be missed then.
	_ = p.conn.Emit(handle, "org.freedesktop.portal.Request.Response", p.status, map[string]dbus.Variant{"uris": dbus.MakeVariant(p.uris)})
	return handle, nil
}

type request struct{ closed chan struct{} }

func (r request) Close() *dbus.Error { close(r.closed); return nil }

func TestPortal(t *testing.T) {
	p := start(t, &portal{uris: []string{"file:///home/me/a%20b.tar"}})
	got, err := choose.Open(t.Context(), "x11:1a", "Import images", []string{".tar", ".tgz"})
	if err != nil || got != "/home/me/a b.tar" {
		t.Fatalf("%q, %v", got, err)
	}
	a := <-p.asked
	if a.method != "OpenFile" || a.parent != "x11:1a" || a.title != "Import images" {
		t.Errorf("asked %+v", a)
	}

	if got, err = choose.Save(t.Context(), "", "Export", "bundle.tar"); err != nil || got == "" {
		t.Fatalf("%q, %v", got, err)
	}
	if a = <-p.asked; a.method != "SaveFile" || a.options["current_name"].Value() != "bundle.tar" {
		t.Errorf("asked %+v", a)
	}
	if got, err = choose.Folder(t.Context(), "", "Folder"); err != nil || got == "" {
		t.Fatalf("%q, %v", got, err)
	}
	if a = <-p.asked; a.method != "OpenFile" || a.options["directory"].Value() != true {
		t.Errorf("asked %+v", a)
	}
}

func TestPersonWhoChangesTheirMind(t *testing.T) {
	start(t, &portal{status: 1})
	if got, err := choose.Open(t.Context(), "", "T", nil); err != nil || got != "" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWhatIsNoFile(t *testing.T) {
	start(t, &portal{uris: []string{"sftp://host/a.tar"}})
	if _, err := choose.Open(t.Context(), "", "T", nil); err == nil || errors.Is(err, choose.ErrNone) {
		t.Errorf("error %v", err)
	}
}

func TestDialogIsClosedWhenTheProgramEnds(t *testing.T) {
	p := start(t, &portal{mute: true})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-p.asked
		cancel()
	}()
	if _, err := choose.Open(ctx, "", "T", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	select {
	case <-p.closed:
	case <-time.After(10 * time.Second):
		t.Error("the dialog stays")
	}
}

func TestDesktopWithoutDialogs(t *testing.T) {
	bus(t)
	if _, err := choose.Open(t.Context(), "", "T", nil); !errors.Is(err, choose.ErrNone) {
		t.Errorf("without a portal: %v", err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
	if _, err := choose.Open(t.Context(), "", "T", nil); !errors.Is(err, choose.ErrNone) {
		t.Errorf("without a bus: %v", err)
	}
}
