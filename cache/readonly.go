package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// A directory that cannot be written is served as it is: a read-only mount, the
// folder of another user. Nothing in it is changed then, its lock included, so
// that several processes may share it. Nobody vouches for stamps that another one
// wrote down there: each blob is hashed before it is served for the first time.

// takeOver makes the directory this process's to write to: it exists, its lock is
// ours, and its folders can be written to.
func (c *Cache) takeOver() (err error) {
	if err := c.disk.mkdir(c.dir); err != nil {
		return err
	}
	given := c.lock != nil
	if given {
		err = c.takeLock()
	} else {
		c.lock, err = c.disk.inner.lock(c.dir)
	}
	if err != nil {
		return err
	}
	if err = c.makeFolders(given); err != nil {
		c.unlock()
	}
	return err
}

func (c *Cache) makeFolders(given bool) error {
	if !given { // else the one who gave it may be at work there
		_ = c.clearTemps(c.tempDir(), true)
	}
	for _, d := range []string{"blobs/sha256", "refs", "partial/sha256", "tmp"} {
		dir := filepath.Join(c.dir, filepath.FromSlash(d))
		if err := c.makeDir(dir); err != nil {
			return err
		}
		if err := c.disk.inner.writable(dir); err != nil {
			return err
		}
	}
	if err := c.disk.inner.writable(c.dir); err != nil {
		return err
	}
	// A full disk must not keep what is there from being served.
	if err := c.writeLayout(); err != nil && !isNoSpace(err) {
		return err
	}
	c.mergeHanded()
	if given {
		c.leftover.Store(true)
	}
	return nil
}

func (c *Cache) unlock() {
	if c.lock != nil {
		_ = c.lock.Close()
		c.lock = nil
	}
}

// freeze makes a directory that cannot be written one that is only read. It
// reports false if there is nothing in it to be read.
func (c *Cache) freeze(why error) bool {
	dir, err := os.Open(filepath.Join(c.dir, "blobs", "sha256"))
	if err != nil {
		return false
	}
	defer func() { _ = dir.Close() }()
	if some, _ := dir.Readdirnames(1); len(some) == 0 {
		return false
	}
	c.readOnly = why
	c.disk.freeze(why)
	return true
}

// frozenDisk changes nothing and says why.
type frozenDisk struct{ why error }

func (d frozenDisk) fail(op, path string) error {
	err := d.why
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}

func (d frozenDisk) open(name string, _ int) (file, error) { return nil, d.fail("open", name) }
func (d frozenDisk) mkdir(dir string) error                { return d.fail("mkdir", dir) }
func (d frozenDisk) rename(_, to string) error             { return d.fail("rename", to) }
func (d frozenDisk) remove(name string) error              { return d.fail("remove", name) }
func (d frozenDisk) syncDir(dir string) error              { return d.fail("sync", dir) }
func (d frozenDisk) writable(dir string) error             { return d.fail("write to", dir) }
func (d frozenDisk) lock(dir string) (*os.File, error)     { return nil, d.fail("lock", dir) }

// noticing is a disk that can be frozen, and remembers whether it can be written:
// not, if that is what it said when it was last asked to open a file.
type noticing struct {
	inner disk

	mu     sync.Mutex
	frozen error // why nothing is changed any more
	why    error
	failed bool // a change was not made, or not for certain: the books may be wrong
}

// freeze stops all changes; nil lets them happen again.
func (d *noticing) freeze(why error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.frozen = why
}

// isFrozen is why nothing is changed; nil if it is.
func (d *noticing) isFrozen() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.frozen
}

// refused is why nothing can be changed, as far as is known.
func (d *noticing) refused() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.frozen != nil {
		return d.frozen
	}
	return d.why
}

func (d *noticing) disk() disk {
	if why := d.isFrozen(); why != nil {
		return frozenDisk{why}
	}
	return d.inner
}

func (d *noticing) open(name string, flag int) (file, error) {
	f, err := d.disk().open(name, flag)
	if err == nil || isReadOnly(err) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.why = err
	}
	return f, err
}

func (d *noticing) mkdir(dir string) error       { return d.disk().mkdir(dir) }
func (d *noticing) rename(from, to string) error { return d.note(d.disk().rename(from, to)) }
func (d *noticing) remove(name string) error     { return d.note(d.disk().remove(name)) }
func (d *noticing) syncDir(dir string) error     { return d.note(d.disk().syncDir(dir)) }

func (d *noticing) note(err error) error {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.failed = true
	}
	return err
}

// hasFailed reports whether the files are to be compared with the books at the next
// start.
func (d *noticing) hasFailed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// openFrozen opens the file at path, if there is one, only to look things up:
// what changes stays in memory.
func openFrozen(s *store) (fresh bool) {
	clean := false
	var db *bbolt.DB
	err := guarded(func() (err error) {
		if _, err = os.Stat(s.path); err != nil {
			return err
		}
		db, err = bbolt.Open(s.path, fileMode, &bbolt.Options{Timeout: time.Second, ReadOnly: true})
		return err
	})
	if err != nil {
		return true
	}
	err = guarded(func() error {
		return db.View(func(tx *bbolt.Tx) (err error) {
			for _, b := range append(bucketNames[:], bucketMeta) {
				if tx.Bucket(b) == nil {
					return errDamaged
				}
			}
			if clean, err = s.readState(tx); err == nil && tx.Size() <= checkedAtOpen {
				err = s.check(tx)
			}
			return err
		})
	})
	if err != nil {
		s.log.Warn("cache: database not used", "path", s.path, "err", err)
		_ = guarded(db.Close)
		s.total, s.count = 0, 0
		return true
	}
	s.db = db
	return !clean
}
