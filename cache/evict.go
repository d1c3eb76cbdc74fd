package cache

import (
	"cmp"
	"math"
	"slices"
)

// Evicting takes what was not used for longest: images as a whole, and blobs and
// downloads of no image, in one order. It takes nothing that somebody reads,
// holds or fetches, and no image that is pinned or the person's own.
//
// The tags of an image go with it. A tag that is remembered beyond its bytes would
// save one request of the several that fetching it again takes, would make HEAD
// promise what GET cannot give when no source answers, and nothing would ever
// clear refs/ up.

// victimsAtOnce is for how many candidates of a kind the books are asked at a
// time.
const victimsAtOnce = 32

// evictedAtOnce is how many changes of the books are written together: they are all
// over the file, and the more there are the more of them share a page.
const evictedAtOnce = 1 << 15

// victim is something that may go.
type victim struct {
	use
	image   imageKey // or "": a blob, or
	partial bool     // a download at rest
}

// byUse is in which order they go; of what was used at the same moment as the books
// sort it.
func byUse(a, b victim) int {
	return cmp.Or(cmp.Compare(a.used, b.used), cmp.Compare(a.image, b.image), a.key.compare(b.key))
}

// unwilling are candidates that turned out to be in use.
type unwilling struct {
	images map[imageKey]bool
	keys   map[key]bool
}

// size is what counts against max_size.
func (c *Cache) size() int64 {
	size, _ := c.store.totals()
	return size + c.partialSize.Load()
}

// fits reports whether everything is within max_size.
func (c *Cache) fits() bool {
	limit := c.maxSize.Load()
	return limit <= 0 || c.size() <= limit
}

// checkSize has room made if there is too much, or the disk is nearly full.
func (c *Cache) checkSize() {
	if !c.fits() || c.shortage() > 0 {
		c.evictSoon()
	}
}

func (c *Cache) evictSoon() {
	select {
	case c.full <- struct{}{}:
	default:
	}
}

// shrink evicts until enough says so, and returns how many bytes that freed. It must
// be called without locks.
func (c *Cache) shrink(enough func(freed int64) bool) (freed int64) {
	c.refresh()
	return c.evictUntil(enough)
}

// squeeze is shrink for a caller that may have the lock of one digest, but none of
// refs. It does nothing while the catalogue is not settled.
func (c *Cache) squeeze(enough func(freed int64) bool) (freed int64) {
	if c.unsettled() {
		c.soon() // the next Flush settles it
		return 0
	}
	return c.evictUntil(enough)
}

// evictUntil is for shrink and squeeze. While the catalogue is being built again, or is
// another directory's than the one that is there, it does nothing: what is pinned or
// shared is not known, and what is told of in memory alone has no image then.
func (c *Cache) evictUntil(enough func(freed int64) bool) (freed int64) {
	c.evicting.Lock()
	defer c.evicting.Unlock()
	if !c.ready() || c.store.lost() || c.disk.isFrozen() != nil {
		return 0
	}
	if c.store.replaced() {
		c.soon() // the next Flush looks at what is there
		return 0
	}
	c.applyUses()
	not := unwilling{make(map[imageKey]bool), make(map[key]bool)}
	for !enough(freed) && !c.store.lost() {
		some := c.victims(not)
		if len(some) == 0 {
			break
		}
		for len(some) > 0 && !enough(freed) && !c.store.lost() {
			v := some[0]
			some = some[1:]
			n, again := c.evict(v, not)
			freed += n
			if v.used = again; again > 0 {
				at, _ := slices.BinarySearchFunc(some, v, byUse)
				if at < len(some) { // else it is among the next ones
					some = slices.Insert(some, at, v)
				}
			}
		}
		if c.store.pending() > evictedAtOnce {
			_, _ = c.store.flush(false) // a full disk: it stays in memory
		}
	}
	if freed > 0 {
		c.index.dirty.Store(true)
		c.soon()
	}
	return freed
}

// victims are the next candidates, the first first.
func (c *Cache) victims(not unwilling) (out []victim) {
	c.mu.Lock()
	busy := make(map[key]bool, len(c.open))
	for k := range c.open {
		busy[k] = true
	}
	for k, p := range c.partials {
		if !not.keys[k] {
			out = append(out, victim{use: use{k, p.size, p.used.UnixNano()}, partial: true})
		}
	}
	c.mu.Unlock()
	// Of each kind so many, and then no further than the last of a kind that has
	// more: what is behind it is not known yet.
	last := int64(math.MaxInt64)
	if !c.unsettled() { // a manifest that cannot be read may be what they belong to
		for _, u := range c.store.loose(victimsAtOnce, func(k key) bool { return busy[k] || not.keys[k] }) {
			out = append(out, victim{use: u})
		}
		if len(out) >= victimsAtOnce {
			last = min(last, out[len(out)-1].used)
		}
	}
	images := c.store.oldest(victimsAtOnce, func(ik imageKey) bool { return not.images[ik] })
	if len(images) == victimsAtOnce {
		last = min(last, images[len(images)-1].used)
	}
	out = append(out, images...)
	slices.SortFunc(out, byUse)
	for len(out) > 1 && out[len(out)-1].used > last {
		out = out[:len(out)-1]
	}
	return out
}

// oldest returns about n images that may be evicted and were not used for longest,
// without those that skip names.
func (s *store) oldest(n int, skip func(imageKey) bool) (out []victim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scan(tableOrder, nil, nil, func(k, _ []byte) bool {
		if len(k) < 8 || !imageKey(k[8:]).valid() {
			return true
		}
		if ik := imageKey(k[8:]); !skip(ik) {
			out = append(out, victim{use: use{used: timeOf(k)}, image: ik})
		}
		return len(out) < n
	})
	return out
}

// evict removes a victim if it still is one, and says how many bytes that freed.
// again: it was used more recently than the books knew, and its turn is then.
func (c *Cache) evict(v victim, not unwilling) (freed, again int64) {
	switch {
	case v.image != "":
		freed, again, ok := c.evictImage(v)
		if !ok {
			not.images[v.image] = true
		}
		return freed, again
	case v.partial:
		if c.evictPartial(v.key) {
			return v.size, 0
		}
	default:
		if size, ok := c.evictBlob(v.key, true); ok {
			return size, 0
		}
	}
	not.keys[v.key] = true
	return 0, 0
}

// evictImage removes an image: its refs, and everything that is not another's. Not
// ok: it is in use, or not to be had.
func (c *Cache) evictImage(v victim) (freed, again int64, ok bool) {
	ik := v.image
	n, root := ik.name(), ik.root()
	if !c.fresh(n) { // somebody may have pinned it by hand
		c.adoptLater(c.compareFolder(n)) // not now: that may need a lock that our caller has
	}
	all, again := c.store.lastUse(ik, v.used)
	switch {
	case c.busy(all):
		return 0, 0, false
	case again > 0:
		return 0, again, true
	}
	gone, ok, err := c.dropUnused(ik)
	for _, k := range gone {
		if size, ok := c.evictBlob(k, true); ok {
			freed += size
		}
	}
	if err != nil {
		c.log.Warn("cache: cannot evict", "image", n.String(), "digest", root.digest(), "err", err)
	}
	return freed, 0, ok && err == nil
}

// lastUse looks whether an image, or something of it, was used at another time than
// the one for which it is a victim, and if so puts that right and says when. all is
// everything that belongs to it.
func (s *store) lastUse(ik imageKey, used int64) (all []key, other int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var i image
	var newest int64
	there := false
	s.reading(func() {
		i, there = s.image(ik)
		newest = i.used
		s.walk(ik.root(), func(at link, _ links, _ bool) bool {
			all = append(all, at.key)
			if at.manifest {
				newest = max(newest, s.blob(at.key).used)
			}
			return true
		})
		for _, k := range s.parts(ik.name(), ik.root()) {
			part, _ := s.image(imageKeyOf(ik.name(), k))
			newest = max(newest, part.used)
		}
	})
	if newest == used {
		return all, 0
	}
	s.unset(tableOrder, timeKey(used, []byte(ik)))
	if !there {
		return all, 0
	}
	i.used = newest
	s.setImage(ik, i)
	return all, newest
}

// dropUnused takes an image away. Not ok: it was pinned meanwhile, or is not there.
func (c *Cache) dropUnused(ik imageKey) (gone []key, ok bool, err error) {
	n, root := ik.name(), ik.root()
	c.refs.mu.Lock()
	defer c.refs.mu.Unlock()
	c.store.mu.Lock()
	i, there := c.store.image(ik)
	c.store.mu.Unlock()
	if !there || !i.evictable(n) {
		return nil, false, nil
	}
	var ids []string
	for _, r := range i.refs {
		ids = append(ids, r.id)
	}
	gone, err = c.dropRefs(n, root, ids)
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	if _, left := c.store.image(ik); left && err == nil { // of refs that are not there: the books contradict themselves
		c.store.lose(errDamaged)
	}
	return gone, true, err
}

// busy reports whether somebody reads, holds or fetches one of them.
func (c *Cache) busy(all []key) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range all {
		if c.open[k] > 0 || c.fills[k] != nil || c.settling[k] != nil {
			return true
		}
	}
	return false
}

func (c *Cache) evictPartial(k key) bool {
	release, ok := c.trySettle(k)
	if !ok {
		return false
	}
	defer release()
	if !c.place.TryRLock() { // being detached, or our caller has it
		return false
	}
	defer c.place.RUnlock()
	c.mu.Lock()
	p, rests := c.partials[k]
	delete(c.partials, k)
	c.mu.Unlock()
	if rests {
		c.removePartial(k)
		c.partialSize.Add(-p.size)
		c.countEvicted(p.size)
	}
	return rests
}

// evictBlob removes a blob that nothing uses.
func (c *Cache) evictBlob(k key, count bool) (size int64, ok bool) {
	release, ok := c.trySettle(k)
	if !ok {
		return 0, false
	}
	defer release()
	// Under the lock that Get holds with: whoever comes later finds no file.
	c.mu.Lock()
	r, stored := c.store.get(k)
	if c.open[k] > 0 || !stored || r.refs > 0 {
		c.mu.Unlock()
		return 0, false
	}
	aside := c.tempPath()
	err := c.disk.rename(c.blobPath(k), aside)
	c.mu.Unlock()
	if err == nil {
		err = c.dropTemp(aside)
	} else {
		c.temps.done(aside, true)
	}
	if err != nil {
		c.log.Warn("cache: cannot evict", "digest", k.digest(), "err", err)
	}
	// Also if it could not be removed: it must not be tried again for ever. A
	// later start finds the file.
	c.store.remove(k)
	c.manifests.forget(k)
	if count {
		c.countEvicted(r.size)
	}
	return r.size, true
}

func (c *Cache) countEvicted(n int64) {
	c.counts.evicted.Add(1)
	c.counts.evictedBytes.Add(n)
}
