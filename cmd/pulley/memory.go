package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// The collector's default lets the heap double. Half of that costs next to nothing while there is little to do, and the
// limit makes it work harder before many transfers at once reach what we promise. With a live heap of a few MiB it would
// run dozens of times a second in a storm of small requests, though, for a third of the processors: there it is given
// time, for some MiB more, until the storm is over.
const (
	memoryLimit = 80 << 20

	collectAt  = 50                     // per cent that the heap grows by between two collections
	collectGap = 300 * time.Millisecond // how long it takes at least, if that needs no more than
	garbage    = 14 << 20               // so many bytes
	leastHeap  = 4 << 20                // what the percentage is of at least (heapMinimum in the runtime's mgcpacer.go)
	calm       = time.Second            // without a collection: what is not needed now goes back to the system
	worthwhile = 1 << 20                // bytes allocated since that was last done
)

// limitMemory holds for a daemon that has served for a moment: a collection while it starts, or beside the first requests,
// would have them wait. What starting left behind goes back to the system. GOGC and GOMEMLIMIT in the environment go first.
func limitMemory() {
	if os.Getenv("GOGC") == "" {
		watchCollector()
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	debug.FreeOSMemory()
}

// collector sets after each collection when the next one is to be.
type collector struct {
	mu      sync.Mutex
	percent int
	last    time.Time // when it was
	until   uint64    // bytes that were ever allocated by then
	rested  uint64    // … by the last rest
	over    *time.Timer
	samples []metrics.Sample
}

// watchCollector has a collector at work for as long as the process runs.
func watchCollector() {
	c := &collector{percent: collectAt, last: time.Now(), samples: []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
	}}
	debug.SetGCPercent(collectAt)
	c.over = time.AfterFunc(time.Hour, c.rest)
	c.over.Stop()
	// Nothing leads to it, so each collection finds that it can go.
	type sentinel struct{ c *collector }
	var collected func(*sentinel)
	collected = func(s *sentinel) {
		s.c.collected(time.Now())
		runtime.SetFinalizer(s, collected)
	}
	runtime.SetFinalizer(&sentinel{c}, collected)
}

// collected lets as much come together until the next collection as was allocated lately in collectGap.
func (c *collector) collected(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	metrics.Read(c.samples)
	allocated := c.samples[0].Value.Uint64()
	grows := max(c.samples[1].Value.Uint64()+c.samples[2].Value.Uint64()+c.samples[3].Value.Uint64(), leastHeap)
	rate := float64(allocated-c.until) / max(now.Sub(c.last), time.Millisecond).Seconds()
	c.last, c.until = now, allocated
	wanted := min(rate*collectGap.Seconds(), garbage)
	percent := max(int(100*wanted/float64(grows)), collectAt)
	if percent != c.percent {
		c.percent = percent
		debug.SetGCPercent(percent)
	}
	if allocated-c.rested > worthwhile {
		c.over.Reset(calm)
	}
}

// rest comes when nothing was collected for a while, and gives back what was needed before that. A sync.Pool lets go of what
// it has at the second collection.
func (c *collector) rest() {
	c.mu.Lock()
	c.percent, c.rested = collectAt, c.until
	debug.SetGCPercent(collectAt)
	c.mu.Unlock()
	runtime.GC()
	debug.FreeOSMemory()
}
