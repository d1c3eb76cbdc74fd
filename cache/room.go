package cache

import (
	"fmt"
	"syscall"
	"time"
)

const (
	// roomAtLeast is how much is evicted when the disk is full: a few more layers
	// fit before it happens again.
	roomAtLeast = 64 << 20
	// spareBytes is how much of the disk is left free for everybody else, and
	// spareShare how much of what the cache could have at most: a small disk is
	// not given away for that.
	spareBytes = 2 << 30
	spareShare = 8
	// spareFloor is below what the cache does not shrink for the disk's sake:
	// when somebody else fills it, that much would not help for long, and all of
	// it would be thrown away for nothing.
	spareFloor = 256 << 20
	// spareEvery is how often the disk is looked at, and spareAgain how soon
	// after room was made: some systems take their time to say what is free.
	spareEvery = time.Minute
	spareAgain = 5 * time.Second
	// tightLooks is how often in a row less than spareFloor is free before the disk
	// counts as crowded: what was made room by then was taken by others.
	tightLooks = 3
)

// shortage is how many bytes should go because the disk is nearly full. A cache
// that somebody else crowds out gives way by an eighth at a time, not at once.
func (c *Cache) shortage() int64 {
	size := c.size()
	if size <= c.floor {
		return 0
	}
	free, err := c.free(c.dir)
	if err != nil {
		return 0
	}
	spare := min(spareBytes, (free+size)/spareShare)
	return min(spare-free, size-c.floor)
}

// crowd notes whether others leave hardly anything of the disk. It is over when there
// is twice as much again.
func (c *Cache) crowd() {
	free, err := c.free(c.dir)
	switch {
	case err != nil:
		return
	case free < c.floor:
		c.tight++
	case free >= 2*c.floor:
		c.tight = 0
	}
	if c.tight == 0 || c.tight >= tightLooks {
		c.crowds.Store(c.tight > 0)
	}
}

// spare evicts what the disk is short of, and says when to look again.
func (c *Cache) spare() (again time.Duration) {
	c.crowd()
	short := c.shortage()
	if short <= 0 || c.disk.isFrozen() != nil {
		return spareEvery
	}
	now := time.Now()
	if now.Sub(c.spared) < spareAgain {
		return spareAgain
	}
	c.spared = now
	freed := c.shrink(func(freed int64) bool { return freed >= short })
	c.log.Info("cache: the disk is nearly full, made room", "freed", freed, "wanted", short)
	return spareEvery
}

// GC evicts until the cache has at most keep bytes, or what is left is pinned or
// in use. freed is bytes.
func (c *Cache) GC(keep int64) (freed int64, err error) {
	if err := c.awaitReady(); err != nil {
		return 0, err
	}
	return c.shrink(func(int64) bool { return c.size() <= keep }), diskFault("evict", c.disk.isFrozen())
}

// Free evicts at least n bytes, if that much is neither pinned nor in use.
func (c *Cache) Free(n int64) (freed int64, err error) {
	if err := c.awaitReady(); err != nil {
		return 0, err
	}
	return c.shrink(func(freed int64) bool { return freed >= n }), diskFault("evict", c.disk.isFrozen())
}

// makeRoom is for a disk that has just said it is full. It reports whether it
// is worth trying again.
func (c *Cache) makeRoom(n int64) bool {
	return c.squeeze(func(freed int64) bool { return freed > max(n, roomAtLeast) }) > 0
}

// admit says whether a blob of size bytes, of which missing are still to come,
// can be kept at all; it makes room on a disk that is too full for it.
func (c *Cache) admit(size, missing int64) error {
	if limit := c.maxSize.Load(); limit > 0 && size > limit {
		return &NoSpaceError{}
	}
	roomy := func(int64) bool {
		free, err := c.free(c.dir)
		return err != nil || free >= missing
	}
	if roomy(0) {
		return nil
	}
	// Somebody else may have filled the disk: nothing is thrown away for a blob
	// that would not fit even then.
	if free, err := c.free(c.dir); err == nil && free+c.size() >= missing {
		c.squeeze(roomy)
	}
	if !roomy(0) {
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
