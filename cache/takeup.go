package cache

import (
	"os"
	"path/filepath"
)

// Adopt takes up what others left in the directory, from whom this cache has it or
// who had it before: blobs and refs that came since, and downloads that they did
// not finish. It is for when somebody who detached has ended. One who has not is
// waited for: it is looked again every minute.
func (c *Cache) Adopt() { c.takeUp(true) }

// takeUp is Adopt. With look it is looked what came also if somebody is still at it.
func (c *Cache) takeUp(look bool) {
	c.flushing.Lock()
	defer c.flushing.Unlock()
	if c.lock == nil || c.isClosed() {
		return
	}
	c.dropAsides()
	c.mergeHanded()
	left := c.leftover.Load()
	if !left {
		_ = c.clearTemps(c.tempDir(), true)
	} else if !look {
		return
	}
	defer c.rebuilding.begin()()
	c.rebuild(true, func(int) bool { return c.isClosed() })
	c.soon()
}

// mergeHanded takes over the folders of detached caches whose process is gone.
func (c *Cache) mergeHanded() {
	entries, err := os.ReadDir(c.handedDir())
	if err != nil {
		c.leftover.Store(false)
		return
	}
	left := false
	for _, e := range entries {
		if dir := filepath.Join(c.handedDir(), e.Name()); e.IsDir() {
			done := c.merge(dir)
			left, c.merged = left || !done, c.merged || done
		} else {
			_ = c.disk.remove(dir)
		}
	}
	if !left {
		_ = c.disk.remove(c.handedDir())
	}
	c.leftover.Store(left)
}

// merge takes over one folder, and reports whether that is done.
func (c *Cache) merge(dir string) bool {
	lock, err := c.disk.inner.lock(dir)
	if err != nil {
		return false
	}
	defer func() { _ = lock.Close() }()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	keys := make(map[key]bool)
	for _, e := range entries {
		name := e.Name()
		if k, ok := parseHex(name); ok {
			keys[k] = true
		} else if k, ok := parseHex(trimJournal(name)); ok {
			keys[k] = true
		} else if name != "lock" {
			_ = c.disk.remove(filepath.Join(dir, name))
		}
	}
	for k := range keys {
		c.mergePartial(dir, k)
	}
	_ = c.disk.remove(filepath.Join(dir, "lock"))
	return c.disk.remove(dir) == nil
}

// mergePartial takes over a download, unless this cache has more of it, fetches it
// now, or has all of it. A kill in the middle of a move has left one half of it
// here and the other there.
func (c *Cache) mergePartial(dir string, k key) {
	defer c.settle(k)()
	c.place.RLock()
	defer c.place.RUnlock()
	c.mu.Lock()
	busy := c.fills[k] != nil
	c.mu.Unlock()
	theirs, ours := halvesOf(dir, k), halvesOf(c.downloads, k)
	if busy || exists(c.blobPath(k)) {
		theirs.remove(c)
		return
	}
	switch {
	case theirs.whole() && ours.whole():
		more, _ := c.readPartialIn(dir, k)
		have, _ := c.readPartialIn(c.downloads, k)
		if more.have.total <= have.have.total {
			theirs.remove(c)
			return
		}
		ours.remove(c)
		_ = c.disk.syncDir(c.downloads) // a loss of power must not put one's file to the other's journal
	case theirs.whole():
		ours.remove(c)
		_ = c.disk.syncDir(c.downloads)
	case theirs.file == ours.file || theirs.journal == ours.journal: // nothing that fits together
		theirs.remove(c)
		return
	}
	if err := c.movePartial(dir, c.downloads, k); err != nil {
		c.log.Warn("cache: a download that somebody left cannot be taken over", "digest", k.digest(), "err", err)
	}
	if c.store != nil { // else loadPartials follows
		c.countPartial(k)
	}
}

// countPartial enters a download at rest, as it is. Needs settle and place.
func (c *Cache) countPartial(k key) {
	p, ok := c.readPartial(k)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.partialSize.Add(-c.partials[k].size)
	delete(c.partials, k)
	if ok && p.have.total > 0 {
		c.partials[k] = partial{size: p.have.total, used: c.now()}
		c.partialSize.Add(p.have.total)
	}
}

// halves are the files of a download.
type halves struct {
	path          string
	file, journal bool
}

func halvesOf(dir string, k key) halves {
	path := filepath.Join(dir, k.hex())
	return halves{path, exists(path), exists(path + ".journal")}
}

func (h halves) whole() bool { return h.file && h.journal }

func (h halves) remove(c *Cache) {
	if h.journal {
		_ = c.disk.remove(h.path + ".journal")
	}
	if h.file {
		_ = c.disk.remove(h.path)
	}
}
