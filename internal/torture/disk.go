//go:build linux

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// disk is the file system that the cache is on: a small one of its own where this process may mount one, which it may in
// the namespaces that main gives it.
type disk struct {
	dir     string
	mounted bool
	ailing  *ailing // nil: it cannot be slow or fail
	robust  error   // why
}

func newDisk(dir string, mount bool) (*disk, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	d := &disk{dir: dir}
	if mount {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=72m,mode=700"); err != nil {
			return nil, err
		}
		d.mounted = true
		d.ailing, d.robust = ail(dir)
	}
	return d, os.Mkdir(d.cache(), 0o700)
}

func (d *disk) cache() string { return filepath.Join(d.dir, "cache") }

// fill takes all but some bytes of it, as another program would.
func (d *disk) fill(leave int64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &s); err != nil {
		return err
	}
	n := int64(s.Bavail)*s.Bsize - leave
	f, err := os.Create(d.ballast())
	if err != nil {
		return err
	}
	defer f.Close()
	if n <= 0 {
		return nil
	}
	for n > 0 { // others write meanwhile
		if err := syscall.Fallocate(int(f.Fd()), 0, 0, n); !errors.Is(err, syscall.ENOSPC) {
			return err
		}
		n -= 64 << 10
	}
	return nil
}

func (d *disk) ballast() string { return filepath.Join(d.dir, "somebody-elses") }

// readOnly makes everything that is opened from now on read-only, or no more.
func (d *disk) readOnly(on bool) error {
	if !on {
		return syscall.Unmount(d.cache(), syscall.MNT_DETACH)
	}
	if err := syscall.Mount(d.cache(), d.cache(), "", syscall.MS_BIND, ""); err != nil {
		return err
	}
	return syscall.Mount("", d.cache(), "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
}

// vanish takes the cache's folder away, or gives it back in the place of what may be there by now.
func (d *disk) vanish(away bool) error {
	aside := filepath.Join(d.dir, "aside")
	if away {
		return os.Rename(d.cache(), aside)
	}
	gone := filepath.Join(d.dir, "gone")
	var err error
	for range 100 { // the daemon may make it anew at any time
		if err = os.Rename(d.cache(), gone); err == nil || errors.Is(err, fs.ErrNotExist) {
			err = os.Rename(aside, d.cache())
		}
		if rerr := os.RemoveAll(gone); err == nil {
			return rerr
		}
	}
	return err
}

// free takes the ballast away.
func (d *disk) free() { _ = os.Remove(d.ballast()) }

func (d *disk) remove() {
	if d.mounted {
		if _ = syscall.Unmount(d.cache(), syscall.MNT_DETACH); d.ailing != nil {
			d.ailing.well()
			_ = syscall.Unmount(d.dir, syscall.MNT_DETACH)
		}
		_ = syscall.Unmount(d.dir, syscall.MNT_DETACH)
	}
}
