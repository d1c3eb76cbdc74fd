package wiring

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"pulley/internal/docker/machine"
)

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

func (d *desk) notWhileWired() error {
	if strings.Contains(d.tree()["/etc/paper/daemon.json"], "us") {
		return errors.New("connection refused")
	}
	return nil
}

// Who breaks off while the engine is stopped has it run in the end.
func TestBrokenOffWhileStopped(t *testing.T) {
	d := newDesk(t)
	d.kind.before = []machine.Command{{Args: []string{"stop-paper"}}}
	was := d.tree()
	d.must(d.connect())
	ctx, cancel := context.WithCancel(t.Context())
	d.ran = nil
	d.local.Exec = func(ctx context.Context, c machine.Command) ([]byte, error) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		d.ran = append(d.ran, c.Args[0])
		if c.Args[0] == "stop-paper" {
			cancel()
		}
		return nil, nil
	}
	_, err := d.Disconnect(ctx, "paper", d.say)
	d.must(err)
	d.same(was)
	if !slices.Equal(d.ran, []string{"stop-paper", "restart-paper"}) {
		t.Errorf("ran %v", d.ran)
	}
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

// full is a machine with no room for one file.
type full struct{ *machine.Local }

func (m full) WriteFile(name string, data []byte, mode fs.FileMode) ([]string, error) {
	if !strings.HasSuffix(name, "x.conf") {
		return m.Local.WriteFile(name, data, mode)
	}
	made, err := m.Local.WriteFile(name+".tmp", nil, mode)
	return made, errors.Join(err, m.Remove(name+".tmp"), &fs.PathError{Op: "write", Path: name, Err: errors.New("no space left on device")})
}
