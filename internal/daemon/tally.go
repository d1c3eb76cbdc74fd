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
	asked   int64 // how often the counts may have changed
	known   int64 // asked, when the last count began
	want    int64 // asked, when somebody last looked
	due     time.Time
	fresh   chan struct{} // closed after each count
	running bool
	closed  bool
	end     chan struct{}
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
	return &tally{cache: c, now: now, moved: moved, asked: 1, counts: counts{free: -1}, fresh: make(chan struct{}), end: make(chan struct{})}
}

// changed says that the counts may be others.
func (t *tally) changed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked++
}

// fill puts the counts into the state. It waits a moment for those of now.
func (t *tally) fill(c *control.Cache) {
	timeout := time.NewTimer(tallyWait)
	defer timeout.Stop()
	for asked := t.refresh(); ; {
		t.mu.Lock()
		fresh, done := t.fresh, t.known >= asked || t.closed
		t.mu.Unlock()
		if done {
			break
		}
		select {
		case <-fresh:
			continue
		case <-timeout.C:
		}
		break
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c.Images, c.Pinned, c.PinnedSize = t.counts.images, t.counts.pinned, t.counts.pinnedSize
	c.Saved, c.Free = t.counts.saved, t.counts.free
}

// refresh sees to it that what was asked until now is counted, and returns how much that is.
func (t *tally) refresh() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.want = t.asked
	if t.known < t.want && !t.running && !t.closed {
		t.running = true
		t.ended.Go(t.run)
	}
	return t.asked
}

// run counts until what somebody looked for is known.
func (t *tally) run() {
	for {
		t.mu.Lock()
		if t.known >= t.want || t.closed {
			t.running = false
			t.mu.Unlock()
			return
		}
		wait := time.NewTimer(t.due.Sub(t.now()))
		t.mu.Unlock()
		select {
		case <-t.end:
		case <-wait.C:
			t.count()
		}
		wait.Stop()
	}
}

func (t *tally) count() {
	t.mu.Lock()
	asked := t.asked
	t.mu.Unlock()
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
	t.known = asked
	close(t.fresh)
	t.fresh = make(chan struct{})
	t.mu.Unlock()
	if other {
		t.moved()
	}
}

// close waits for a count that runs; there is none after it.
func (t *tally) close() {
	t.mu.Lock()
	if !t.closed {
		t.closed = true
		close(t.end)
	}
	t.mu.Unlock()
	t.ended.Wait()
}
