//go:build linux

package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestAilingDisk: what a disk that ails is asked for takes longer or fails, also of a file that was open before, and what is
// written is beneath. It mounts, and so runs in namespaces of its own; where there is no FUSE, torture has to say why.
func TestAilingDisk(t *testing.T) {
	if os.Getenv(inside) == "" {
		must(t, enclosed(t.Context(), []string{"-test.run=^TestAilingDisk$", "-test.v"}))
		return
	}
	must(t, syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""))
	d, err := newDisk(filepath.Join(t.TempDir(), "d"), true)
	must(t, err)
	t.Cleanup(d.remove)
	if d.ailing == nil {
		if d.robust == nil {
			t.Error("there is no FUSE, and it is not said why")
		}
		t.Logf("no FUSE here: %v", d.robust)
		return
	}
	name := filepath.Join(d.cache(), "a")
	f, err := os.Create(name)
	must(t, err)
	t.Cleanup(func() { _ = f.Close() })
	write := func() error { _, err := f.WriteAt([]byte("written"), 0); return err }

	d.ailing.slow.Store(true)
	begun := time.Now()
	must(t, write())
	must(t, f.Sync())
	if took := time.Since(begun); took < 10*time.Millisecond {
		t.Errorf("two operations of a slow disk took %s", took)
	}
	d.ailing.well()

	d.ailing.fails.Store(1)
	_, listed := os.ReadDir(d.cache())
	_, stat := f.Stat()
	_, read := f.ReadAt(make([]byte, 1), 0)
	for what, err := range map[string]error{
		"open": open(name), "write": write(), "sync": f.Sync(), "read": read, "stat": stat, "list": listed,
		"rename": os.Rename(name, name+"2"), "remove": os.Remove(name + "2"), "mkdir": os.Mkdir(name+"3", 0o700),
	} {
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("%s on a disk that fails: %v", what, err)
		}
	}
	d.ailing.well()
	_ = os.Remove(name) // what was renamed or removed while it failed may be either
	must(t, os.WriteFile(name, []byte("written"), 0o600))
	must(t, syscall.Unmount(d.dir, syscall.MNT_DETACH))
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, []byte("written")) {
		t.Errorf("beneath is %q, %v", got, err)
	}
}

func open(name string) error {
	f, err := os.Open(name)
	if err == nil {
		_ = f.Close()
	}
	return err
}
