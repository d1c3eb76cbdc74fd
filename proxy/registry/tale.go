package registry

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// tale is what a person may want to know of how a download went.
type tale struct {
	mu    sync.Mutex
	bytes map[string]int64  // by source
	told  map[string]int64  // of them, those in somebody's event
	ways  map[string]string // by source, the latest
	turns []turn            // what went wrong, in order
	last  sample
}

// turn is one thing that went wrong.
type turn struct {
	source, what string
	at           time.Time
}

func (t turn) String() string { return t.source + ": " + t.what }

// maxTurns is as much as anybody reads.
const maxTurns = 8

// add takes down what went wrong, once.
func (t *tale) add(name, what string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known := slices.ContainsFunc(t.turns, func(o turn) bool { return o.source == name && o.what == what })
	if len(t.turns) < maxTurns && !known {
		t.turns = append(t.turns, turn{name, what, now})
	}
}

func (t *tale) went(name, way string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ways == nil {
		t.ways = map[string]string{}
	}
	t.ways[name] = way
}

func (t *tale) brought(name string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bytes == nil {
		t.bytes = map[string]int64{}
	}
	t.bytes[name] += int64(n)
}

// bill is what came since it was last called, by source; nil for nothing. Over
// all calls it sums up to the traffic.
func (t *tale) bill() (since map[string]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, n := range t.bytes {
		if n == t.told[name] {
			continue
		}
		if since == nil {
			since = map[string]int64{}
		}
		since[name] = n - t.told[name]
	}
	if since != nil {
		t.told = maps.Clone(t.bytes)
	}
	return since
}

func sum(bytes map[string]int64) (n int64) {
	for _, m := range bytes {
		n += m
	}
	return n
}

// sources are those that brought bytes, most first: "origin", "daocloud+origin".
func (t *tale) sources() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(ranked(t.bytes), "+")
}

// way is how the connections went: "direct 192.0.2.1", or with several sources
// "origin direct 192.0.2.1, daocloud egress jump".
func (t *tale) way() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []string
	for _, name := range slices.Sorted(maps.Keys(t.ways)) {
		way := t.ways[name]
		if len(t.ways) > 1 {
			way = name + " " + way
		}
		list = append(list, way)
	}
	return strings.Join(list, ", ")
}

// troubles are what went wrong, on one line.
func (t *tale) troubles() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []string
	for _, turn := range t.turns {
		list = append(list, turn.String())
	}
	return strings.Join(list, "; ")
}

// failures are what went wrong, and when.
func (t *tale) failures() []turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.turns)
}

// sample is how fast a download was when it was last looked at. It is taken by
// those who look: the bytes themselves pay nothing for it.
type sample struct {
	at    time.Time
	bytes map[string]int64 // by source
	rate  float64          // bytes a second
	from  []string         // who brought some of it, who brought most first
}

// sampleEvery is how long is looked at, at least.
const sampleEvery = 500 * time.Millisecond

// pace is how fast bytes have come of late, and from whom.
func (t *tale) pace(begun, now time.Time) (rate float64, from []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := t.last
	if last.at.IsZero() {
		last.at = begun
	}
	d := now.Sub(last.at)
	if d < sampleEvery && last.rate > 0 || d <= 0 {
		return last.rate, last.from
	}
	came := map[string]int64{}
	for name, n := range t.bytes {
		if n -= last.bytes[name]; n > 0 {
			came[name] = n
		}
	}
	rate, from = float64(sum(came))/d.Seconds(), ranked(came)
	if d < sampleEvery {
		return rate, from
	}
	if last.rate > 0 && rate > 0 {
		rate = (last.rate + rate) / 2
	}
	t.last = sample{at: now, bytes: maps.Clone(t.bytes), rate: rate, from: from}
	return rate, from
}

// ranked are the names of those with bytes, who has most first.
func ranked(bytes map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(bytes), func(a, b string) int {
		return cmp.Or(cmp.Compare(bytes[b], bytes[a]), cmp.Compare(a, b))
	})
}
