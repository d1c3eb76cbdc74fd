package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// A directory may go while it is in use (a disk that is taken out, somebody who
// clears up) and come back, the same or another one. Meanwhile everything is a
// miss, and what is stored makes it anew; a Flush then finds out what is there.

// errVanished is for a directory that is not there.
var errVanished = errors.New("the directory has gone")

// folderGone reports whether there is no folder of blobs at all: that says
// nothing of the blobs.
func (c *Cache) folderGone() bool {
	_, err := os.Lstat(filepath.Join(c.dir, "blobs", "sha256"))
	return errors.Is(err, fs.ErrNotExist)
}

// attend sees to it that the directory, its lock and its database are those that
// we hold. errVanished: there is none; *HeldError: it is another one now, which
// somebody else has: it is only read then, until that one lets it go or ours is there
// again; *DiskError: whose it is cannot be told now. Needs flushing.
func (c *Cache) attend() error {
	if _, err := os.Stat(c.dir); errors.Is(err, fs.ErrNotExist) {
		return errVanished
	}
	ours, err := sameFile(c.lock, filepath.Join(c.dir, "lock"))
	if err != nil {
		return diskFault("look at its lock", err)
	}
	changed := !ours
	if !ours {
		lock, err := c.disk.inner.lock(c.dir)
		if err != nil {
			c.disk.freeze(err)
			return err
		}
		c.unlock()
		c.lock = lock
		c.disk.freeze(nil)
	} else if c.disk.isFrozen() != nil && !c.isDetached() { // it was another one for a while
		c.disk.freeze(nil)
		changed = true
	}
	if changed || c.store.replaced() || c.folderGone() {
		c.log.Info("cache: the directory was changed by somebody else, looking at what is there", "dir", c.dir)
		defer c.rebuilding.begin()()
		_ = c.makeDir(filepath.Join(c.dir, "blobs", "sha256"))
		c.store.reopen()
		c.index.forget()
		c.temps.untidy()
		c.rebuild(true, func(int) bool { return c.isClosed() })
	}
	return nil
}

// sameFile reports whether an open file is the one that has a name now. An error is of a
// disk that does not say.
func sameFile(f *os.File, name string) (bool, error) {
	if f == nil {
		return false, nil
	}
	mine, err := f.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(mine, there), err
}

// forget has index.json compared and written.
func (s *indexState) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hash = key{}
	s.dirty.Store(true)
}

// replaced reports whether the file is not the one that was opened.
func (s *store) replaced() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil || s.frozen {
		return false
	}
	there, err := os.Stat(s.path)
	return s.file == nil || err != nil || !os.SameFile(s.file, there)
}

// reopen takes the file that is there now; what is in memory belongs to another.
func (s *store) reopen() {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db != nil {
		_ = guarded(s.db.Close)
		s.db = nil
	}
	for t := range s.mem {
		s.mem[t] = make(map[string]pending)
	}
	s.total, s.count, s.gone = 0, 0, false
	s.open()
}
