// Package lapse has a table for what counts for a while only: tokens, rights that
// were seen to be granted, what a client was given a moment ago. A daemon runs for
// weeks and is asked by others, so such a table must not grow with all that ever
// went by, and need not be searched each time something is put into it.
package lapse

import "maps"

// Map is a table of values that lapse, at most so many. It is not safe for use by
// several at once: whoever has one has a lock for it.
type Map[K comparable, V any] struct {
	most   int
	lapsed func(V) bool
	sweep  int // entries at which it is next searched for those that have lapsed
	of     map[K]V
}

// least is how many entries are not worth a search.
const least = 64

// New makes an empty one for at most so many entries. lapsed says of a value that
// it counts no more; it is asked at the time.
func New[K comparable, V any](most int, lapsed func(V) bool) *Map[K, V] {
	return &Map[K, V]{most: most, lapsed: lapsed, sweep: min(least, most), of: map[K]V{}}
}

// Get is the value of k, if there is one that has not lapsed.
func (m *Map[K, V]) Get(k K) (v V, ok bool) {
	v, ok = m.of[k]
	if ok && m.lapsed(v) {
		delete(m.of, k)
		return *new(V), false
	}
	return v, ok
}

// Put sets the value of k. What has lapsed goes each time twice as much has come
// together as was left before; if there are too many that have not, a quarter of
// them goes, any quarter.
func (m *Map[K, V]) Put(k K, v V) {
	if len(m.of) >= m.sweep {
		if _, there := m.of[k]; !there {
			m.clean()
		}
	}
	m.of[k] = v
}

func (m *Map[K, V]) clean() {
	maps.DeleteFunc(m.of, func(_ K, v V) bool { return m.lapsed(v) })
	if len(m.of) >= m.most {
		for k := range m.of {
			if len(m.of) <= m.most-m.most/4-1 {
				break
			}
			delete(m.of, k)
		}
	}
	m.sweep = min(max(2*len(m.of), least), m.most)
	left := make(map[K]V, m.sweep) // a map that was large stays so
	maps.Copy(left, m.of)
	m.of = left
}

// Delete drops k, and reports whether it was there, lapsed or not.
func (m *Map[K, V]) Delete(k K) bool {
	_, there := m.of[k]
	delete(m.of, k)
	return there
}

// DeleteFunc drops all entries that del holds of.
func (m *Map[K, V]) DeleteFunc(del func(K, V) bool) { maps.DeleteFunc(m.of, del) }
