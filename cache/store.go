package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// store is the file cache.db: what is known of blobs and images, in tables of
// sorted keys.
//
// It is a bbolt file: one file beside the blobs, no server and no cgo; opening
// it reads a few pages however many blobs there are, a lookup goes through the
// page cache and takes no memory of ours, and what was not used for longest is
// the first key of a table. SQLite without cgo would be several megabytes of
// program for a few tables.
//
// Nothing in it is needed: it is built again from blobs and refs, and lost are
// only stamps (blobs are hashed before they are served for the first time),
// times of use and counts of bytes. So changes are collected in memory and
// written together, a full disk only delays them, and a damaged file is put
// aside.
//
// One flush is one transaction, and it takes what was changed between two
// operations, never in the middle of one: after a kill the file holds what was
// true at some moment of the last seconds, so that reference counts fit the
// images.
type store struct {
	path string
	log  *slog.Logger

	flushing sync.Mutex // one writer; taken before mu

	mu    sync.Mutex  // held for the whole of an operation
	db    *bbolt.DB   // nil: nothing but mem
	file  os.FileInfo // of db, when it was opened
	read  *reads      // while reading
	mem   [tables]map[string]pending
	seq   uint64
	total int64 // bytes of all blobs
	count int64
	gone  bool // lose was called, and nobody has built it again

	frozen bool // the file is not to be changed: all that changes stays in mem
	quick  bool // the file is not synced: for tests of what needs no disk
}

// pending is a value not yet in the file.
type pending struct {
	val  []byte
	gone bool
	seq  uint64
}

// table is one of the file's buckets.
type table int

const (
	tableBlobs   table = iota // digest → record
	tableLoose                // last use, digest: stored blobs of no image
	tableLinks                // digest of a manifest → what it points at
	tableRefs                 // repository 0 tag, or repository 0 @digest → digest, pinned
	tableImages               // repository 0 digest → image
	tableOrder                // last use, image: images that may be evicted
	tableFolders              // repository → time of its folder when its refs were read
	tables
)

var bucketNames = [tables][]byte{[]byte("blobs"), []byte("used"), []byte("links"), []byte("refs"), []byte("images"), []byte("order"), []byte("folders")}

var (
	bucketMeta = []byte("meta")
	keyState   = []byte("state") // version, clean, total, count
)

const (
	// storeVersion 2 has images. A file of version 1 has only blobs, all of them
	// of no image: read as version 2 it is right, and all refs are still to come.
	storeVersion  = 2
	checkedAtOpen = 4 << 20 // a file up to this size is read through at each start
)

var errDamaged = errors.New("damaged")

// openStore opens the file at path. fresh is true when what it holds must be
// compared with the blobs: it is new, or was not closed properly. It never
// fails: at worst everything stays in memory.
func openStore(path string, frozen, quick bool, log *slog.Logger) (s *store, fresh bool) {
	s = &store{path: path, frozen: frozen, quick: quick, log: log}
	for t := range s.mem {
		s.mem[t] = make(map[string]pending)
	}
	return s, s.open()
}

func (s *store) open() (fresh bool) {
	if s.frozen {
		return openFrozen(s)
	}
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
	if s.frozen {
		return
	}
	aside := s.path + ".damaged"
	_ = os.RemoveAll(aside)
	_ = os.Rename(s.path, aside)
}

func (s *store) tryOpen() (clean bool, err error) {
	s.total, s.count = 0, 0
	var db *bbolt.DB
	err = guarded(func() error {
		var err error
		db, err = bbolt.Open(s.path, fileMode, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType, PreLoadFreelist: true, NoSync: s.quick})
		return err
	})
	if err != nil {
		return false, err
	}
	err = guarded(func() error { return db.Update(s.prepare(&clean)) })
	if err == nil {
		if fi, serr := os.Stat(s.path); serr != nil || fi.Size() <= checkedAtOpen {
			err = guarded(func() error { return db.View(s.check) })
		}
	}
	if err != nil {
		_ = guarded(db.Close)
		return false, err
	}
	s.db = db
	s.file, _ = os.Stat(s.path)
	return clean, nil
}

// prepare reads the state and marks it as in use.
func (s *store) prepare(clean *bool) func(*bbolt.Tx) error {
	return func(tx *bbolt.Tx) error {
		for _, b := range append(bucketNames[:], bucketMeta) {
			if _, err := tx.CreateBucketIfNotExists(b); err != nil {
				return err
			}
		}
		var err error
		if *clean, err = s.readState(tx); err != nil {
			return err
		}
		return s.putState(tx, false, s.total, s.count)
	}
}

func (s *store) readState(tx *bbolt.Tx) (clean bool, err error) {
	v := tx.Bucket(bucketMeta).Get(keyState)
	if len(v) != 0 && (len(v) != 18 || v[0] < 1 || v[0] > storeVersion) {
		return false, fmt.Errorf("another version's: %w", errDamaged)
	}
	if len(v) == 18 {
		clean = v[1] == 1
		s.total, s.count = int64(binary.BigEndian.Uint64(v[2:])), int64(binary.BigEndian.Uint64(v[10:]))
	}
	return clean, nil
}

func (s *store) putState(tx *bbolt.Tx, clean bool, total, count int64) error {
	v := []byte{storeVersion, 0}
	if clean {
		v[1] = 1
	}
	v = binary.BigEndian.AppendUint64(v, uint64(total))
	return tx.Bucket(bucketMeta).Put(keyState, binary.BigEndian.AppendUint64(v, uint64(count)))
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

// view calls f with the value of a key, if it has one. f must not keep it. Needs
// mu.
func (s *store) view(t table, k []byte, f func(v []byte) error) {
	var err error
	if p, changed := s.mem[t][string(k)]; changed {
		if !p.gone {
			err = f(p.val)
		}
	} else if s.db != nil {
		err = s.look(t, func(b *bbolt.Bucket) error {
			if v := b.Get(k); v != nil {
				return f(v)
			}
			return nil
		})
	}
	if err != nil {
		s.lose(err)
	}
}

// reads is a transaction that reads, and what it has opened.
type reads struct {
	tx *bbolt.Tx
	of [tables]*bbolt.Bucket
}

// look calls f with a table's bucket, to read. Needs mu and db.
func (s *store) look(t table, f func(*bbolt.Bucket) error) error {
	return guarded(func() error {
		if r := s.read; r != nil {
			if r.of[t] == nil {
				r.of[t] = r.tx.Bucket(bucketNames[t])
			}
			return f(r.of[t])
		}
		return s.db.View(func(tx *bbolt.Tx) error { return f(tx.Bucket(bucketNames[t])) })
	})
}

// reading has all that f looks up read in one transaction, which costs less than
// one for each. Nobody else may need mu for long meanwhile. Needs mu.
func (s *store) reading(f func()) {
	if s.db == nil || s.read != nil {
		f()
		return
	}
	err := guarded(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			s.read = &reads{tx: tx}
			defer func() { s.read = nil }()
			f()
			return nil
		})
	})
	if err != nil && s.db != nil {
		s.lose(err)
	}
}

// set changes a value; v is kept. Needs mu.
func (s *store) set(t table, k, v []byte) {
	s.seq++
	s.mem[t][string(k)] = pending{val: v, seq: s.seq}
}

// unset removes a key. Needs mu.
func (s *store) unset(t table, k []byte) {
	if s.frozen && !s.inFile(t, k) { // nothing is ever written, so that nothing of it would ever go
		delete(s.mem[t], string(k))
		return
	}
	s.seq++
	s.mem[t][string(k)] = pending{gone: true, seq: s.seq}
}

// inFile reports whether the file has a key. Needs mu.
func (s *store) inFile(t table, k []byte) (has bool) {
	if s.db == nil {
		return false
	}
	err := s.look(t, func(b *bbolt.Bucket) error {
		has = b.Get(k) != nil
		return nil
	})
	if err != nil {
		s.lose(err)
	}
	return has
}

// pending is how much is not written yet.
func (s *store) pending() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range s.mem {
		n += len(s.mem[t])
	}
	return n
}

// lose gives up a database that turned out damaged. The next flush builds it
// again; until then what was not written yet is all that is known, and of that
// only the blobs: counts and images that rest on what was lost are worth nothing.
// The file is not closed: a transaction that panicked or faulted may hold bbolt's
// locks for ever, and a map and a descriptor are a small price. Needs mu.
func (s *store) lose(err error) {
	s.log.Warn("cache: database damaged, building it again", "path", s.path, "err", err)
	s.db = nil
	s.putAside()
	s.reset()
	s.gone = true
}

// reset forgets all but the blobs that are not written yet. Needs mu.
func (s *store) reset() {
	blobs := s.mem[tableBlobs]
	for t := range s.mem {
		s.mem[t] = make(map[string]pending)
	}
	s.total, s.count = 0, 0
	for k, p := range blobs {
		if r, ok := decodeRecord(p.val); ok && r.stored {
			r.refs, r.manifest = 0, false
			s.setBlob(key([]byte(k)), r)
		}
	}
}

// lost reports whether the database was lost and not built again.
func (s *store) lost() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone
}

// restart is for building it again: an operation in which it was lost may have
// left something behind.
func (s *store) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		s.reset()
		s.gone = false
	}
}

// close writes what is left and closes the file.
func (s *store) close(clean bool) error {
	_, err := s.flush(clean)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db != nil {
		err = errors.Join(err, guarded(s.db.Close))
		s.db = nil
	}
	return err
}
