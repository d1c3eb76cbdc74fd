package cache

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"
)

// atOnce is how many changes one transaction takes: bbolt keeps what a
// transaction touches in memory and splits pages only at its end.
const atOnce = 1 << 13

// pendingChange is a change and whose it is.
type pendingChange struct {
	key key
	change
}

// flush writes what changed. It reports whether the database was built again
// and must be compared with the blobs.
func (s *store) flush(clean bool) (fresh bool, err error) {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	s.mu.Lock()
	if s.db == nil {
		total, count := s.total, s.count
		fresh = s.open()
		s.total, s.count = total, count
	}
	db, total, count := s.db, s.total, s.count
	batch := make([]pendingChange, 0, len(s.mem))
	for k, c := range s.mem {
		batch = append(batch, pendingChange{k, c})
	}
	s.mu.Unlock()
	if db == nil || (len(batch) == 0 && !clean) {
		return fresh, nil
	}
	// In the order of the keys, new ones go to the end of a page and not into
	// its middle.
	slices.SortFunc(batch, func(a, b pendingChange) int { return bytes.Compare(a.key[:], b.key[:]) })
	for {
		n := min(atOnce, len(batch))
		last := n == len(batch)
		err := s.apply(db, batch[:n], clean && last, total, count)
		if errors.Is(err, errDamaged) {
			return true, err
		}
		if err != nil || last { // an error is a full disk, most likely: it stays in memory
			return fresh, err
		}
		batch = batch[n:]
	}
}

// apply writes some changes and takes them out of memory.
func (s *store) apply(db *bbolt.DB, batch []pendingChange, clean bool, total, count int64) error {
	err := guarded(func() error {
		return db.Update(func(tx *bbolt.Tx) error {
			if err := applyChanges(tx, batch); err != nil {
				return err
			}
			return s.putState(tx, clean, total, count)
		})
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(err, errDamaged) && s.db == db {
		s.lose(err)
	}
	if err != nil {
		return err
	}
	for _, c := range batch {
		if s.mem[c.key].seq == c.seq {
			delete(s.mem, c.key)
		}
	}
	return nil
}

func applyChanges(tx *bbolt.Tx, batch []pendingChange) error {
	blobs, used := tx.Bucket(bucketBlobs), tx.Bucket(bucketUsed)
	var fresh [][]byte
	for _, c := range batch {
		if v := blobs.Get(c.key[:]); v != nil {
			old, ok := decodeRecord(v)
			if !ok {
				return errDamaged
			}
			if err := used.Delete(usedKey(c.key, old.used)); err != nil {
				return err
			}
		}
		if c.gone {
			if err := blobs.Delete(c.key[:]); err != nil {
				return err
			}
			continue
		}
		if err := blobs.Put(c.key[:], encodeRecord(c.record)); err != nil {
			return err
		}
		fresh = append(fresh, usedKey(c.key, c.used))
	}
	slices.SortFunc(fresh, bytes.Compare)
	for _, k := range fresh {
		if err := used.Put(k, []byte{}); err != nil {
			return err
		}
	}
	return nil
}

// reconcile makes the store agree with the files in dir: blobs it does not know
// are added without a stamp, those that have gone are forgotten.
func (s *store) reconcile(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	present := make(map[key]fs.DirEntry, len(entries))
	for _, e := range entries {
		if k, ok := parseHex(e.Name()); ok && e.Type().IsRegular() {
			present[k] = e
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.all()
	s.total, s.count = 0, 0
	for k, r := range known {
		if _, ok := present[k]; ok || s.exists(dir, k) {
			s.total += r.size
			s.count++
		} else {
			s.change(k, record{}, true)
		}
	}
	for k, e := range present {
		if _, ok := known[k]; ok {
			continue
		}
		fi, err := e.Info()
		if err != nil {
			continue
		}
		s.total += fi.Size()
		s.count++
		s.change(k, record{stamp: stamp{size: fi.Size()}, used: fi.ModTime().UnixNano()}, false)
	}
	return nil
}

// exists looks again for a blob that the listing lacked: it may have come since.
func (s *store) exists(dir string, k key) bool {
	_, err := os.Lstat(filepath.Join(dir, k.hex()))
	return err == nil
}

// all returns every record. Needs mu.
func (s *store) all() map[key]record {
	known := make(map[key]record)
	if s.db != nil {
		err := guarded(func() error {
			return s.db.View(func(tx *bbolt.Tx) error {
				return tx.Bucket(bucketBlobs).ForEach(func(k, v []byte) error {
					r, ok := decodeRecord(v)
					if !ok || len(k) != len(key{}) {
						return errDamaged
					}
					known[key(k)] = r
					return nil
				})
			})
		})
		if err != nil {
			s.lose(err)
		}
	}
	for k, c := range s.mem {
		if c.gone {
			delete(known, k)
		} else {
			known[k] = c.record
		}
	}
	return known
}
