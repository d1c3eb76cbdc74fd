package service

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"pulley/internal/control"
	"pulley/internal/docker/machine"
)

var update = flag.Bool("update", false, "write the golden files")

// bench is a machine in a folder on which every program is a pretence that is written down.
type bench struct {
	t       *testing.T
	dir     string
	local   *machine.Local
	script  strings.Builder
	running bool
	renewed int  // how often another daemon took over
	user    bool // whether the user pulley is there
	lacks   []string
	answer  func(line string) (string, error) // before the usual
	since   time.Time                         // when the daemon started
}

var failed = &machine.ExitError{Program: "x", Status: 1, Stderr: "no"}

func newBench(t *testing.T, facts machine.Facts, environ ...string) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), since: time.Date(2126, 11, 21, 10, 0, 0, 0, time.UTC)}
	b.local = &machine.Local{Dir: b.dir, As: &facts, Environ: environ, Exec: b.exec}
	b.put("/run/systemd/system/theirs", "")
	b.put("/run/theirs", "")
	b.put("/run/systemd/theirs", "")
	return b
}

// put makes a file of the machine.
func (b *bench) put(path, content string) {
	b.t.Helper()
	name := filepath.Join(b.dir, strings.ReplaceAll(strings.TrimPrefix(path, "C:"), `\`, "/"))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o755); err != nil { //nolint:gosec // a program
		b.t.Fatal(err)
	}
}

func (b *bench) exec(_ context.Context, c machine.Command) ([]byte, error) {
	if slices.Contains(b.lacks, filepath.Base(c.Args[0])) {
		return nil, &exec.Error{Name: c.Args[0], Err: exec.ErrNotFound}
	}
	line := strings.Join(c.Args, " ")
	if b.answer != nil {
		if out, err := b.answer(line); out != "" || err != nil {
			return []byte(out), err
		}
	}
	has := func(parts ...string) bool {
		return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) })
	}
	silent := false
	out, err := "", error(nil)
	switch {
	case has("id -u "):
		silent = true
		if out = "990\n"; !b.user {
			err = failed
		}
	case has("useradd"), has("adduser"), has("dscl . -create /Users"):
		b.user = true
	case has("userdel"), has("deluser"), has("dscl . -delete /Users"):
		b.user = false
	case has("journalctl"):
		silent = true
	case has("start-stop-daemon --help"):
		silent = true
		out = "  -T, --status  check whether it runs\n"
	case has("getent group"):
		silent = true
		err = failed
	case has("install -d"):
		err = os.MkdirAll(filepath.Join(b.dir, c.Args[len(c.Args)-1]), 0o755)
	case has("rm -rf"):
		err = os.RemoveAll(filepath.Join(b.dir, c.Args[len(c.Args)-1]))
	case has("systemctl", "UnitPath"):
		silent = true
		out = "/home/me/.config/systemd/user.control /home/me/.config/systemd/user /etc/systemd/user\n"
	case has("systemctl", "show"):
		silent = true
		out = "LoadState=not-found\nActiveState=inactive\n"
		unit := "/etc/systemd/system/pulley.service"
		if has("--user") {
			unit = "/home/me/.config/systemd/user/pulley.service"
		}
		if _, err := os.Stat(filepath.Join(b.dir, unit)); err == nil {
			out = "LoadState=loaded\nActiveState=inactive\nFragmentPath=" + unit + "\n"
			if b.running {
				out = "LoadState=loaded\nActiveState=active\nMainPID=42\nActiveEnterTimestamp=Sat 2026-11-21 10:00:00 UTC\nFragmentPath=" + unit + "\n"
			}
		}
	case has("launchctl print gui/501/app.pulley"), has("launchctl print system/app.pulley"):
		silent = true
		if out = "app.pulley = {\n\tstate = running\n\tpid = 42\n}\n"; !b.running {
			out, err = "", failed
		}
	case has("launchctl print"):
		silent = true
	case has("init.d/pulley status"), has("rc-service pulley status"):
		silent = true
		if !b.running {
			err = &machine.ExitError{Program: c.Args[0], Status: 3}
		}
	case has("powershell"):
		silent = true
		if out = "Ready\r\n"; b.running {
			out = "Running\r\n"
		}
	case has("schtasks.exe /Query"):
		silent = true
		if !strings.Contains(b.script.String(), "/Create") {
			err = failed
		}
	case has("reload-or-restart"), has("pulley reload"), has("pulley restart"), has("SIGHUP"):
		b.renewed++
	case has(" start"), has("bootstrap"), has("/Run"):
		b.running = true
	case has(" stop"), has("--now"), has("bootout"), has("/End"):
		b.running = false
	}
	if !silent {
		fmt.Fprintln(&b.script, "$ "+line)
	}
	return []byte(out), err
}

func (b *bench) service(platform string, o Options) *Service {
	b.t.Helper()
	o.Machine, o.Environ = b.local, b.local.Environ
	s, err := newOn(platform, o)
	if err != nil {
		b.t.Fatal(err)
	}
	s.await = 5 * time.Second
	s.retire = func(context.Context) error {
		fmt.Fprintln(&b.script, "(the daemon is asked to end)")
		b.running = false
		return nil
	}
	s.answers = func(context.Context) (control.Version, time.Time, error) {
		if !b.running {
			return control.Version{}, time.Time{}, errors.New("nobody answers")
		}
		return control.Version{PID: 42 + b.renewed}, b.since, nil
	}
	return s
}

// files are those of the machine, besides the program's own, with their content.
func (b *bench) files() string {
	var out strings.Builder
	err := filepath.WalkDir(b.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, b.dir)
		if e.IsDir() {
			if _, err := os.Stat(filepath.Join(path, "theirs")); err != nil && name != "" {
				fmt.Fprintf(&out, "-- %s/ --\n", name)
			}
			return nil
		}
		if e.Name() == "theirs" {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "-- %s %v --\n%s", name, info.Mode().Perm(), readable(content))
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return out.String()
}

// readable undoes what only Windows's scheduler wants.
func readable(content []byte) string {
	if len(content) < 2 || content[0] != 0xff || content[1] != 0xfe {
		return string(content)
	}
	var units []uint16
	for i := 2; i+1 < len(content); i += 2 {
		units = append(units, uint16(content[i])|uint16(content[i+1])<<8)
	}
	return strings.ReplaceAll(string(utf16.Decode(units)), "\r\n", "\n")
}

// TestGolden installs on every platform, twice, and uninstalls. What is written and what is run stands in testdata, for
// people to read; nothing is left.
func TestGolden(t *testing.T) {
	me := machine.Facts{OS: machine.Linux, Home: "/home/me", User: "me", UID: 1000}
	root := machine.Facts{OS: machine.Linux, Home: "/root", User: "root", Root: true}
	sudo := machine.Facts{OS: machine.Linux, Home: "/root", User: "me", UID: 1000, Root: true}
	mac := machine.Facts{OS: machine.Darwin, Home: "/Users/me", User: "me", UID: 501}
	macRoot := machine.Facts{OS: machine.Darwin, Home: "/Users/me", User: "me", UID: 501, Root: true}
	windows := machine.Facts{OS: machine.Windows, Home: `C:\Users\Jo Ann`, User: `DESK\Jo Ann`, UID: -1}
	for _, test := range []struct {
		name     string
		platform string
		facts    machine.Facts
		system   bool
		binary   string
		environ  []string
		lacks    []string
	}{
		{name: "systemd-user", platform: "linux-systemd", facts: me, binary: "/usr/local/bin/pulley", environ: []string{"XDG_RUNTIME_DIR=/run/user/1000"}},
		{name: "systemd-user-odd", platform: "linux-systemd", facts: me, binary: `/opt/50% "off" $HOME/pulley`, environ: []string{
			"XDG_RUNTIME_DIR=/run/user/1000", "PULLEY_HOME=/srv/50% and more", "XDG_CACHE_HOME=/srv/cache",
		}},
		{name: "systemd-system", platform: "linux-systemd", facts: sudo, system: true, binary: "/usr/bin/pulley", environ: []string{"PULLEY_HOME=/elsewhere"}},
		{name: "sysv", platform: "unix-systemv", facts: root, system: true, binary: "/usr/local/bin/pulley"},
		{name: "sysv-odd", platform: "unix-systemv", facts: root, system: true, binary: "/opt/it's here/pulley", lacks: []string{"update-rc.d"}},
		{name: "openrc", platform: "linux-openrc", facts: root, system: true, binary: "/usr/bin/pulley", lacks: []string{"useradd", "userdel"}},
		{name: "launchd-agent", platform: "darwin-launchd", facts: mac, binary: "/opt/homebrew/opt/pulley/bin/pulley"},
		{name: "launchd-agent-odd", platform: "darwin-launchd", facts: mac, binary: "/Applications/R & D/pulley", environ: []string{"PULLEY_HOME=/Users/me/<p>"}},
		{name: "launchd-daemon", platform: "darwin-launchd", facts: macRoot, system: true, binary: "/usr/local/bin/pulley"},
		{name: "windows-task", platform: "windows-service", facts: windows, binary: `C:\Program Files\Pulley\pulley.exe`, environ: []string{`LOCALAPPDATA=C:\Users\Jo Ann\AppData\Local`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, test.facts, append(test.environ, "HOME="+test.facts.Home)...)
			b.lacks = test.lacks
			b.put(test.binary, "")
			for _, dir := range []string{"/etc/init.d", "/etc/systemd/system", "/home/me", "/var/cache", "/var/lib", "/var/log", "/Library/Application Support", "/Library/LaunchDaemons", "/Library/Logs"} {
				b.put(dir+"/theirs", "")
			}
			before := b.files()
			o := Options{System: test.system, Binary: test.binary}
			if err := b.service(test.platform, o).Install(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			status, err := b.service(test.platform, o).Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			words, err := json.MarshalIndent(status, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			installed := b.files()
			golden := b.script.String() + string(words) + "\n" + strings.TrimPrefix(installed, "")

			b.script.Reset()
			fmt.Fprintln(&b.script, "/Create") // so that the pretence knows of the task
			if err := b.service(test.platform, o).Install(t.Context(), true); err != nil {
				t.Fatalf("again: %v", err)
			}
			if again := b.files(); again != installed {
				t.Errorf("the second installation changed files:\n%s", again)
			}
			for _, heavy := range []string{"daemon-reload", "useradd", "reload", "SIGHUP", "bootout", "/End", "schtasks.exe /Create"} {
				if strings.Contains(b.script.String(), heavy) {
					t.Errorf("the second installation had nothing to do, and ran:\n%s", b.script.String())
				}
			}

			b.script.Reset()
			fmt.Fprintln(&b.script, "/Create")
			if err := b.service(test.platform, o).Uninstall(t.Context()); err != nil {
				t.Fatal(err)
			}
			golden += "\n== uninstall\n" + strings.TrimPrefix(b.script.String(), "/Create\n")
			if test.facts.OS == machine.Windows {
				_ = os.RemoveAll(filepath.Join(b.dir, "Users")) // the folder of the daemon's own data stays
			}
			if after := b.files(); after != before {
				t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
			}
			if b.user {
				t.Error("the user stayed")
			}

			file := filepath.Join("testdata", test.name+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(golden), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if golden != string(want) {
				t.Errorf("not as in %s (go test -update writes it):\n%s", file, golden)
			}
		})
	}
}
