package cache

import (
	"sync/atomic"
	"time"
)

// setBackAtLeast is by how much a clock goes back that was set back, and not just
// corrected a little, as every clock is now and then.
const setBackAtLeast = time.Second

// clock tells the time and notices when it is set back: what was used before would
// count as used last until the time that it had comes again, and what is used now
// would be the first to go. Safe for concurrent use.
type clock struct {
	tell   func() time.Time
	latest atomic.Int64 // what it told last, ns since 1970
	back   atomic.Int64 // when it was found to be set back, or was first asked
}

func newClock(tell func() time.Time) *clock {
	c := &clock{tell: tell}
	c.back.Store(c.now().UnixNano())
	return c
}

func (c *clock) now() time.Time {
	t := c.tell()
	at, latest := t.UnixNano(), c.latest.Load()
	if at > latest {
		c.latest.CompareAndSwap(latest, at)
	} else if at < latest-int64(setBackAtLeast) && c.latest.CompareAndSwap(latest, at) {
		c.back.Store(at)
	}
	return t
}

// settleUses gives what was used at a time that is yet to come the time at which the
// clock was set back: it is older than whatever was used since.
func (c *Cache) settleUses() {
	now := c.now()
	back := c.clock.back.Load()
	c.store.settleUses(now.UnixNano(), back)
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, p := range c.partials {
		if p.used.After(now) {
			p.used = time.Unix(0, back)
			c.partials[k] = p
		}
	}
}

// settleUses gives uses after now the time back, and keeps their order.
func (s *store) settleUses(now, back int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading(func() {
		var images []imageKey
		s.scan(tableOrder, nil, timeKey(now+1, nil), func(k, _ []byte) bool {
			if ik := imageKey(k[8:]); ik.valid() {
				images = append(images, ik)
			}
			return true
		})
		for i, ik := range images {
			s.restamp(ik, now, back-int64(len(images)-i))
		}
		var blobs []key
		s.scan(tableLoose, nil, timeKey(now+1, nil), func(k, _ []byte) bool {
			if len(k) == 8+len(key{}) {
				blobs = append(blobs, key(k[8:]))
			}
			return true
		})
		for i, k := range blobs {
			s.restampBlob(k, now, back-int64(len(blobs)-i))
		}
	})
}

// restamp gives uses of an image, and of what its own last use is told by, after now
// another time. Needs mu.
func (s *store) restamp(ik imageKey, now, at int64) {
	for _, k := range append(s.parts(ik.name(), ik.root()), ik.root()) {
		one := imageKeyOf(ik.name(), k)
		if i, ok := s.image(one); ok && i.used > now {
			i.used = at
			s.setImage(one, i)
		}
	}
	var manifests []key
	s.walk(ik.root(), func(l link, _ links, _ bool) bool {
		if l.manifest {
			manifests = append(manifests, l.key)
		}
		return true
	})
	for _, k := range manifests {
		s.restampBlob(k, now, at)
	}
}

func (s *store) restampBlob(k key, now, at int64) {
	if old := s.blob(k); old.stored && old.used > now {
		r := old
		r.used = at
		s.change(k, old, r)
	}
}
