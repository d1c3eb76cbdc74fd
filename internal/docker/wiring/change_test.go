package wiring

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pulley/internal/docker/machine"
)

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
