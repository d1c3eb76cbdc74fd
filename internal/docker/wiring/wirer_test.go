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
	"testing/synctest"

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

func TestEditedSinceConnect(t *testing.T) {
	d := newDesk(t)
	d.put("/etc/paper/daemon.json", `{"a": 1}`)
	d.must(d.connect())
	d.put("/etc/paper/daemon.json", `{"a": 1, "mirror": "us", "b": 2}`)
	d.must(os.Remove(filepath.Join(d.dir, "/etc/paper.d/sub/x.conf")))
	d.put("/etc/paper.d/theirs", "x")
	u, err := d.PlanUndo(t.Context(), "paper")
	d.must(err)
	if !u.Files[0].Edited || !strings.Contains(u.Diff(), `-{"a": 1, "mirror": "us", "b": 2}`) {
		t.Errorf("%+v\n%s", u.Files, u.Diff())
	}
	// A port that changed in between: what they wrote stays, and is what disconnect goes back to.
	p, err := d.Plan(t.Context(), "paper", Options{Reach: "other"})
	d.must(err)
	p.Files = p.Files[:1]
	d.must(d.Connect(t.Context(), p, d.say))
	_, err = d.disconnect()
	d.must(err)
	is := d.tree()
	if got := is["/etc/paper/daemon.json"]; !strings.HasSuffix(got, `{"a": 1, "b": 2}`) {
		t.Error(got)
	}
	if is["/etc/paper.d/sub"] != "" || is["/etc/paper.d/theirs"] == "" {
		t.Error(is)
	}
}

// What somebody writes while the changed files are checked is not lost.
func TestEditedWhileConnecting(t *testing.T) {
	d := newDesk(t)
	d.kind.checks = []machine.Command{{Args: []string{"check-paper"}}}
	d.put("/etc/paper/daemon.json", `{"a": 1}`)
	d.local.Exec = func(context.Context, machine.Command) ([]byte, error) {
		d.put("/etc/paper/daemon.json", `{"a": 2}`)
		return nil, nil
	}
	if err := d.connect(); err == nil || !strings.Contains(err.Error(), "changed it just now") {
		t.Error(err)
	}
	if is := d.tree(); !strings.HasSuffix(is["/etc/paper/daemon.json"], `{"a": 2}`) || is["/etc/paper.d"] != "" {
		t.Error(is)
	}
}

// A link that leads nowhere yet stays one; the folders that were made where it leads go again.
func TestLinkToNowhere(t *testing.T) {
	d := newDesk(t)
	d.kind.files = d.kind.files[:1]
	link := filepath.Join(d.dir, "/etc/paper/daemon.json")
	d.must(os.MkdirAll(filepath.Dir(link), 0o755))
	d.must(os.Symlink("/srv/new/daemon.json", link))
	d.must(d.connect())
	if data, err := os.ReadFile(filepath.Join(d.dir, "/srv/new/daemon.json")); err != nil || !strings.Contains(string(data), "us") {
		t.Errorf("%s (%v)", data, err)
	}
	_, err := d.disconnect()
	d.must(err)
	if to, err := os.Readlink(link); err != nil || to != "/srv/new/daemon.json" {
		t.Error(to, err)
	}
	if _, err := os.Stat(filepath.Join(d.dir, "/srv")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("/srv is left (%v)", err)
	}
}

func TestBrokenSinceConnect(t *testing.T) {
	d := newDesk(t)
	d.must(d.connect())
	d.put("/etc/paper/daemon.json", "{\n  \"mirror\": \"us\",\n}")
	was := d.tree()
	for _, err := range []error{d.connect(), second(d.disconnect())} {
		if err == nil || !strings.Contains(err.Error(), "/etc/paper/daemon.json") || !strings.Contains(err.Error(), "line 3") {
			t.Error(err)
		}
	}
	d.same(was)
}

func second[T any](_ T, err error) error { return err }

func TestRefusedBeforeAnything(t *testing.T) {
	for name, prepare := range map[string]func(*desk){
		"broken":  func(d *desk) { d.put("/etc/paper/daemon.json", "{ // x\n}") },
		"taken":   func(d *desk) { d.put("/etc/paper.d/sub/x.conf", "theirs\n") },
		"a check": func(d *desk) { d.fail["check-paper"] = errors.New("no") },
		"read-only": func(d *desk) {
			d.put("/etc/paper.d/sub/x.conf", "")
			d.must(os.Chmod(filepath.Join(d.dir, "/etc/paper.d/sub/x.conf"), 0o444))
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.kind.checks = []machine.Command{{Args: []string{"check-paper", "--file={/etc/paper/daemon.json}"}}}
			prepare(d)
			was := d.tree()
			err := d.connect()
			if err == nil || strings.Contains(err.Error(), "\n") {
				t.Error(err)
			}
			d.same(was)
			if name == "a check" && (len(d.ran) != 1 || !strings.HasPrefix(d.ran[0], "check-paper --file=/tmp/pulley-check-")) {
				t.Error(d.ran)
			}
			if _, err := d.disconnect(); !errors.Is(err, ErrNotWired) {
				t.Error(err)
			}
		})
	}
}

// The copies that are checked lie where everybody may write: nobody lays a link in their way.
func TestCheckedCopiesAreNotToBeGuessed(t *testing.T) {
	d := newDesk(t)
	d.kind.checks = []machine.Command{{Args: []string{"check-paper", "{/etc/paper/daemon.json}"}}}
	d.fail["check-paper"] = errors.New("no")
	if err := d.connect(); err == nil {
		t.Fatal("it was not refused")
	}
	_, name, _ := strings.Cut(d.ran[0], " ")
	d.must(os.Symlink("/etc/other", filepath.Join(d.dir, name)))
	if err := d.connect(); err == nil {
		t.Fatal("it was not refused")
	}
	if got, err := os.ReadFile(filepath.Join(d.dir, "/etc/other")); err != nil || string(got) != "other\n" {
		t.Errorf("what a link in /tmp leads to was written: %s (%v)", got, err)
	}
}

func TestPutBack(t *testing.T) {
	for name, prepare := range map[string]func(*desk){
		"a restart":   func(d *desk) { d.fail["restart-paper"] = errors.New("no") },
		"trust":       func(d *desk) { d.fail["trust"] = errors.New("no") },
		"a write":     func(d *desk) { d.Machine = full{d.local} },
		"not up then": func(d *desk) { d.kind.up = func() error { return d.notWhileWired() } },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				d.kind.trust = true
				d.put("/etc/paper/daemon.json", `{"a": 1}`)
				prepare(d)
				was := d.tree()
				err := d.connect()
				if err == nil || !strings.Contains(err.Error(), "put") {
					t.Error(err)
				}
				d.same(was)
				if d.store {
					t.Error("the authorities stay in the store")
				}
				d.fail, d.kind.up = map[string]error{}, nil
				if _, err := d.disconnect(); name != "a restart" && name != "trust" && !errors.Is(err, ErrNotWired) {
					t.Error(err)
				}
				d.same(was)
			})
		})
	}
}

// An engine that took up a reload lets go of it before everything is put back.
func TestPutBackAfterReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.kind.running, d.kind.how = true, Reload
		d.put("/etc/paper/daemon.json", `{"a": 1}`)
		d.kind.up = func() error { return d.notWhileWired() }
		was := d.tree()
		if err := d.connect(); err == nil || !strings.Contains(err.Error(), "put back") {
			t.Error(err)
		}
		d.same(was)
		if !slices.Contains(d.kind.eased, `{"a": 1}`) {
			t.Errorf("it let go of %q", d.kind.eased)
		}
	})
}

// An engine that writes over its files as it ends is stopped before they are put back, and runs as before afterwards.
func TestPutBackIsNotOverwritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const file = "/etc/paper/daemon.json"
		d := newDesk(t)
		d.kind.before = []machine.Command{{Args: []string{"stop-paper"}}}
		d.put(file, `{"a": 1}`)
		was, memory, runs := d.tree(), `{"a": 1}`, true
		d.local.Exec = func(_ context.Context, c machine.Command) ([]byte, error) {
			switch c.Args[0] {
			case "stop-paper":
				if runs {
					d.put(file, memory)
				}
				runs = false
			case "restart-paper":
				if !runs {
					data, err := os.ReadFile(filepath.Join(d.dir, file))
					memory, runs = string(data), true
					return nil, err
				}
			}
			return nil, nil
		}
		d.kind.up = func() error {
			if strings.Contains(memory, "us") {
				return errors.New("connection refused")
			}
			return nil
		}
		if err := d.connect(); err == nil || !strings.Contains(err.Error(), "put back") {
			t.Error(err)
		}
		d.same(was)
		if memory != `{"a": 1}` || !runs {
			t.Errorf("it runs (%t) with %s", runs, memory)
		}
	})
}

// Whatever goes wrong while it is stopped, an engine runs in the end.
func TestDisconnectLeavesNothingDown(t *testing.T) {
	for _, fails := range []string{"a write", "trust"} {
		d := newDesk(t)
		d.kind.before, d.kind.trust = []machine.Command{{Args: []string{"stop-paper"}}}, true
		d.put("/etc/paper/daemon.json", `{"a": 1}`)
		was := d.tree()
		d.must(d.connect())
		d.ran = nil
		file := filepath.Join(d.dir, "/etc/paper/daemon.json")
		switch fails {
		case "a write":
			d.must(os.Chmod(file, 0o444))
		case "trust":
			d.fail["trust"] = errors.New("no")
		}
		if _, err := d.disconnect(); err == nil || strings.Contains(err.Error(), "\n") {
			t.Error(fails, err)
		}
		if !slices.Equal(d.ran, []string{"stop-paper", "restart-paper"}) {
			t.Errorf("%s: ran %v", fails, d.ran)
		}
		d.must(os.Chmod(file, 0o644))
		delete(d.fail, "trust")
		_, err := d.disconnect()
		d.must(err)
		d.same(was)
	}
}

// full is a machine with no room for one file.
type full struct{ *machine.Local }

func (m full) WriteFile(name string, data []byte, mode fs.FileMode) ([]string, error) {
	if !strings.HasSuffix(name, "x.conf") {
		return m.Local.WriteFile(name, data, mode)
	}
	made, err := m.Local.WriteFile(name+".tmp", nil, mode)
	return made, errors.Join(err, m.Remove(name+".tmp"), &fs.PathError{Op: "write", Path: name, Err: errors.New("no space left on device")})
}

func (d *desk) notWhileWired() error {
	if strings.Contains(d.tree()["/etc/paper/daemon.json"], "us") {
		return errors.New("connection refused")
	}
	return nil
}

// Whatever ended connect or disconnect in the middle, the next call knows.
func TestEndedInTheMiddle(t *testing.T) {
	for _, p := range []phase{connecting, disconnecting} {
		for written := range 3 {
			d := newDesk(t)
			d.put("/etc/paper/daemon.json", `{"a": 1}`)
			was := d.tree()
			d.must(d.connect())
			l, err := d.load()
			d.must(err)
			l.Engines["paper"].Phase = p
			d.must(d.save(l))
			if written < 2 {
				d.must(os.RemoveAll(filepath.Join(d.dir, "/etc/paper.d")))
			}
			if written < 1 {
				d.put("/etc/paper/daemon.json", `{"a": 1}`)
			}
			if e := d.Find(t.Context())[0]; e.Wired.Ours || len(e.Notes) == 0 {
				t.Errorf("%+v", e)
			}
			if p == connecting {
				d.must(d.connect())
				if !strings.Contains(d.tree()["/etc/paper/daemon.json"], "us") || len(d.ran) != 2 {
					t.Error(d.tree(), d.ran)
				}
			}
			_, err = d.disconnect()
			d.must(err)
			d.same(was)
		}
	}
}

// An engine that was ended in the middle of its restart is started.
func TestEndedWhileDown(t *testing.T) {
	for _, again := range []bool{false, true} {
		d := newDesk(t)
		was := d.tree()
		d.must(d.connect())
		l, err := d.load()
		d.must(err)
		l.Engines["paper"].Phase = connecting
		d.must(d.save(l))
		d.kind.running = false
		if again {
			d.must(d.connect())
		} else {
			_, err := d.disconnect()
			d.must(err)
			d.same(was)
		}
		if len(d.ran) != 2 {
			t.Errorf("it was not started: %v", d.ran)
		}
	}
}

// An engine that another one is wired after is put right as well.
func TestAnotherEndedInTheMiddle(t *testing.T) {
	d := newDesk(t)
	was := d.tree()
	d.must(d.connect())
	l, err := d.load()
	d.must(err)
	l.Engines["paper"].Phase = connecting
	d.must(d.save(l))
	d.kind.how = Reload
	if _, err := d.Disconnect(t.Context(), "other", d.say); !errors.Is(err, ErrNotWired) {
		t.Error(err)
	}
	d.same(was)
	if len(d.ran) != 2 || !strings.Contains(strings.Join(d.said, "\n"), "paper: connecting was ended in the middle") {
		t.Error(d.ran, d.said)
	}
}

// One that cannot be put right now keeps nobody from the others.
func TestAnotherCannotBePutRight(t *testing.T) {
	d := newDesk(t)
	d.must(d.connect())
	l, err := d.load()
	d.must(err)
	l.Engines["old"] = l.Engines["paper"]
	l.Engines["old"].Phase, l.Engines["old"].Engine.ID = connecting, "old"
	delete(l.Engines, "paper")
	d.must(d.save(l))
	d.put("/etc/paper/daemon.json", "{ broken")
	d.kind.files = []File{{Path: "/etc/new", Mode: 0o644, Edit: whole("ours\n")}}
	d.must(d.connect())
	_, err = d.disconnect()
	d.must(err)
	if said := strings.Join(d.said, "\n"); !strings.Contains(said, "old: connecting was ended in the middle: ") || !strings.Contains(said, "pulley disconnect old") {
		t.Error(said)
	}
	if ids, err := d.Wired(); err != nil || !slices.Equal(ids, []string{"old"}) {
		t.Error(ids, err)
	}
}

// One that was left down by what was ended in the middle is started, and what it put into the store is taken out.
func TestAnotherEndedWhileDown(t *testing.T) {
	d := newDesk(t)
	d.kind.trust = true
	d.must(d.connect())
	l, err := d.load()
	d.must(err)
	l.Engines["paper"].Phase = connecting
	d.must(d.save(l))
	d.kind.running, d.ran = false, nil
	if _, err := d.Disconnect(t.Context(), "other", d.say); !errors.Is(err, ErrNotWired) {
		t.Error(err)
	}
	if !slices.Equal(d.ran, []string{"restart-paper"}) || d.store {
		t.Errorf("ran %v; trusted: %t", d.ran, d.store)
	}
}

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
