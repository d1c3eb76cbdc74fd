package wiring

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// What was made for the ledger goes with it, and nothing else: not the folders that were there, not what others put there.
func TestForget(t *testing.T) {
	for name, prepare := range map[string]func(d *desk, home string) (left []string){
		"no folder was there": func(*desk, string) []string { return []string{"."} },
		"a folder was there, and is empty": func(d *desk, home string) []string {
			d.must(os.Mkdir(filepath.Join(home, ".local"), 0o755))
			return []string{".", ".local"}
		},
		"another program's is there": func(d *desk, home string) []string {
			d.must(os.MkdirAll(filepath.Join(home, ".local", "state", "other"), 0o755))
			return []string{".", ".local", ".local/state", ".local/state/other"}
		},
		"a log is there": func(d *desk, home string) []string {
			d.must(os.MkdirAll(filepath.Join(home, ".local", "state", "pulley", "log"), 0o755))
			return []string{".", ".local", ".local/state", ".local/state/pulley", ".local/state/pulley/log"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			home := t.TempDir()
			d.State = filepath.Join(home, ".local", "state", "pulley")
			want := prepare(d, home)
			d.put("/etc/paper/daemon.json", "{}")
			d.must(d.connect())
			if err := d.Forget(t.Context()); err == nil || !strings.Contains(err.Error(), "paper is wired still") {
				t.Errorf("forgotten while it is needed: %v", err)
			}
			_, err := d.disconnect()
			d.must(err)
			for range 2 { // once more is no error, and leaves nothing
				d.must(d.Forget(t.Context()))
				if got := names(t, home); got != strings.Join(want, " ") {
					t.Errorf("left are %s, want %v", got, want)
				}
			}
		})
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(dir, path)
		all = append(all, filepath.ToSlash(name))
		return errors.Join(err, relErr)
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// Whoever waits for the lock while what is locked is forgotten does not go on with the file that is gone.
func TestForgottenWhileOthersWait(t *testing.T) {
	state := filepath.Join(t.TempDir(), "pulley", "state")
	var group sync.WaitGroup
	var inside atomic.Int32
	for range 8 {
		group.Go(func() {
			w := &Wirer{State: state}
			unlock, err := w.lock(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			if inside.Add(1) > 1 {
				t.Error("two are at it")
			}
			inside.Add(-1)
			w.clear()
			unlock()
		})
	}
	group.Wait()
}

// What a person wrote into the lock has root remove nothing that is not on the way to the person's state.
func TestForgetRemovesNothingElse(t *testing.T) {
	d := newDesk(t)
	home, other := t.TempDir(), t.TempDir()
	d.State = filepath.Join(home, "state")
	d.must(os.Mkdir(d.State, 0o700))
	d.must(os.WriteFile(filepath.Join(d.State, "wiring.lock"), []byte(other+"\n"+home+"/../"+filepath.Base(other)+"\n"), 0o600))
	d.must(d.Forget(t.Context()))
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(home); err != nil {
		t.Error(err)
	}
}
