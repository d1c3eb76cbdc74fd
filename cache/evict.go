package cache

import (
	"cmp"
	"fmt"
	"slices"
	"syscall"
)

const (
	// roomAtLeast is how much is evicted when the disk is full: a few more layers
	// fit before it happens again.
	roomAtLeast   = 64 << 20
	victimsAtOnce = 32
)

// victim is something that may go.
type victim struct {
	use
	partial bool
}

// fits reports whether everything is within max_size.
func (c *Cache) fits() bool {
	limit := c.maxSize.Load()
	if limit <= 0 {
		return true
	}
	size, _ := c.store.totals()
	return size+c.partialSize.Load() <= limit
}

func (c *Cache) checkSize() {
	if !c.fits() {
		select {
		case c.full <- struct{}{}:
		default:
		}
	}
}

// shrink evicts what was not used for longest until enough says so, and returns
// how many bytes that freed. Blobs that somebody reads and downloads that
// somebody drives stay.
func (c *Cache) shrink(enough func() bool) (freed int64) {
	c.evicting.Lock()
	defer c.evicting.Unlock()
	for !enough() {
		before := freed
		for _, v := range c.victims() {
			if enough() {
				break
			}
			if c.evict(v) {
				freed += v.size
			}
		}
		if freed == before {
			break
		}
		if c.store.pending() > 1<<12 {
			_, _ = c.store.flush(false)
		}
	}
	if freed > 0 {
		c.index.dirty.Store(true)
		c.soon()
	}
	return freed
}

func (c *Cache) victims() []victim {
	c.mu.Lock()
	busy := make(map[key]bool, len(c.open))
	for k := range c.open {
		busy[k] = true
	}
	var out []victim
	for k, p := range c.partials {
		out = append(out, victim{use{k, p.size, p.used.UnixNano()}, true})
	}
	c.mu.Unlock()
	for _, u := range c.store.oldest(victimsAtOnce, func(k key) bool { return busy[k] }) {
		out = append(out, victim{u, false})
	}
	slices.SortFunc(out, func(a, b victim) int { return cmp.Compare(a.used, b.used) })
	return out[:min(victimsAtOnce, len(out))]
}

// evict removes one victim if it is still one.
func (c *Cache) evict(v victim) bool {
	release, ok := c.trySettle(v.key)
	if !ok {
		return false
	}
	defer release()
	if v.partial {
		c.mu.Lock()
		_, rests := c.partials[v.key]
		delete(c.partials, v.key)
		c.mu.Unlock()
		if rests {
			c.removePartial(v.key)
			c.partialSize.Add(-v.size)
			c.countEvicted(v.size)
		}
		return rests
	}
	// Under the lock that Get pins with: whoever comes later finds no file.
	c.mu.Lock()
	if c.open[v.key] > 0 {
		c.mu.Unlock()
		return false
	}
	aside := c.tempPath()
	err := c.disk.rename(c.blobPath(v.key), aside)
	c.mu.Unlock()
	if err == nil {
		err = c.disk.remove(aside)
	}
	if err != nil {
		c.log.Warn("cache: cannot evict", "digest", v.key.digest(), "err", err)
	}
	// Also if it could not be removed: it must not be tried again for ever. A
	// later start finds the file.
	c.store.remove(v.key)
	c.countEvicted(v.size)
	return true
}

func (c *Cache) countEvicted(n int64) {
	c.counts.evicted.Add(1)
	c.counts.evictedBytes.Add(n)
}

// makeRoom is for a disk that has just said it is full. It reports whether it
// is worth trying again.
func (c *Cache) makeRoom(n int64) bool {
	var before int64
	return c.shrink(func() bool {
		size, _ := c.store.totals()
		if before == 0 {
			before = size + c.partialSize.Load() + 1
		}
		return before-(size+c.partialSize.Load()) > max(n, roomAtLeast)
	}) > 0
}

// admit says whether a blob of size bytes, of which missing are still to come,
// can be kept at all; it makes room on a disk that is too full for it.
func (c *Cache) admit(size, missing int64) error {
	if limit := c.maxSize.Load(); limit > 0 && size > limit {
		return &NoSpaceError{}
	}
	roomy := func() bool {
		free, err := c.free(c.dir)
		return err != nil || free >= missing
	}
	if roomy() {
		return nil
	}
	// Somebody else may have filled the disk: nothing is thrown away for a blob
	// that would not fit even then.
	stored, _ := c.store.totals()
	if free, err := c.free(c.dir); err == nil && free+stored+c.partialSize.Load() >= missing {
		c.shrink(roomy)
	}
	if !roomy() {
		return &NoSpaceError{Err: fmt.Errorf("%d bytes to come: %w", missing, syscall.ENOSPC)}
	}
	return nil
}

// grew counts n new bytes of a running download.
func (c *Cache) grew(f *Fill, n int64) {
	c.partialSize.Add(n)
	c.checkSize()
	f.mu.Lock()
	due := f.unsynced >= syncEvery
	f.mu.Unlock()
	if due {
		c.soon()
	}
}
