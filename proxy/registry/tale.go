package registry

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
)

// tale is what a person may want to know of how a download went.
type tale struct {
	mu    sync.Mutex
	bytes map[string]int64  // by source
	told  map[string]int64  // of them, those in somebody's event
	ways  map[string]string // by source, the latest
	turns []string          // what went wrong, in order
}

// maxTurns is as much as anybody reads.
const maxTurns = 8

func (t *tale) add(name, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if turn := name + ": " + what; len(t.turns) < maxTurns && !slices.Contains(t.turns, turn) {
		t.turns = append(t.turns, turn)
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
	names := slices.SortedFunc(maps.Keys(t.bytes), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.bytes[b], t.bytes[a]), cmp.Compare(a, b))
	})
	return strings.Join(names, "+")
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
	return strings.Join(t.turns, "; ")
}
