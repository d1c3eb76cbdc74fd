package daemon

import (
	"sync"
	"time"

	"pulley/cache"
	"pulley/internal/control"
)

// tally counts the images of the cache for the state. To count means to look at all of them, so it is done beside, when
// something was asked of the cache since, and takes no more than a small share of the time, however many there are.
type tally struct {
	cache *cache.Cache
	now   func() time.Time
	moved func() // tells that the counts are others than before

	mu      sync.Mutex
	counts  counts
	stale   bool
	closed  bool
	due     time.Time     // not counted again before
	running chan struct{} // closed when a count is done; nil if none runs
	ended   sync.WaitGroup
}

type counts struct {
	images, pinned, pinnedSize, saved int64

	free int64 // on the disk, -1 unknown
}

const (
	// tallyShare is how much longer than it took to count nobody counts.
	tallyShare = 20
	// tallyWait is how long the state waits for a count: those of small caches are never old.
	tallyWait = 100 * time.Millisecond
)

func newTally(c *cache.Cache, now func() time.Time, moved func()) *tally {
	return &tally{cache: c, now: now, moved: moved, stale: true, counts: counts{free: -1}}
}

// changed says that the counts may be others.
func (t *tally) changed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stale = true
}

// fill puts the counts into the state.
func (t *tally) fill(c *control.Cache) {
	if running := t.refresh(); running != nil {
		timeout := time.NewTimer(tallyWait)
		defer timeout.Stop()
		select {
		case <-running:
		case <-timeout.C:
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c.Images, c.Pinned, c.PinnedSize = t.counts.images, t.counts.pinned, t.counts.pinnedSize
	c.Saved, c.Free = t.counts.saved, t.counts.free
}

// refresh counts if that is due; the channel is closed when it is done.
func (t *tally) refresh() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running != nil || t.closed || !t.stale || t.now().Before(t.due) {
		return t.running
	}
	t.stale, t.running = false, make(chan struct{})
	t.ended.Go(t.count)
	return t.running
}

func (t *tally) count() {
	begun := t.now()
	n := counts{free: -1}
	if free, err := t.cache.FreeSpace(); err == nil {
		n.free = free
	}
	images, err := t.cache.Images()
	for _, i := range images {
		n.images++
		n.saved += i.Saved
		if i.Pinned {
			n.pinned++
			n.pinnedSize += i.Size
		}
	}
	t.mu.Lock()
	other := false
	if err == nil {
		was := t.counts
		was.free = n.free // everybody changes that
		other = was != n
		t.counts = n
	}
	t.due = t.now().Add(t.now().Sub(begun) * tallyShare)
	close(t.running)
	t.running = nil
	t.mu.Unlock()
	if other {
		t.moved()
	}
}

// close waits for a count that runs; there is none after it.
func (t *tally) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.ended.Wait()
}
