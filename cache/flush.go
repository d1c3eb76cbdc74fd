package cache

import (
	"errors"
	"slices"

	"go.etcd.io/bbolt"
)

// flushSoonAt is how many changes are written without waiting for more: bbolt
// keeps what a transaction touches in memory and splits pages only at its end.
const flushSoonAt = 1 << 13

// change is a pending value and whose it is.
type change struct {
	key string
	pending
}

// changes is everything that one flush writes.
type changes struct {
	of           [tables][]change
	total, count int64
}

// flush writes what changed, in one transaction. It reports whether the file is
// another one than before and must be compared with the blobs. One that was lost
// waits for restart.
func (s *store) flush(clean bool) (fresh bool, err error) {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	s.mu.Lock()
	if s.gone || s.frozen {
		s.mu.Unlock()
		return false, nil
	}
	if s.db == nil {
		total, count := s.total, s.count
		fresh = s.open()
		s.total, s.count = total, count
	}
	db := s.db
	var all changes
	n := 0
	for t, mem := range s.mem {
		for k, p := range mem {
			all.of[t] = append(all.of[t], change{k, p})
		}
		n += len(mem)
	}
	all.total, all.count = s.total, s.count
	s.mu.Unlock()
	if db == nil || (n == 0 && !clean) {
		return fresh, nil
	}
	err = s.apply(db, all, clean)
	return fresh, err
}

// apply writes changes and takes them out of memory. An error is a full disk, most
// likely: then they stay there.
func (s *store) apply(db *bbolt.DB, all changes, clean bool) error {
	err := guarded(func() error {
		return db.Update(func(tx *bbolt.Tx) error {
			for t, some := range all.of {
				if err := applyTo(tx.Bucket(bucketNames[t]), some); err != nil {
					return err
				}
			}
			return s.putState(tx, clean, all.total, all.count)
		})
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.db != db: // given up meanwhile, and what is in memory is of another life
		return errDamaged
	case errors.Is(err, errDamaged):
		s.lose(err)
		return err
	case err != nil:
		return err
	}
	for t, some := range all.of {
		for _, c := range some {
			if s.mem[t][c.key].seq == c.seq {
				delete(s.mem[t], c.key)
			}
		}
	}
	return nil
}

// applyTo writes the changes of one table, in the order of the keys: new ones go
// to the end of a page then and not into its middle.
func applyTo(b *bbolt.Bucket, some []change) error {
	slices.SortFunc(some, func(a, b change) int {
		switch {
		case a.key < b.key:
			return -1
		case a.key > b.key:
			return 1
		}
		return 0
	})
	for _, c := range some {
		var err error
		if c.gone {
			err = b.Delete([]byte(c.key))
		} else {
			err = b.Put([]byte(c.key), c.val)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
