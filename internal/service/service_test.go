package service

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pulley/internal/control"
	"pulley/internal/docker/machine"
)

// oneLine is the error of an installation: one line, with all of these in it.
func oneLine(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("it was installed")
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than a line: %v", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("it should say %q: %v", part, err)
		}
	}
}

// TestRefused is what cannot be, each with the next step, and with nothing written or run.
func TestRefused(t *testing.T) {
	me := machine.Facts{OS: machine.Linux, Home: "/home/me", User: "me", UID: 1000}
	sudo := machine.Facts{OS: machine.Linux, Home: "/root", User: "me", UID: 1000, Root: true}
	mac := machine.Facts{OS: machine.Darwin, Home: "/Users/me", User: "me", UID: 501}
	for name, test := range map[string]struct {
		platform string
		facts    machine.Facts
		system   bool
		binary   string
		says     []string
	}{
		"own service without systemd": {"unix-systemv", me, false, "/opt/pulley", []string{"sudo pulley service install --system", "pulley-tray", "@reboot '/opt/pulley' service run"}},
		"no manager at all":           {"linux-procd", sudo, true, "/opt/pulley", []string{"pulley service run"}},
		"system without root":         {"linux-systemd", me, true, "/opt/pulley", []string{"sudo pulley service install --system"}},
		"own behind sudo":             {"linux-systemd", sudo, false, "/opt/pulley", []string{"pulley service install;", "--system"}},
		"temporary":                   {"linux-systemd", me, false, "/tmp/pulley", []string{"temporary", "/usr/local/bin"}},
		"in TMPDIR":                   {"linux-systemd", me, false, "/scratch/x/pulley", []string{"temporary"}},
		"go run":                      {"linux-systemd", me, false, "/home/me/.cache/go-build/12/pulley", []string{"go run"}},
		"disk image":                  {"darwin-launchd", mac, false, "/Volumes/Pulley/pulley", []string{"taken out"}},
		"quarantined":                 {"darwin-launchd", mac, false, "/private/x/AppTranslocation/1/d/pulley", []string{"quarantined"}},
		"the desktop app":             {"linux-systemd", me, false, "/usr/bin/pulley-tray", []string{"not the program pulley"}},
		"system from a home":          {"linux-systemd", sudo, true, "/home/me/bin/pulley", []string{"sudo install -m 755 '/home/me/bin/pulley' /usr/local/bin/pulley"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, test.facts, "TMPDIR=/scratch/")
			b.put(test.binary, "")
			before := b.files()
			oneLine(t, b.service(test.platform, Options{System: test.system, Binary: test.binary}).Install(t.Context(), true), test.says...)
			if after := b.files(); after != before || b.script.Len() > 0 {
				t.Errorf("something was done:\n%s%s", b.script.String(), after)
			}
		})
	}
}

// TestSystemBinary wants a program that its user can run, and that nobody but root can replace.
func TestSystemBinary(t *testing.T) {
	for mode, says := range map[os.FileMode]string{0o700: "chmod o+rx '/opt'", 0o777: "chmod o-w '/opt'"} {
		b := newBench(t, machine.Facts{OS: machine.Linux, Home: "/root", User: "root", Root: true})
		b.put("/opt/pulley", "")
		if err := os.Chmod(filepath.Join(b.dir, "opt"), mode); err != nil {
			t.Fatal(err)
		}
		oneLine(t, b.service("linux-systemd", Options{System: true, Binary: "/opt/pulley"}).Install(t.Context(), true), says)
	}
}

// TestNoSession is systemd without a session of the person: after su, in cron, in a container.
func TestNoSession(t *testing.T) {
	facts := machine.Facts{OS: machine.Linux, Home: "/home/me", User: "me", UID: 1000}
	no := func(string) (string, error) {
		return "", &machine.ExitError{Program: "systemctl", Status: 1, Stderr: "Failed to connect to bus: No medium found\n"}
	}
	b := newBench(t, facts)
	b.put("/opt/pulley", "")
	b.answer = no
	oneLine(t, b.service("linux-systemd", Options{Binary: "/opt/pulley"}).Install(t.Context(), true),
		"neither XDG_RUNTIME_DIR nor DBUS_SESSION_BUS_ADDRESS is set", "loginctl enable-linger me", "XDG_RUNTIME_DIR=/run/user/1000")

	// There is one, only that this shell does not know of it.
	b = newBench(t, facts)
	b.put("/opt/pulley", "")
	b.put("/run/user/1000/systemd/private", "")
	s := b.service("linux-systemd", Options{Binary: "/opt/pulley"})
	if err := s.Install(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if places, err := s.places(); err != nil || places.ControlSocket != "/run/user/1000/pulley/control.sock" {
		t.Errorf("its daemon is looked for at %s (%v)", places.ControlSocket, err)
	}
}

// TestSomebodysName does not run the service as a person who is called pulley.
func TestSomebodysName(t *testing.T) {
	b := newBench(t, machine.Facts{OS: machine.Linux, Home: "/root", User: "root", Root: true})
	b.put("/opt/pulley", "")
	b.answer = func(line string) (string, error) {
		if line == "id -u pulley" {
			return "1001\n", nil
		}
		return "", nil
	}
	oneLine(t, b.service("linux-systemd", Options{System: true, Binary: "/opt/pulley"}).Install(t.Context(), true), "somebody's (number 1001)")
}

// TestLent are folders that somebody put settings in before: they are the service's while it is there, and stay.
func TestLent(t *testing.T) {
	b := newBench(t, machine.Facts{OS: machine.Linux, Home: "/root", User: "root", Root: true})
	b.put("/opt/pulley", "")
	b.put("/etc/pulley/config.toml", "mine")
	o := Options{System: true, Binary: "/opt/pulley"}
	for range 2 {
		if err := b.service("linux-systemd", o).Install(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.service("linux-systemd", o).Uninstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	script := b.script.String()
	if strings.Count(script, "chown -R pulley:pulley /etc/pulley") != 1 || strings.Count(script, "chown -R 0:0 /etc/pulley") != 1 {
		t.Errorf("given and taken back once each:\n%s", script)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "etc/pulley/config.toml")); err != nil {
		t.Error(err)
	}
}

// TestKeepData leaves what a later installation goes on with.
func TestKeepData(t *testing.T) {
	b := newBench(t, machine.Facts{OS: machine.Linux, Home: "/root", User: "root", Root: true})
	b.put("/opt/pulley", "")
	o := Options{System: true, Binary: "/opt/pulley", KeepData: true}
	if err := b.service("linux-systemd", o).Install(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if b.running {
		t.Error("it was not to be started")
	}
	if err := b.service("linux-systemd", o).Uninstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "var/cache/pulley")); err != nil || !b.user {
		t.Errorf("data or user are gone: %v", err)
	}
}

// TestKeptDataGoesWithTheLastInstallation: what one installation made and left is the next one's to remove, or a removal's
// that comes without one; what was there before any stays.
func TestKeptDataGoesWithTheLastInstallation(t *testing.T) {
	for _, c := range []struct {
		platform string
		facts    machine.Facts
		lent     string
	}{
		{"linux-systemd", machine.Facts{OS: machine.Linux, Home: "/root", User: "root", Root: true}, "/etc/pulley"},
		{"unix-systemv", machine.Facts{OS: machine.Linux, Home: "/root", User: "root", Root: true}, "/var/lib/pulley"},
		{"darwin-launchd", machine.Facts{OS: machine.Darwin, Home: "/var/root", User: "root", Root: true}, "/Library/Logs/Pulley"},
	} {
		for _, again := range []bool{true, false} {
			b := newBench(t, c.facts)
			b.put("/opt/pulley", "")
			b.put("/etc/init.d/theirs", "")
			b.put(c.lent+"/config.toml", "mine")
			b.put("/var/lib/theirs", "")
			b.put("/Library/Application Support/theirs", "")
			b.put("/Library/LaunchDaemons/theirs", "")
			b.put("/etc/systemd/system/theirs", "")
			b.put("/var/cache/theirs", "")
			b.put("/var/log/theirs", "")
			was := b.files()
			o := Options{System: true, Binary: "/opt/pulley"}
			keep := o
			keep.KeepData = true
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				must(b.service(c.platform, o).Install(t.Context(), false))
				must(b.service(c.platform, keep).Uninstall(t.Context()))
			}
			if !b.user {
				t.Errorf("%s: the user is gone", c.platform)
			}
			if again {
				must(b.service(c.platform, o).Install(t.Context(), false))
			}
			must(b.service(c.platform, o).Uninstall(t.Context()))
			if now := b.files(); now != was || b.user {
				t.Errorf("%s: was:\n%s\nis (user %v):\n%s", c.platform, was, b.user, now)
			}
			if script := b.script.String(); !strings.Contains(script, "chown -R 0:0 "+c.lent) {
				t.Errorf("%s: not given back:\n%s", c.platform, script)
			}
		}
	}
}

// TestUpgrade hands over when the unit or the program changed, and starts nothing anew otherwise.
func TestUpgrade(t *testing.T) {
	b := newBench(t, machine.Facts{OS: machine.Linux, Home: "/home/me", User: "me", UID: 1000}, "XDG_RUNTIME_DIR=/run/user/1000")
	b.put("/opt/1/pulley", "")
	b.put("/opt/2/pulley", "")
	if err := b.service("linux-systemd", Options{Binary: "/opt/1/pulley"}).Install(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	b.script.Reset()
	if err := b.service("linux-systemd", Options{Binary: "/opt/2/pulley"}).Install(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if want := "$ systemctl --user daemon-reload\n$ systemctl --user enable --quiet pulley.service\n$ systemctl --user reload-or-restart pulley.service\n"; b.script.String() != want {
		t.Errorf("another unit:\n%s", b.script.String())
	}
	b.script.Reset()
	s := b.service("linux-systemd", Options{Binary: "/opt/2/pulley"})
	s.answers = func(context.Context) (control.Version, time.Time, error) {
		return control.Version{PID: 42 + b.renewed}, time.Unix(1, 0), nil // before the program came to be
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := "$ systemctl --user reload-or-restart pulley.service\n"; b.script.String() != want {
		t.Errorf("another program:\n%s", b.script.String())
	}
}

// TestHandOverIsAwaited: a keeper says nothing of the daemon that it starts, so the new one is waited for, until it fails.
func TestHandOverIsAwaited(t *testing.T) {
	for name, log := range map[string]string{
		"it takes over": "ready 127.0.0.1:5055\n",
		"it fails":      "ready 127.0.0.1:5055\npulley: config.toml: nonsense\npulley: keeper: the old daemon goes on\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, superuser)
			b.put("/etc/init.d/theirs", "")
			b.put("/opt/1/pulley", "")
			b.put("/var/log/pulley/pulley.log", "pulley: of last week\nready 127.0.0.1:5055\n")
			s := b.service("unix-systemv", Options{System: true, Binary: "/opt/1/pulley"})
			if err := s.Install(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			fails, asked := strings.Contains(log, "nonsense"), 0
			s.answers = func(context.Context) (control.Version, time.Time, error) {
				asked++
				if asked == 4 {
					b.put("/var/log/pulley/pulley.log", log)
				}
				if asked < 4 || fails {
					return control.Version{PID: 42}, time.Unix(1, 0), nil // before the program came to be
				}
				return control.Version{PID: 43}, time.Now(), nil
			}
			began := time.Now()
			err := s.Start(t.Context())
			switch {
			case !fails && (err != nil || asked < 4):
				t.Errorf("%s: asked %d times, %v", name, asked, err)
			case fails:
				oneLine(t, err, "the old one goes on: config.toml: nonsense; see: sudo tail /var/log/pulley/pulley.log")
				if took := time.Since(began); took >= s.await {
					t.Errorf("%s: only after %s", name, took)
				}
			}
		})
	}
}

// TestOffline is a root folder that somebody fills from a machine with systemd, an image say: nobody is there to start anything.
func TestOffline(t *testing.T) {
	b := newBench(t, superuser)
	for _, dir := range []string{"/etc", "/var/lib", "/var/cache", "/etc/systemd/system"} {
		b.put(dir+"/theirs", "")
	}
	b.put("/opt/1/pulley", "")
	before := b.files()
	if err := os.RemoveAll(filepath.Join(b.dir, "run/systemd")); err != nil {
		t.Fatal(err)
	}
	var said []string
	s := b.service("linux-systemd", Options{System: true, Binary: "/opt/1/pulley", Say: func(line string) { said = append(said, line) }})
	if err := s.Install(t.Context(), true); err != nil || len(said) != 1 || !strings.Contains(said[0], "next boot") {
		t.Errorf("%v, said %q", err, said)
	}
	status, err := s.Status(t.Context())
	if err != nil || !status.Installed || status.Running || status.Unit != "/etc/systemd/system/pulley.service" || !strings.Contains(status.Detail, "next boot") {
		t.Errorf("%+v, %v", status, err)
	}
	oneLine(t, s.Start(t.Context()), "systemd does not run here")
	if err := s.Uninstall(t.Context()); err != nil {
		t.Error(err)
	}
	for line := range strings.Lines(b.script.String()) {
		if strings.Contains(line, "systemctl") && !strings.Contains(line, "--root=/") {
			t.Errorf("systemd was called: %s", line)
		}
	}
	if after := b.files(); after != before || b.user {
		t.Errorf("left (user: %v):\n%s", b.user, after)
	}
}

// TestUpgradeKept is the same where a keeper runs: one of another program's has to go.
func TestUpgradeKept(t *testing.T) {
	b := newBench(t, machine.Facts{OS: machine.Linux, Home: "/root", User: "root", Root: true})
	b.put("/etc/init.d/theirs", "")
	b.put("/opt/1/pulley", "")
	b.put("/opt/2/pulley", "")
	if err := b.service("unix-systemv", Options{System: true, Binary: "/opt/1/pulley"}).Install(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	b.script.Reset()
	if err := b.service("unix-systemv", Options{System: true, Binary: "/opt/2/pulley"}).Install(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if want := "$ update-rc.d pulley defaults\n$ /etc/init.d/pulley restart\n"; b.script.String() != want {
		t.Errorf("another program:\n%s", b.script.String())
	}
}

// TestDoesNotStart says what the daemon said.
func TestDoesNotStart(t *testing.T) {
	b := newBench(t, machine.Facts{OS: machine.Linux, Home: "/home/me", User: "me", UID: 1000}, "XDG_RUNTIME_DIR=/run/user/1000")
	b.put("/opt/pulley", "")
	b.answer = func(line string) (string, error) {
		switch {
		case strings.Contains(line, "journalctl"):
			return "ready 127.0.0.1:1\npulley: 127.0.0.1:5055 is in use by nginx; end that\npulley.service: Failed\n", nil
		case strings.HasSuffix(line, "start pulley.service"):
			return "", &machine.ExitError{Program: "systemctl", Status: 1, Stderr: "Job for pulley.service failed because.\nSee elsewhere."}
		}
		return "", nil
	}
	oneLine(t, b.service("linux-systemd", Options{Binary: "/opt/pulley"}).Install(t.Context(), true),
		"127.0.0.1:5055 is in use by nginx", "journalctl --user -u pulley")
}

func TestNotInstalled(t *testing.T) {
	b := newBench(t, machine.Facts{OS: machine.Linux, Home: "/home/me", User: "me", UID: 1000}, "XDG_RUNTIME_DIR=/run/user/1000")
	s := b.service("linux-systemd", Options{})
	if err := s.Start(t.Context()); !errors.Is(err, errNotInstalled) {
		t.Errorf("start: %v", err)
	}
	if err := s.Stop(t.Context()); !errors.Is(err, errNotInstalled) {
		t.Errorf("stop: %v", err)
	}
	status, err := s.Status(t.Context())
	if err != nil || status.Installed || status.Running || !strings.Contains(status.Detail, "pulley service install") {
		t.Errorf("status: %+v, %v", status, err)
	}
}

// TestStable keeps a package manager's link and no other.
func TestStable(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put := func(name string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	link := func(name, to string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, file); err != nil {
			t.Fatal(err)
		}
		return file
	}
	brewed := put("brew/Cellar/pulley/1.2/bin/pulley")
	opt := link("brew/opt/pulley", filepath.Join(dir, "brew/Cellar/pulley/1.2"))
	if got, want := stable(brewed, brewed, nil), filepath.Join(opt, "bin/pulley"); got != want {
		t.Errorf("Homebrew: %s, want %s", got, want)
	}
	nix := put("nix/store/abc-pulley-1.2/bin/pulley")
	profile := link("profile/bin/pulley", nix)
	if got := stable(nix, nix, []string{filepath.Join(dir, "empty"), filepath.Dir(profile)}); got != profile {
		t.Errorf("Nix: %s, want %s", got, profile)
	}
	plain := put("usr/local/lib/pulley")
	called := link("usr/local/bin/pulley", plain)
	if got := stable(plain, called, []string{filepath.Dir(called)}); got != plain {
		t.Errorf("a link of nobody's: %s, want %s", got, plain)
	}
}

// driven's manager wants an answer at once, an end when it says so, and a failing status when the daemon failed.
func TestDriven(t *testing.T) {
	exits := make(chan int, 1)
	start := func(run func(context.Context) error) *driven {
		ctx, cancel := context.WithCancel(t.Context())
		d := &driven{run: run, ctx: ctx, cancel: cancel, done: make(chan struct{}), exit: func(code int) { exits <- code }, log: silent{}}
		if err := d.Start(nil); err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := start(func(ctx context.Context) error { <-ctx.Done(); return nil })
	if err := d.Stop(nil); err != nil {
		t.Errorf("stop: %v", err)
	}
	select {
	case code := <-exits:
		t.Errorf("one that was told to end: exit %d", code)
	default:
	}
	start(func(context.Context) error { return errors.New("no port") })
	if code := <-exits; code != 1 {
		t.Errorf("one that failed: exit %d", code)
	}
}

type silent struct{}

func (silent) Error(...any) error            { return nil }
func (silent) Warning(...any) error          { return nil }
func (silent) Info(...any) error             { return nil }
func (silent) Errorf(string, ...any) error   { return nil }
func (silent) Warningf(string, ...any) error { return nil }
func (silent) Infof(string, ...any) error    { return nil }
