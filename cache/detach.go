package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// A directory goes from one process to the next without anybody waiting: the one
// that has it detaches, the next one opens it with the lock that it is given, and
// the first goes on with what it had begun until that is done. Nothing that both
// write has one name: downloads and temporary files of a detached cache are in a
// folder of its own, and what they become (a blob, a ref) is put in its place in
// one step, as always. The books are the new one's alone.

// handedDir is where the folders of detached caches are, each with a lock that
// goes with its process.
func (c *Cache) handedDir() string { return filepath.Join(c.dir, "partial", "handed") }

// detached is a cache without its directory.
type detached struct {
	lock *os.File // of the directory; the next one's too; nil: let go of
	dir  string   // for our own downloads
	own  *os.File // the lock of that
	end  func()   // the catalogue is incomplete until then
}

// settleIn says where downloads and temporary files are.
func (c *Cache) settleIn() {
	c.downloads = filepath.Join(c.dir, "partial", "sha256")
	c.temps.moveTo(c.tempDir())
}

func (c *Cache) isDetached() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.detached != nil
}

// Detach lets go of the directory for another process, without ending anything.
// What is being read is read on; downloads in flight go on, and what they bring
// is stored; what is asked for is looked for on disk, and hashed before it is
// served. Nothing is evicted, and of the books nothing is written, any more.
//
// The lock is still held: it is for Options.Lock of the next one, and the caller
// closes its own end of it when that one has it. nil: there is none to be given,
// and the next one opens the directory by itself. Either it is only read, then
// nothing has changed; or it has gone, or nothing can be moved in it. Then this
// cache writes nothing more: downloads in flight end with ErrClosed and stay where
// they are, as far as they are on disk, and what is asked for can only be read.
// After an error everything is as it was.
//
// Attach is the way back, Close the end. None of the three may run at the same
// time as another.
func (c *Cache) Detach() (*os.File, error) {
	if c.readOnly != nil {
		return nil, nil //nolint:nilerr // that is why there is nothing to give
	}
	if c.isClosed() || c.isDetached() {
		return nil, ErrClosed
	}
	d := &detached{dir: filepath.Join(c.handedDir(), c.name)}
	err := c.ownAside(d)
	c.mu.Lock()
	close(c.stop)
	c.mu.Unlock()
	c.keepers.Wait()
	c.evicting.Lock()
	d.end = c.rebuilding.begin()
	c.evicting.Unlock()
	if err == nil {
		err = c.detach(d)
	}
	if err != nil {
		c.log.Warn("cache: downloads are not handed over", "dir", c.dir, "err", err)
		c.drop(d, diskFault("detach", err))
	}
	return d.lock, nil
}

// ownAside makes the folder of a detached cache and locks it. What is still on its
// way from an earlier Detach that was taken back keeps it, and its lock, for us.
func (c *Cache) ownAside(d *detached) (err error) {
	c.flushing.Lock()
	defer c.flushing.Unlock()
	if i := slices.IndexFunc(c.asides, func(have *detached) bool { return have.dir == d.dir }); i >= 0 {
		d.own = c.asides[i].own
		c.asides = slices.Delete(c.asides, i, i+1)
		return nil
	}
	if err := c.makeDir(d.dir); err != nil {
		return err
	}
	if d.own, err = c.disk.inner.lock(d.dir); err != nil {
		_ = c.disk.remove(d.dir)
	}
	return err
}

func (c *Cache) detach(d *detached) error {
	c.flushing.Lock()
	defer c.flushing.Unlock()
	if err := c.attend(); err != nil {
		return err
	}
	if err := c.flushTags(); err != nil {
		c.log.Warn("cache: not everything could be written", "err", err)
	}
	c.refresh()
	c.applyUses()
	clean := !c.rebuilding.cut.Load() && !c.disk.hasFailed() && !c.leftover.Load()
	if err := c.store.detach(clean); err != nil {
		c.log.Warn("cache: not everything could be written", "err", err)
	}
	c.place.Lock()
	defer c.place.Unlock()
	c.mu.Lock()
	running := make([]key, 0, len(c.fills))
	for k := range c.fills {
		running = append(running, k)
	}
	c.mu.Unlock()
	for _, k := range running {
		if err := c.movePartial(c.downloads, d.dir, k); err != nil {
			return err
		}
	}
	// What the next one puts in their place must not get together with what a loss of
	// power would leave of them.
	if len(running) > 0 {
		if err := c.disk.syncDir(d.dir); err != nil {
			return err
		}
		if err := c.disk.syncDir(c.downloads); err != nil {
			return err
		}
	}
	c.downloads = d.dir
	c.temps.moveTo(d.dir)
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, p := range c.partials { // at rest, and the next one's
		if c.fills[k] == nil {
			c.partialSize.Add(-p.size)
			delete(c.partials, k)
		}
	}
	d.lock, c.lock, c.detached = c.lock, nil, d
	return nil
}

// drop is detach for a directory in which nothing can be done.
func (c *Cache) drop(d *detached, why error) {
	c.disk.freeze(why)
	c.place.Lock() // whoever was about to begin a download has begun
	c.mu.Lock()
	running := make([]*Fill, 0, len(c.fills))
	for _, f := range c.fills {
		running = append(running, f)
	}
	c.mu.Unlock()
	c.place.Unlock()
	for _, f := range running {
		f.Fail(ErrClosed)
	}
	c.flushing.Lock()
	defer c.flushing.Unlock()
	if err := c.store.detach(false); err != nil {
		c.log.Debug("cache: not everything could be written", "err", err)
	}
	c.unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.detached = d
}

// movePartial moves what there is of a download, the file first: half of it that
// a kill left behind is put together again by mergePartial.
func (c *Cache) movePartial(from, to string, k key) error {
	for _, name := range []string{k.hex(), k.hex() + ".journal"} {
		err := c.disk.rename(filepath.Join(from, name), filepath.Join(to, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Attach takes the directory back that Detach let go of, when nobody else has it.
// One that was not given away may be somebody else's by now: then it is only read
// until that one lets it go.
func (c *Cache) Attach() {
	c.mu.Lock()
	d := c.detached
	c.mu.Unlock()
	if d != nil && !c.isClosed() {
		c.attach(d)
	}
}

func (c *Cache) attach(d *detached) {
	c.flushing.Lock()
	if d.lock == nil {
		d.lock = c.lockAgain()
	}
	c.place.Lock()
	c.settleIn()
	c.mu.Lock()
	var ours []key
	for k := range c.fills {
		ours = append(ours, k)
	}
	for k := range c.partials {
		ours = append(ours, k)
	}
	c.mu.Unlock()
	for _, k := range ours {
		if err := c.movePartial(d.dir, c.downloads, k); err != nil {
			c.log.Warn("cache: a download cannot be kept", "digest", k.digest(), "err", err)
		}
	}
	if err := c.loadPartials(); err != nil {
		c.log.Warn("cache: downloads at rest could not be listed", "err", err)
	}
	c.mu.Lock()
	c.lock, c.detached = d.lock, nil
	c.mu.Unlock()
	c.place.Unlock()
	c.store.attach()
	c.flushing.Unlock()
	c.flushing.Lock()
	c.asides = append(c.asides, d)
	c.dropAsides()
	c.flushing.Unlock()
	c.work(true)
	d.end()
	c.soon()
}

// lockAgain is the lock of a directory that was let go of, nil if it cannot be had
// yet: attend tries again.
func (c *Cache) lockAgain() *os.File {
	lock, err := c.disk.inner.lock(c.dir)
	if held := (*HeldError)(nil); !errors.As(err, &held) {
		err = nil // it cannot be written, or is not there: each time that will be seen
	}
	c.disk.freeze(err)
	return lock
}

// dropAsides gives up the folders that the cache had while it was detached. One from which a temporary file is still on its
// way stays its own, and is looked at again. Needs flushing.
func (c *Cache) dropAsides() {
	c.asides = slices.DeleteFunc(c.asides, func(d *detached) bool {
		_ = c.clearTemps(d.dir, false)
		if entries, err := os.ReadDir(d.dir); err == nil && len(entries) > 1 {
			c.leftover.Store(true)
			return false
		}
		c.dropAside(d)
		return true
	})
}

// leaveAsides is dropAsides when nothing is on its way any more. Needs flushing.
func (c *Cache) leaveAsides() {
	for _, d := range c.asides {
		c.dropAside(d)
	}
	c.asides = nil
}

// dropAside gives up the folder of a detached cache. What lies in it is left for
// whoever has the directory.
func (c *Cache) dropAside(d *detached) {
	if entries, err := os.ReadDir(d.dir); err == nil && len(entries) <= 1 {
		_ = c.disk.remove(filepath.Join(d.dir, "lock"))
		_ = c.disk.remove(d.dir)
		_ = c.disk.remove(c.handedDir())
	}
	_ = d.own.Close()
}

// leave is the end of a detached cache.
func (c *Cache) leave() {
	c.flushing.Lock()
	defer c.flushing.Unlock()
	c.leaveAsides()
	c.dropAside(c.detached)
	c.detached.end()
}

// detach writes what is left and closes the file: from here on everything is in
// memory only, as far as it is known.
func (s *store) detach(clean bool) error {
	_, err := s.flush(clean)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db != nil {
		err = errors.Join(err, guarded(s.db.Close))
		s.db = nil
	}
	for t := range s.mem {
		s.mem[t] = make(map[string]pending)
	}
	s.frozen, s.gone = true, false
	return err
}

// attach opens the file again; what is in memory is not worth keeping.
func (s *store) attach() {
	s.mu.Lock()
	s.frozen = false
	s.mu.Unlock()
	s.reopen()
}
