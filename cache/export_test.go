package cache

import (
	"errors"
	"io"
	"os"
)

// FaultyDisk fails chosen changes to the directory. Before is called with what
// is about to happen ("write", "rename", "create", "mkdir", "remove", "sync",
// "truncate", "syncdir") and the path; what it returns is the result.
type FaultyDisk struct {
	Before func(op, path string) error
	Quick  bool // nothing is really synced
}

// WithDisk puts d under the cache.
func (o Options) WithDisk(d disk) Options {
	o.disk = d
	return o
}

func (d *FaultyDisk) open(name string, flag int) (file, error) {
	if flag&os.O_CREATE != 0 {
		if err := d.Before("create", name); err != nil {
			return nil, err
		}
	}
	f, err := osDisk{}.open(name, flag)
	if err != nil {
		return nil, err
	}
	return &faultyFile{file: f, d: d, name: name}, nil
}

func (d *FaultyDisk) mkdir(dir string) error {
	if err := d.Before("mkdir", dir); err != nil {
		return err
	}
	return osDisk{}.mkdir(dir)
}

func (d *FaultyDisk) rename(from, to string) error {
	if err := d.Before("rename", to); err != nil {
		return err
	}
	return osDisk{}.rename(from, to)
}

func (d *FaultyDisk) remove(name string) error {
	if err := d.Before("remove", name); err != nil {
		return err
	}
	return osDisk{}.remove(name)
}

func (d *FaultyDisk) writable(dir string) error {
	if err := d.Before("access", dir); err != nil {
		return err
	}
	return osDisk{}.writable(dir)
}

func (d *FaultyDisk) lock(dir string) (*os.File, error) {
	if err := d.Before("lock", dir); err != nil {
		return nil, err
	}
	return osDisk{}.lock(dir)
}

func (d *FaultyDisk) syncDir(dir string) error {
	if err := d.Before("syncdir", dir); err != nil || d.Quick {
		return err
	}
	return osDisk{}.syncDir(dir)
}

type faultyFile struct {
	file
	d    *FaultyDisk
	name string
}

// Write and WriteAt write half of p when they fail, as a full disk does.
func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.d.Before("write", f.name); err != nil {
		n, _ := f.file.Write(p[:len(p)/2])
		return n, err
	}
	return f.file.Write(p)
}

func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.d.Before("write", f.name); err != nil {
		n, _ := f.file.WriteAt(p[:len(p)/2], off)
		return n, err
	}
	return f.file.WriteAt(p, off)
}

func (f *faultyFile) Sync() error {
	if err := f.d.Before("sync", f.name); err != nil || f.d.Quick {
		return err
	}
	return f.file.Sync()
}

func (f *faultyFile) Truncate(n int64) error {
	if err := f.d.Before("truncate", f.name); err != nil {
		return err
	}
	return f.file.Truncate(n)
}

// Shrink evicts what is over the limit now.
func (c *Cache) Shrink() { c.shrink(func(int64) bool { return c.fits() }) }

// ShrinkUntil evicts until enough says so.
func (c *Cache) ShrinkUntil(enough func(freed int64) bool) { c.shrink(enough) }

// File reads what is there of a download, whatever its path leads to by now.
func (f *Fill) File() ([]byte, error) {
	fi, err := f.r.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, fi.Size())
	n, err := f.r.ReadAt(b, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:n], err
}

// DropDB closes the database under the cache, as if it had just been found
// damaged.
func (c *Cache) DropDB() {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	c.store.lose(errDamaged)
}

// Known reports whether the books have the blob, and with a stamp.
func (c *Cache) Known(k [32]byte) (known, stamped bool) {
	r, ok := c.store.get(k)
	return ok, r.stamped
}

// Unwritten is how many changes of the books are in memory.
func (c *Cache) Unwritten() int { return c.store.pending() }

// Quick has nothing of cache.db synced, for a test that opens many.
func (o Options) Quick() Options {
	o.quick = true
	return o
}

// WithBoot says which start of the machine this is.
func (o Options) WithBoot(id string) Options {
	o.boot = id
	return o
}

// Next opens the cache that has the directory after this one.
func (c *Cache) Next(lock *os.File, boot string) (*Cache, error) {
	return Open(Options{Dir: c.dir, MaxSize: c.maxSize.Load(), Now: c.now, Log: c.log, Free: c.free, Lock: lock, disk: c.disk.inner, floor: c.floor, boot: boot, quick: c.quick})
}

// In puts the cache into dir.
func (o Options) In(dir string) Options {
	o.Dir = dir
	return o
}

// WithFloor sets below what the cache does not shrink for the disk's sake.
func (o Options) WithFloor(n int64) Options {
	o.floor = n
	return o
}

// Quietly runs f while nothing is flushed in the background: what is being read
// for that is in use, and not evicted.
func (c *Cache) Quietly(f func()) {
	c.flushing.Lock()
	defer c.flushing.Unlock()
	f()
}
