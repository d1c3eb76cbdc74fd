package cache

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// store remembers of each blob its stamp and its last use, in the order of use.
//
// It is a bbolt file: one file beside the blobs, no server and no cgo; opening
// it reads a few pages however many blobs there are, a lookup goes through the
// page cache and takes no memory of ours, and the oldest blob is the first key
// of a bucket. SQLite without cgo would be several megabytes of program for two
// tables.
//
// Nothing in it is needed: without it blobs are hashed before they are served
// for the first time, and the order of use begins anew. So changes are collected
// in memory and written together, a full disk only delays them, and a damaged
// file is put aside and built again from the blobs.
type store struct {
	path string
	log  *slog.Logger

	flushing sync.Mutex // one writer; taken before mu

	mu    sync.Mutex
	db    *bbolt.DB // nil: nothing but mem
	mem   map[key]change
	seq   uint64
	total int64 // bytes of all blobs
	count int64
}

// change is a record not yet in the file.
type change struct {
	record
	gone bool
	seq  uint64
}

var (
	bucketBlobs = []byte("blobs") // digest → record
	bucketUsed  = []byte("used")  // last use, digest → nothing
	bucketMeta  = []byte("meta")
	keyState    = []byte("state") // version, clean, total, count
)

const (
	storeVersion  = 1
	checkedAtOpen = 4 << 20 // a file up to this size is read through at each start
)

var errDamaged = errors.New("damaged")

// openStore opens the file at path. fresh is true when what it holds must be
// compared with the blobs: it is new, or was not closed properly. It never
// fails: at worst everything stays in memory.
func openStore(path string, log *slog.Logger) (s *store, fresh bool) {
	s = &store{path: path, log: log, mem: make(map[key]change)}
	return s, s.open()
}

func (s *store) open() (fresh bool) {
	for range 2 {
		clean, err := s.tryOpen()
		if err == nil {
			return !clean
		}
		if _, serr := os.Lstat(s.path); serr != nil || isNoSpace(err) {
			s.log.Warn("cache: no database for now", "err", err)
			return true
		}
		s.log.Warn("cache: database put aside, building it again", "path", s.path, "err", err)
		s.putAside()
	}
	return true
}

func (s *store) putAside() {
	aside := s.path + ".damaged"
	_ = os.RemoveAll(aside)
	_ = os.Rename(s.path, aside)
}

func (s *store) tryOpen() (clean bool, err error) {
	var db *bbolt.DB
	err = guarded(func() error {
		var err error
		db, err = bbolt.Open(s.path, fileMode, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType, PreLoadFreelist: true})
		return err
	})
	if err != nil {
		return false, err
	}
	err = guarded(func() error { return db.Update(s.prepare(&clean)) })
	if err == nil {
		if fi, serr := os.Stat(s.path); !clean || serr != nil || fi.Size() <= checkedAtOpen {
			err = guarded(func() error { return db.View(s.check) })
		}
	}
	if err != nil {
		_ = guarded(db.Close)
		return false, err
	}
	s.db = db
	return clean, nil
}

// prepare reads the state and marks it as in use.
func (s *store) prepare(clean *bool) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		for _, b := range [][]byte{bucketBlobs, bucketUsed, bucketMeta} {
			if _, err := tx.CreateBucketIfNotExists(b); err != nil {
				return err
			}
		}
		v := tx.Bucket(bucketMeta).Get(keyState)
		if len(v) != 0 && (len(v) != 18 || v[0] != storeVersion) {
			return fmt.Errorf("another version's: %w", errDamaged)
		}
		if len(v) == 18 {
			*clean = v[1] == 1
			s.total, s.count = int64(binary.BigEndian.Uint64(v[2:])), int64(binary.BigEndian.Uint64(v[10:]))
		}
		return s.putState(tx, false, s.total, s.count)
	}
}

func (s *store) putState(tx *bbolt.Tx, clean bool, total, count int64) error {
	v := []byte{storeVersion, 0}
	if clean {
		v[1] = 1
	}
	v = binary.BigEndian.AppendUint64(v, uint64(total))
	return tx.Bucket(bucketMeta).Put(keyState, binary.BigEndian.AppendUint64(v, uint64(count)))
}

// check reads everything once.
func (s *store) check(tx *bbolt.Tx) error {
	blobs, used := 0, 0
	err := tx.Bucket(bucketBlobs).ForEach(func(k, v []byte) error {
		blobs++
		if r, ok := decodeRecord(v); len(k) != len(key{}) || !ok || tx.Bucket(bucketUsed).Get(usedKey(key(k), r.used)) == nil {
			return errDamaged
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = tx.Bucket(bucketUsed).ForEach(func(k, _ []byte) error {
		used++
		return nil
	})
	if err == nil && used != blobs {
		err = errDamaged
	}
	return err
}

// guarded turns what bbolt does on a damaged file into an error: it panics on
// impossible pages, and reading a file that became shorter than its map faults.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return f()
}

// get looks a blob up.
func (s *store) get(k key) (record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lookup(k)
}

func (s *store) lookup(k key) (r record, ok bool) {
	if c, changed := s.mem[k]; changed {
		return c.record, !c.gone
	}
	if s.db == nil {
		return record{}, false
	}
	err := guarded(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			v := tx.Bucket(bucketBlobs).Get(k[:])
			if v == nil {
				return nil
			}
			if r, ok = decodeRecord(v); !ok {
				return errDamaged
			}
			return nil
		})
	})
	if err != nil {
		s.lose(err)
		return record{}, false
	}
	return r, ok
}

// lose gives up a database that turned out damaged. The next flush builds it
// again. It is not closed: a transaction that panicked or faulted may hold
// bbolt's locks for ever, and a map and a descriptor are a small price. Needs mu.
func (s *store) lose(err error) {
	s.log.Warn("cache: database damaged, building it again", "path", s.path, "err", err)
	s.db = nil
	s.putAside()
}

func (s *store) put(k key, r record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.lookup(k); ok {
		s.total -= old.size
		s.count--
	}
	s.total += r.size
	s.count++
	s.change(k, r, false)
}

func (s *store) remove(k key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.lookup(k); ok {
		s.total -= old.size
		s.count--
		s.change(k, record{}, true)
	}
}

func (s *store) change(k key, r record, gone bool) {
	s.seq++
	s.mem[k] = change{record: r, gone: gone, seq: s.seq}
}

func (s *store) totals() (size, count int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total, s.count
}

func (s *store) pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.mem)
}

// use is a blob and when it was last used.
type use struct {
	key  key
	size int64
	used int64
}

// oldest returns about n blobs that were not used for longest, oldest first,
// without those that skip names.
func (s *store) oldest(n int, skip func(key) bool) []use {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []use
	for k, c := range s.mem {
		if !c.gone && !skip(k) {
			out = append(out, use{k, c.size, c.used})
		}
	}
	if s.db != nil {
		if err := guarded(func() error { return s.db.View(s.oldestInFile(n, skip, &out)) }); err != nil {
			s.lose(err)
		}
	}
	slices.SortFunc(out, func(a, b use) int { return cmp.Compare(a.used, b.used) })
	return out[:min(n, len(out))]
}

func (s *store) oldestInFile(n int, skip func(key) bool, out *[]use) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		blobs, c := tx.Bucket(bucketBlobs), tx.Bucket(bucketUsed).Cursor()
		for u, _ := c.First(); u != nil && n > 0; u, _ = c.Next() {
			if len(u) != 8+len(key{}) {
				return errDamaged
			}
			k := key(u[8:])
			if _, changed := s.mem[k]; changed || skip(k) {
				continue
			}
			r, ok := decodeRecord(blobs.Get(k[:]))
			if !ok {
				return errDamaged
			}
			*out = append(*out, use{k, r.size, r.used})
			n--
		}
		return nil
	}
}

// close writes what is left and closes the file.
func (s *store) close() error {
	_, err := s.flush(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db != nil {
		err = errors.Join(err, guarded(s.db.Close))
		s.db = nil
	}
	return err
}
