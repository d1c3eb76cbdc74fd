package service

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/internal/docker/machine"
)

var (
	somebody  = machine.Facts{OS: machine.Linux, Home: "/home/me", User: "me", UID: 1000}
	superuser = machine.Facts{OS: machine.Linux, Home: "/root", User: "root", Root: true}
)

const session = "XDG_RUNTIME_DIR=/run/user/1000"

// TestUpgradeByAPackage hands over to a program that is new here, though its time is that of when it was built.
func TestUpgradeByAPackage(t *testing.T) {
	b := newBench(t, somebody, session)
	b.put("/opt/pulley", "")
	if err := b.service("linux-systemd", Options{Binary: "/opt/pulley"}).Install(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	built := time.Unix(1e9, 0)
	if err := os.Chtimes(filepath.Join(b.dir, "opt/pulley"), built, built); err != nil {
		t.Fatal(err)
	}
	for started, want := range map[time.Time]string{
		time.Now().Add(-time.Hour): "$ systemctl --user reload-or-restart pulley.service\n",
		time.Now().Add(time.Hour):  "",
	} {
		b.since = started
		b.script.Reset()
		if err := b.service("linux-systemd", Options{}).Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if b.script.String() != want {
			t.Errorf("a daemon of %v: %q, want %q", started, b.script.String(), want)
		}
	}
}

// TestProgramIsGone says what mends a service whose program was moved, and that does.
func TestProgramIsGone(t *testing.T) {
	for platform, facts := range map[string]machine.Facts{
		"linux-systemd": superuser, "unix-systemv": superuser, "linux-openrc": superuser,
		"darwin-launchd": {OS: machine.Darwin, Home: "/var/root", User: "root", Root: true},
	} {
		b := newBench(t, facts)
		b.put("/etc/init.d/theirs", "")
		b.put("/opt/two words-1/pulley", "")
		b.put("/opt/2/pulley", "")
		at := func(binary string) *Service { return b.service(platform, Options{System: true, Binary: binary}) }
		if err := at("/opt/two words-1/pulley").Install(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(b.dir, "opt/two words-1/pulley")); err != nil {
			t.Fatal(err)
		}
		const says = "its program /opt/two words-1/pulley is gone; next: pulley service install --system"
		if status, err := at("").Status(t.Context()); err != nil || !strings.Contains(status.Detail, says) {
			t.Errorf("%s: %+v, %v", platform, status, err)
		}
		b.script.Reset()
		oneLine(t, at("").Start(t.Context()), says)
		if b.script.Len() > 0 {
			t.Errorf("%s: ran %s", platform, b.script.String())
		}
		if err := at("/opt/2/pulley").Install(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if status, err := at("").Status(t.Context()); err != nil || !status.Running || strings.Contains(status.Detail, "gone") {
			t.Errorf("%s: %+v, %v", platform, status, err)
		}
	}
}

// TestOldErrors are of a daemon that has served since: they do not explain why it cannot be started now.
func TestOldErrors(t *testing.T) {
	b := newBench(t, somebody, session)
	b.put("/opt/pulley", "")
	b.answer = func(line string) (string, error) {
		switch {
		case strings.Contains(line, "journalctl"):
			return "pulley: the port was taken last week\nready 127.0.0.1:5055\npulley.service: Failed at step EXEC\n", nil
		case strings.HasSuffix(line, "start pulley.service"):
			return "", &machine.ExitError{Program: "systemctl", Status: 1, Stderr: "Job for pulley.service failed.\nSee elsewhere."}
		}
		return "", nil
	}
	err := b.service("linux-systemd", Options{Binary: "/opt/pulley"}).Install(t.Context(), true)
	oneLine(t, err, "Job for pulley.service failed")
	if strings.Contains(err.Error(), "last week") {
		t.Error(err)
	}
}

// TestUnwritable leaves neither user nor folders of a service that could not be installed: nothing would know of them.
func TestUnwritable(t *testing.T) {
	b := newBench(t, superuser)
	b.put("/opt/pulley", "")
	for _, dir := range []string{"/etc", "/var/lib", "/var/cache", "/etc/systemd/system"} {
		b.put(dir+"/theirs", "")
	}
	b.put("/etc/systemd/system/pulley.service", "")
	if err := os.Chmod(filepath.Join(b.dir, "etc/systemd/system/pulley.service"), 0o444); err != nil {
		t.Fatal(err)
	}
	before := b.files()
	oneLine(t, b.service("linux-systemd", Options{System: true, Binary: "/opt/pulley"}).Install(t.Context(), true), "read-only")
	if after := b.files(); after != before || b.user {
		t.Errorf("left (user: %v):\n%s", b.user, after)
	}
}

// TestMasked is a unit that an administrator forbade.
func TestMasked(t *testing.T) {
	b := newBench(t, superuser)
	b.put("/opt/pulley", "")
	before := b.files()
	b.answer = func(line string) (string, error) {
		if strings.HasPrefix(line, "systemctl show") {
			return "LoadState=masked\nActiveState=inactive\n", nil
		}
		return "", nil
	}
	s := b.service("linux-systemd", Options{System: true, Binary: "/opt/pulley"})
	oneLine(t, s.Install(t.Context(), true), "sudo systemctl unmask pulley.service")
	if status, err := s.Status(t.Context()); err != nil || status.Installed || !strings.Contains(status.Detail, "unmask") {
		t.Errorf("%+v, %v", status, err)
	}
	if after := b.files(); after != before || b.script.Len() > 0 {
		t.Errorf("something was done:\n%s%s", b.script.String(), after)
	}
}

// TestGroupStayed is a machine where a former user pulley left its group, because people are in it.
func TestGroupStayed(t *testing.T) {
	for _, lacks := range [][]string{nil, {"useradd"}} {
		b := newBench(t, superuser)
		b.lacks = lacks
		b.put("/opt/pulley", "")
		b.answer = func(line string) (string, error) {
			switch {
			case line == "getent group pulley":
				return "pulley:x:990:me\n", nil
			case strings.Contains(line, "--user-group"), strings.HasPrefix(line, "addgroup"):
				return "", &machine.ExitError{Program: "useradd", Status: 9, Stderr: "group pulley exists"}
			}
			return "", nil
		}
		if err := b.service("linux-systemd", Options{System: true, Binary: "/opt/pulley"}).Install(t.Context(), false); err != nil || !b.user {
			t.Errorf("without %v: %v", lacks, err)
		}
	}
}

// TestUninstallFails tells so, and can be done again.
func TestUninstallFails(t *testing.T) {
	b := newBench(t, superuser)
	b.put("/opt/pulley", "")
	o := Options{System: true, Binary: "/opt/pulley"}
	if err := b.service("linux-systemd", o).Install(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	b.answer = func(line string) (string, error) {
		if strings.HasPrefix(line, "userdel") {
			return "", &machine.ExitError{Program: "userdel", Status: 8, Stderr: "userdel: user pulley is currently used by process 7\n"}
		}
		return "", nil
	}
	oneLine(t, b.service("linux-systemd", o).Uninstall(t.Context()), "used by process 7", "next: once more pulley service uninstall --system")
	b.answer = nil
	if err := b.service("linux-systemd", o).Uninstall(t.Context()); err != nil || b.user {
		t.Errorf("once more: %v; the user is there: %v", err, b.user)
	}
}

// TestNoStartStopDaemon is SysV init without what the script needs, or with BusyBox's.
func TestNoStartStopDaemon(t *testing.T) {
	for _, answer := range []string{"", "BusyBox v1.36.1 multi-call binary.\nUsage: start-stop-daemon -S|K\n"} {
		b := newBench(t, superuser)
		b.put("/etc/init.d/theirs", "")
		b.put("/opt/pulley", "")
		if answer == "" {
			b.lacks = []string{"start-stop-daemon"}
		}
		b.answer = func(line string) (string, error) {
			if strings.HasPrefix(line, "start-stop-daemon") {
				return answer, nil
			}
			return "", nil
		}
		before := b.files()
		oneLine(t, b.service("unix-systemv", Options{System: true, Binary: "/opt/pulley"}).Install(t.Context(), true), "start-stop-daemon", "pulley service run")
		if after := b.files(); after != before || b.user {
			t.Errorf("something was done:\n%s", after)
		}
	}
}

// TestTaskFinishes: the scheduler kills; so a daemon finishes what runs before the task is ended, and one that cannot be asked
// does not keep it from ending.
func TestTaskFinishes(t *testing.T) {
	const end = "$ schtasks.exe /End /TN Pulley\n"
	for _, deaf := range []bool{false, true} {
		b := newBench(t, machine.Facts{OS: machine.Windows, Home: `C:\Users\jo`, User: `DESK\jo`, UID: -1}, `LOCALAPPDATA=C:\Users\jo\AppData\Local`)
		b.put(`C:\pulley\pulley.exe`, "")
		s := b.service("windows-service", Options{Binary: `C:\pulley\pulley.exe`})
		if err := s.Install(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		b.script.Reset()
		finishing := 3
		s.retire = func(context.Context) error {
			if deaf {
				return errors.New("nobody is there")
			}
			b.script.WriteString("asked\n")
			return nil
		}
		s.answers = func(context.Context) (control.Version, time.Time, error) {
			if finishing--; finishing > 0 {
				return control.Version{PID: 42}, b.since, nil
			}
			b.script.WriteString("silent\n")
			return control.Version{}, time.Time{}, errors.New("nobody answers")
		}
		if err := s.manager.stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := "asked\nsilent\n" + end
		if deaf {
			want = end
		}
		if b.script.String() != want {
			t.Errorf("%q, want %q", b.script.String(), want)
		}
	}
}

// TestAskToEnd speaks to the service's own daemon, and takes nothing but its yes for one.
func TestAskToEnd(t *testing.T) {
	home, err := os.MkdirTemp("", "end") // short: a socket's path may not be long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	b := newBench(t, somebody, "PULLEY_HOME="+home)
	s := b.service("linux-systemd", Options{})
	if err := s.askToEnd(t.Context()); err == nil {
		t.Error("nobody was there")
	}
	l, err := net.Listen("unix", filepath.Join(home, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	status, asked := http.StatusAccepted, ""
	server := &httptest.Server{Listener: l, Config: &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.Host + r.URL.Path
		w.WriteHeader(status)
	})}}
	server.Start()
	defer server.Close()
	if err := s.askToEnd(t.Context()); err != nil || asked != "POST "+control.Host+"/v1/handover" {
		t.Errorf("%q, %v", asked, err)
	}
	status = http.StatusForbidden
	if err := s.askToEnd(t.Context()); err == nil {
		t.Error("a no was taken for a yes")
	}
}
