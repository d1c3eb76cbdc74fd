package wiring

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// paper is a kind whose engines are made of files.
type paper struct {
	files   []File
	trust   bool
	running bool
	how     Activate
	before  []machine.Command
	checks  []machine.Command
	up      func() error
	eased   []string // what its files were to become whenever it was to let go
}

func (k *paper) Find(context.Context, machine.Machine) []Engine {
	return []Engine{{ID: "paper", Name: "Paper", Running: k.running, Ways: []Way{Mirror}}}
}

func (k *paper) activation() Activation {
	return Activation{Kind: k.how, Before: k.before, Run: []machine.Command{{Args: []string{"restart-paper"}}}, Text: "restart-paper"}
}

func (k *paper) Plan(_ context.Context, _ machine.Machine, _ Engine, _ Target, o Options) (*Plan, error) {
	p := &Plan{Way: Mirror, How: k.activation(), Checks: k.checks, Trust: k.trust}
	for _, f := range k.files {
		steps := slices.Clone(f.Edit.Steps)
		if o.Reach != "" {
			steps[0].Value, _ = json.Marshal(o.Reach)
		}
		f.Edit = &edit.Edit{Format: f.Edit.Format, Steps: steps}
		p.Files = append(p.Files, f)
	}
	return p, nil
}

func (k *paper) Up(context.Context, machine.Machine, Engine) error {
	if k.up != nil {
		return k.up()
	}
	return nil
}

func (k *paper) Ease(_ context.Context, _ machine.Machine, u *Undo) error {
	for _, c := range u.list {
		k.eased = append(k.eased, string(c.after))
	}
	return nil
}

func (k *paper) Activation(_ context.Context, _ machine.Machine, _ Engine, _ []string) Activation {
	return k.activation()
}

func (k *paper) Pull(context.Context, machine.Machine, Engine, string) error {
	return errors.New("paper")
}

// desk is a wirer with one paper engine.
type desk struct {
	*Wirer
	t     *testing.T
	dir   string
	kind  *paper
	local *machine.Local
	ran   []string
	fail  map[string]error // by program
	said  []string
	store bool // the machine trusts us
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir(), fail: make(map[string]error)}
	d.kind = &paper{running: true, how: Restart, files: []File{
		{Path: "/etc/paper/daemon.json", Mode: 0o644, Edit: &edit.Edit{Format: edit.JSON, Steps: []edit.Step{{Path: []string{"mirror"}, Value: json.RawMessage(`"us"`)}}}},
		{Path: "/etc/paper.d/sub/x.conf", Mode: 0o644, Edit: &edit.Edit{Format: edit.Whole, Steps: []edit.Step{{Text: "ours\n"}}}},
	}}
	d.local = &machine.Local{
		Dir: d.dir, As: &machine.Facts{OS: machine.Linux, Home: "/root", Root: true}, Environ: []string{"TMPDIR=/tmp"},
		Exec: func(_ context.Context, c machine.Command) ([]byte, error) {
			d.ran = append(d.ran, strings.Join(c.Args, " "))
			return nil, d.fail[c.Args[0]]
		},
	}
	d.Wirer = &Wirer{
		Machine: d.local, Kinds: []Kind{d.kind}, State: filepath.Join(t.TempDir(), "state"),
		Trust:   func(_ context.Context, install bool) error { d.store = install; return d.fail["trust"] },
		Trusted: func(context.Context) bool { return d.store },
	}
	d.put("/etc/other", "other\n")
	d.put("/tmp/keep", "")
	return d
}

func (d *desk) put(name, text string) {
	d.t.Helper()
	file := filepath.Join(d.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		d.t.Fatal(err)
	}
}

// tree is all there is on the machine.
func (d *desk) tree() map[string]string {
	d.t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(d.dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		text := "folder"
		if !e.IsDir() {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			text = info.Mode().String() + " " + string(data)
		}
		all[strings.TrimPrefix(name, d.dir)] = text
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

func (d *desk) say(line string) { d.said = append(d.said, line) }

func (d *desk) connect() error {
	p, err := d.Plan(d.t.Context(), "paper", Options{})
	if err != nil {
		return err
	}
	return d.Connect(d.t.Context(), p, d.say)
}

func (d *desk) disconnect() (*Undo, error) { return d.Disconnect(d.t.Context(), "paper", d.say) }

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// same fails if the machine is not as it was.
func (d *desk) same(was map[string]string) {
	d.t.Helper()
	if is := d.tree(); !maps.Equal(is, was) {
		d.t.Errorf("it is\n%v\nand was\n%v", is, was)
	}
}

func TestConnectAndDisconnect(t *testing.T) {
	for _, original := range []string{"none", "", "{\n\t\"debug\" : true\n}", "\xef\xbb\xbf{\r\n}\r\n"} {
		d := newDesk(t)
		d.kind.trust = true
		if original != "none" {
			d.put("/etc/paper/daemon.json", original)
			d.must(os.Chmod(filepath.Join(d.dir, "/etc/paper/daemon.json"), 0o640))
		}
		was := d.tree()
		p, err := d.Plan(t.Context(), "paper", Options{})
		d.must(err)
		diff, err := d.Diff(p)
		d.must(err)
		if !strings.Contains(diff, `+`) || !strings.Contains(diff, `"mirror": "us"`) || !strings.Contains(diff, "--- /dev/null\n+++ /etc/paper.d/sub/x.conf\n") {
			t.Error(diff)
		}
		d.same(was)
		d.must(d.connect())
		if !d.store || !slices.Equal(d.ran, []string{"restart-paper"}) {
			t.Errorf("trusted: %v; ran %v", d.store, d.ran)
		}
		if e := d.Find(t.Context())[0]; !e.Wired.Ours {
			t.Errorf("%+v", e)
		}
		wired := d.tree()
		d.must(d.connect()) // a second time
		d.same(wired)
		if len(d.ran) != 1 {
			t.Errorf("restarted for nothing: %v", d.ran)
		}
		backups, err := d.Backups()
		d.must(err)
		if len(backups) != 2 || !backups[0].InUse {
			t.Errorf("%+v", backups)
		}
		u, err := d.disconnect()
		d.must(err)
		d.same(was)
		if d.store || len(d.ran) != 2 || len(u.Files) != 2 || u.Files[1].Edited || !u.Files[1].Removed {
			t.Errorf("trusted: %v; ran %v; %+v", d.store, d.ran, u)
		}
		if backups, _ := d.Backups(); len(backups) != 2 || backups[0].InUse {
			t.Errorf("%+v", backups)
		}
		if _, err := d.disconnect(); !errors.Is(err, ErrNotWired) {
			t.Error(err)
		}
		info, err := os.Stat(filepath.Join(d.State, "wiring.json"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Error(info, err)
		}
	}
}

func TestConnectAnew(t *testing.T) {
	d := newDesk(t)
	d.put("/etc/paper/daemon.json", `{"a": 1}`)
	was := d.tree()
	d.must(d.connect())
	p, err := d.Plan(t.Context(), "paper", Options{Reach: "other"}) // another port, say
	d.must(err)
	p.Files = p.Files[:1]
	d.must(d.Connect(t.Context(), p, d.say))
	if is := d.tree(); !strings.Contains(is["/etc/paper/daemon.json"], "other") || is["/etc/paper.d"] != "" {
		t.Error(is)
	}
	_, err = d.disconnect()
	d.must(err)
	d.same(was)
}

func second[T any](_ T, err error) error { return err }

func TestTrustIsNotOursToTake(t *testing.T) {
	d := newDesk(t)
	d.kind.trust = true
	d.store = true // a person did that
	d.must(d.connect())
	_, err := d.disconnect()
	d.must(err)
	if !d.store {
		t.Error("what a person put into the store was taken out")
	}
	d.store = false
	d.must(d.connect())
	l, err := d.load()
	d.must(err)
	l.Engines["another"] = &record{Engine: Engine{ID: "another"}, Phase: connected, Trust: true}
	d.must(d.save(l))
	_, err = d.disconnect()
	d.must(err)
	if !d.store {
		t.Error("another engine needs them")
	}
}

func TestNotRunning(t *testing.T) {
	d := newDesk(t)
	d.kind.running = false
	was := d.tree()
	d.must(d.connect())
	if len(d.ran) != 0 || !strings.Contains(strings.Join(d.said, " "), "does not run") {
		t.Error(d.ran, d.said)
	}
	_, err := d.disconnect()
	d.must(err)
	d.same(was)
}

func TestUnknownEngine(t *testing.T) {
	d := newDesk(t)
	if _, err := d.Plan(t.Context(), "podman", Options{}); err == nil || !strings.Contains(err.Error(), "there is paper") {
		t.Error(err)
	}
	d.Kinds = nil
	if _, err := d.Plan(t.Context(), "podman", Options{}); err == nil {
		t.Error(err)
	}
}

// The engine was uninstalled: its files go all the same.
func TestDisconnectWithoutEngine(t *testing.T) {
	d := newDesk(t)
	was := d.tree()
	d.must(d.connect())
	d.Kinds = nil
	_, err := d.disconnect()
	d.must(err)
	d.same(was)
}

func TestBackupsAreNotWithoutEnd(t *testing.T) {
	d := newDesk(t)
	for i := range maxBackups + 20 {
		d.put("/etc/paper/daemon.json", `{"a": `+strings.Repeat("1", i+1)+`}`)
		d.must(d.connect())
		_, err := d.disconnect()
		d.must(err)
	}
	list, err := d.Backups()
	d.must(err)
	files, err := os.ReadDir(filepath.Join(d.State, "backups"))
	d.must(err)
	if len(list) != maxBackups || len(files) > maxBackups {
		t.Errorf("%d listed, %d kept", len(list), len(files))
	}
}

func TestRootCommand(t *testing.T) {
	m := &machine.Local{As: &machine.Facts{OS: machine.Linux}, Environ: []string{"PULLEY_HOME=/x y"}}
	if got, want := rootCommand(m, "connect", "docker"), `sudo env HOME="$HOME" PULLEY_HOME="$PULLEY_HOME" pulley connect docker`; got != want {
		t.Error(got)
	}
}

func TestWhatIsRootsIsSaidBeforehand(t *testing.T) {
	d := newDesk(t)
	p, err := d.Plan(t.Context(), "paper", Options{})
	d.must(err)
	d.must(d.Allowed(p))
	d.must(d.Connect(t.Context(), p, d.say))
	u, err := d.PlanUndo(t.Context(), "paper")
	d.must(err)
	d.must(d.AllowedUndo(u))

	d.local.As.Root = false
	var rights *RootError
	if err := d.AllowedUndo(u); !errors.As(err, &rights) || rights.Run != `sudo env HOME="$HOME" pulley disconnect paper` {
		t.Error(err)
	}
	d.local.As.Root = true
	_, err = d.disconnect()
	d.must(err)
	d.local.As.Root = false
	if err := d.Allowed(p); !errors.As(err, &rights) || rights.Run != `sudo env HOME="$HOME" pulley connect paper` {
		t.Error(err)
	}
}

func TestDiffShowsNoPasswords(t *testing.T) {
	got := Diff("f", []byte("a: http://me:se:cret@corp:1/x\nb: http://corp:1/@\n"), nil)
	if strings.Contains(got, "cret") || !strings.Contains(got, "-a: http://me:***@corp:1/x\n-b: http://corp:1/@\n") {
		t.Error(got)
	}
}
