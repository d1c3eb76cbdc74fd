package cache

import "time"

// get looks up a blob that is stored.
func (s *store) get(k key) (record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.blob(k)
	return r, r.stored
}

// blob is what is known of a blob, stored or not. Needs mu.
func (s *store) blob(k key) (r record) {
	s.view(tableBlobs, k[:], func(v []byte) error {
		var ok bool
		if r, ok = decodeRecord(v); !ok {
			return errDamaged
		}
		return nil
	})
	if _, ours := s.mem[tableBlobs][string(k[:])]; s.frozen && !ours {
		r.stamped = false // who wrote that is not known
	}
	return r
}

// setBlob changes what is known of a blob, and with it the order of those that
// belong to no image and the totals. Needs mu.
func (s *store) setBlob(k key, r record) { s.change(k, s.blob(k), r) }

// change is setBlob for those who have just asked what is known. Needs mu.
func (s *store) change(k key, old, r record) {
	if old.stored {
		s.total -= old.size
		s.count--
	}
	if r.stored {
		s.total += r.size
		s.count++
	}
	wasLoose, loose := old.stored && old.refs == 0, r.stored && r.refs == 0
	if wasLoose && (!loose || old.used != r.used) {
		s.unset(tableLoose, timeKey(old.used, k[:]))
	}
	if loose && (!wasLoose || old.used != r.used) {
		s.set(tableLoose, timeKey(r.used, k[:]), []byte{})
	}
	if !r.stored && r.refs == 0 {
		s.unset(tableBlobs, k[:])
		return
	}
	s.set(tableBlobs, k[:], encodeRecord(r))
}

// put notes that a blob is stored: its stamp and times are r's; who brought it is
// who did first.
func (s *store) put(k key, r record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.blob(k)
	r.stored = true
	r.refs, r.manifest = old.refs, old.manifest
	if old.stored {
		r.from = old.from
	}
	r.proved = max(r.proved, old.proved)
	s.change(k, old, r)
}

// touch notes a use.
func (s *store) touch(k key, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.blob(k); old.stored && old.used < at.UnixNano() {
		r := old
		r.used = at.UnixNano()
		s.change(k, old, r)
	}
}

// remove notes that a blob is not stored any more.
func (s *store) remove(k key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.blob(k); old.stored {
		s.change(k, old, record{refs: old.refs, manifest: old.manifest})
	}
}

func (s *store) totals() (size, count int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total, s.count
}

// use is a blob and when it was last used.
type use struct {
	key  key
	size int64
	used int64
}

// loose returns about n blobs of no image that were not used for longest, oldest
// first, without those that skip names.
func (s *store) loose(n int, skip func(key) bool) (out []use) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scan(tableLoose, nil, nil, func(k, _ []byte) bool {
		if len(k) != 8+len(key{}) {
			return true
		}
		if b := key(k[8:]); !skip(b) {
			out = append(out, use{key: b, used: timeOf(k)})
		}
		return len(out) < n
	})
	for i := range out {
		out[i].size = s.blob(out[i].key).size
	}
	return out
}
