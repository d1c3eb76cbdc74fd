//go:build unix

package wiring

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// What root keeps for a person is the person's, and nobody else's to read.
func TestStateIsThePersons(t *testing.T) {
	d := newDesk(t)
	home := t.TempDir()
	d.State = filepath.Join(home, "pulley", "state")
	owner := os.Getuid()
	if os.Geteuid() == 0 {
		owner = 1000
		d.must(os.Chown(home, owner, owner))
	}
	d.put("/etc/paper/daemon.json", "{}")
	d.must(d.connect())
	seen := 0
	d.must(filepath.WalkDir(filepath.Join(home, "pulley"), func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		seen++
		if st := info.Sys().(*syscall.Stat_t); int(st.Uid) != owner || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v and belongs to %d", name, info.Mode(), st.Uid)
		}
		return nil
	}))
	if seen < 5 {
		t.Errorf("%d files and folders", seen)
	}
}
