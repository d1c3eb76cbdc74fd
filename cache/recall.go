package cache

import (
	"sync"
	"time"
)

// recall keeps what was read from small files and will be asked for again: manifests,
// and what tags stand for. What it knows of a file holds while that looks as it did,
// which one stat tells; to open, read and parse it takes ten times as long. What
// somebody else does to it shows within trusted.
type recall[K comparable, V any] struct {
	max int64 // bytes of everything together

	mu   sync.Mutex
	size int64
	by   map[K]recalled[V]
}

type recalled[V any] struct {
	value  V
	path   string
	stamp  stamp
	size   int64
	looked time.Time // at the file
}

// trusted is how long a file that was looked at is taken to be as it was: a stat for
// each of thousands of requests a second costs as much as their answers.
const trusted = 10 * time.Millisecond

// get is what was noted of id, if its file is still the same.
func (r *recall[K, V]) get(id K) (value V, ok bool) {
	r.mu.Lock()
	e, ok := r.by[id]
	r.mu.Unlock()
	if !ok {
		return value, false
	}
	now := time.Now()
	if now.Sub(e.looked) < trusted {
		return e.value, true
	}
	if st, err := stampAt(e.path); err != nil || st != e.stamp {
		return value, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if have, ok := r.by[id]; ok && have.stamp == e.stamp {
		have.looked = now
		r.by[id] = have
	}
	return e.value, true
}

// forget is for who removes a file.
func (r *recall[K, V]) forget(id K) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.size -= r.by[id].size
	delete(r.by, id)
}

// forgetAll is for who changes files.
func (r *recall[K, V]) forgetAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.by, r.size = nil, 0
}

// settled is how long ago a file must have changed for its stamp to tell it from what
// is written next: file systems count time in steps.
const settled = time.Second

// note keeps what was read now from the file at path. st was taken before it was read,
// so that whoever writes meanwhile makes it another one. size is what value takes up.
func (r *recall[K, V]) note(now time.Time, id K, value V, path string, st stamp, size int64) {
	if now.Sub(time.Unix(0, max(st.mtime, st.ctime))) < settled || size > r.max/16 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil || r.size+size > r.max {
		r.by, r.size = make(map[K]recalled[V]), 0
	}
	r.size += size - r.by[id].size
	r.by[id] = recalled[V]{value: value, path: path, stamp: st, size: size}
}
