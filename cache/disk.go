package cache

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	dirMode  = 0o700
	fileMode = 0o600
)

// disk is every way in which this package changes the directory, so that a
// test can make any of them fail. Reading goes to the system directly: what
// cannot be read is a miss. (The database file is bbolt's own.)
type disk interface {
	// open opens for writing, with flag added to O_RDWR.
	open(name string, flag int) (file, error)
	mkdir(dir string) error // with its parents
	rename(from, to string) error
	remove(name string) error
	syncDir(dir string) error
	// writable looks, without a change, whether there can be one in dir.
	writable(dir string) error
	lock(dir string) (*os.File, error)
}

// file is an open file of a disk. Close does not sync.
type file interface {
	io.Writer
	io.WriterAt
	io.Closer
	Sync() error
	Truncate(size int64) error
}

// osDisk is the system's disk.
type osDisk struct{}

func (osDisk) open(name string, flag int) (file, error) {
	return openShared(name, os.O_RDWR|flag, fileMode)
}
func (osDisk) mkdir(dir string) error            { return os.MkdirAll(dir, dirMode) }
func (osDisk) rename(from, to string) error      { return os.Rename(from, to) }
func (osDisk) remove(name string) error          { return os.Remove(name) }
func (osDisk) syncDir(dir string) error          { return syncDir(dir) }
func (osDisk) writable(dir string) error         { return writable(dir) }
func (osDisk) lock(dir string) (*os.File, error) { return lockDir(dir) }

// writeFile puts data at target at once or not at all: it is written to a file
// in tmp, synced and renamed. Nothing is left behind when it fails.
func (c *Cache) writeFile(target string, data []byte) error {
	tmp := c.tempPath()
	if err := c.writeTemp(tmp, data); err != nil {
		_ = c.dropTemp(tmp)
		return err
	}
	return c.moveTemp(tmp, target)
}

// moveTemp puts a file from tmp in its place.
func (c *Cache) moveTemp(tmp, target string) error {
	err := c.renameTemp(tmp, target)
	if errors.Is(err, fs.ErrNotExist) { // somebody emptied the directory under us
		if c.makeDir(filepath.Dir(target)) == nil {
			err = c.renameTemp(tmp, target)
		}
	}
	if err != nil {
		_ = c.dropTemp(tmp)
		return err
	}
	return c.disk.syncDir(filepath.Dir(target))
}

func (c *Cache) writeTemp(tmp string, data []byte) error {
	f, err := c.openNew(tmp, os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// makeDir makes a folder of the cache, with its parents, so that it is there for
// good: what is synced into a folder that nobody finds after a loss of power would
// be lost with it.
func (c *Cache) makeDir(dir string) error {
	if fi, err := os.Stat(dir); err == nil && fi.IsDir() {
		return nil
	}
	if err := c.disk.mkdir(dir); err != nil {
		return err
	}
	// All of them: which of them a process that was killed left unsynced nobody knows.
	return c.syncUp(filepath.Dir(dir))
}

// syncUp has a folder of the cache and those it is in synced.
func (c *Cache) syncUp(dir string) error {
	for {
		if err := c.disk.syncDir(dir); err != nil || dir == c.dir || dir == filepath.Dir(dir) {
			return err
		}
		dir = filepath.Dir(dir)
	}
}

// openNew opens a file for writing and creates its directory if that has gone.
func (c *Cache) openNew(name string, flag int) (file, error) {
	f, err := c.disk.open(name, flag)
	if errors.Is(err, fs.ErrNotExist) && c.disk.mkdir(filepath.Dir(name)) == nil {
		f, err = c.disk.open(name, flag)
	}
	return f, err
}

// discard removes name for good. On systems that cannot remove what somebody
// reads, the file goes aside into tmp, which is emptied at the next start.
func (c *Cache) discard(name string) error {
	aside := c.tempPath()
	if err := c.disk.rename(name, aside); err != nil {
		c.temps.done(aside, true)
		if errors.Is(err, fs.ErrNotExist) {
			if _, serr := os.Lstat(name); errors.Is(serr, fs.ErrNotExist) {
				return nil
			}
		}
		return c.disk.remove(name)
	}
	if fi, err := os.Lstat(aside); err == nil && fi.IsDir() {
		c.temps.done(aside, false) // what may be left of it
		return os.RemoveAll(aside)
	}
	_ = c.dropTemp(aside)
	return nil
}
