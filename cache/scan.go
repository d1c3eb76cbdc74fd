package cache

import (
	"bytes"
	"errors"
	"slices"

	"go.etcd.io/bbolt"
)

var errEnough = errors.New("enough")

// scan calls f for the keys of a table that begin with prefix, from a key on, in
// order, until f says no. f must neither keep what it is given nor change the
// table. Needs mu.
func (s *store) scan(t table, prefix, from []byte, f func(k, v []byte) bool) {
	if bytes.Compare(from, prefix) < 0 {
		from = prefix
	}
	fresh := s.freshKeys(t, prefix, from)
	// emit hands out the changed keys before k; nil: all of them.
	emit := func(k []byte) bool {
		for len(fresh) > 0 && (k == nil || fresh[0] < string(k)) {
			name := fresh[0]
			fresh = fresh[1:]
			if !f([]byte(name), s.mem[t][name].val) {
				return false
			}
		}
		return true
	}
	var err error
	if s.db != nil {
		err = s.look(t, func(b *bbolt.Bucket) error {
			c := b.Cursor()
			for k, v := c.Seek(from); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
				if _, changed := s.mem[t][string(k)]; changed {
					continue
				}
				if !emit(k) || !f(k, v) {
					return errEnough
				}
			}
			return nil
		})
	}
	switch {
	case errors.Is(err, errEnough):
	case err != nil:
		s.lose(err)
	default:
		emit(nil)
	}
}

// freshKeys are the keys that are not in the file as they are now, sorted.
func (s *store) freshKeys(t table, prefix, from []byte) []string {
	var out []string
	for k, p := range s.mem[t] {
		if !p.gone && k >= string(from) && len(k) >= len(prefix) && k[:len(prefix)] == string(prefix) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// batches calls f with the keys and values of a table, some at a time, and lets
// go of mu in between, so that nobody waits for the whole. A key that comes
// behind is seen, one that comes before is not.
func (s *store) batches(t table, n int, f func(k, v []byte)) {
	var from []byte
	for more := true; more; {
		more = false
		left := n
		s.mu.Lock()
		s.scan(t, nil, from, func(k, v []byte) bool {
			if left--; left < 0 {
				from, more = slices.Clone(k), true
				return false
			}
			f(k, v)
			return true
		})
		s.mu.Unlock()
	}
}
