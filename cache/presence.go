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
// somebody else has: it is only read then, until that one lets it go. Needs
// flushing.
func (c *Cache) attend() error {
	if _, err := os.Stat(c.dir); errors.Is(err, fs.ErrNotExist) {
		return errVanished
	}
	other := !sameFile(c.lock, filepath.Join(c.dir, "lock"))
	if other {
		lock, err := c.disk.inner.lock(c.dir)
		if err != nil {
			c.disk.freeze(err)
			return err
		}
		c.unlock()
		c.lock = lock
		c.disk.freeze(nil)
	}
	if other || c.store.replaced() || c.folderGone() {
		c.log.Info("cache: the directory was changed by somebody else, looking at what is there", "dir", c.dir)
		defer c.rebuilding.begin()()
		_ = c.makeDir(filepath.Join(c.dir, "blobs", "sha256"))
		c.store.reopen()
		c.index.forget()
		c.rebuild(true, func(int) bool { return c.isClosed() })
	}
	return nil
}

func sameFile(f *os.File, name string) bool {
	if f == nil {
		return false
	}
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(name)
	return err == nil && os.SameFile(mine, there)
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
