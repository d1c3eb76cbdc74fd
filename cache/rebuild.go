package cache

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
)

// rebuilding says whether the catalogue is complete.
type rebuilding struct {
	mu   sync.Mutex
	done chan struct{} // closed: it is
	cut  atomic.Bool   // the end of the process came first
}

const (
	// openSteps is how many files a start looks at before it lets the rest go on
	// behind it.
	openSteps   = 10_000
	folderSteps = 10 // a folder costs more than a file
	listed      = 4096
)

// begin makes the catalogue incomplete until the result is called.
func (r *rebuilding) begin() (end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	done := make(chan struct{})
	r.done = done
	return sync.OnceFunc(func() { close(done) })
}

func (r *rebuilding) wait() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.done
}

// ready reports whether the catalogue is complete.
func (c *Cache) ready() bool {
	select {
	case <-c.rebuilding.wait():
		return true
	default:
		return false
	}
}

func (c *Cache) awaitReady() error {
	select {
	case <-c.rebuilding.wait():
	case <-c.stopping():
	}
	if c.isClosed() || c.isDetached() {
		return ErrClosed
	}
	return nil
}

// restore builds the database again after it was lost.
func (c *Cache) restore() error {
	defer c.rebuilding.begin()()
	c.store.restart()
	_, err := c.store.flush(false)
	c.rebuild(true, func(int) bool { return c.isClosed() })
	_, ferr := c.store.flush(false)
	return errors.Join(err, ferr)
}

// isStored reports whether a blob is stored, also while the books are being
// written again.
func (c *Cache) isStored(k key) bool {
	if _, ok := c.store.get(k); ok {
		return true
	}
	if c.ready() {
		return false
	}
	fi, err := os.Lstat(c.blobPath(k))
	return err == nil && fi.Mode().IsRegular()
}

// startRebuild brings the catalogue up to date with the directory, in the
// background if there is much to do. blobs: which blobs there are is in question,
// too. Everything is served meanwhile: what is not in the books is looked for,
// and hashed; nothing is evicted.
func (c *Cache) startRebuild(blobs bool, halt <-chan struct{}) {
	end := c.rebuilding.begin()
	enough := make(chan struct{})
	steps := 0
	c.keepers.Go(func() {
		defer end()
		c.rebuild(blobs, func(n int) bool {
			if steps += n; steps > openSteps && steps-n <= openSteps {
				close(enough)
			}
			select {
			case <-halt:
				return true
			default:
				return false
			}
		})
	})
	select {
	case <-c.rebuilding.wait():
	case <-enough:
	}
}

// rebuild calls step for what it has done, and ends when that says so.
func (c *Cache) rebuild(blobs bool, step func(n int) (stop bool)) {
	step = c.written(step)
	if blobs {
		if err := c.reconcile(step); err != nil {
			c.log.Warn("cache: the blobs could not be listed", "err", err)
		}
	}
	c.readFolders(func() bool { return step(folderSteps) })
	c.checkSize()
}

// reconcile makes the books agree with the files: blobs they do not know are
// added without a stamp, those that have gone are forgotten. Manifests that were in
// use and not read yet when the books were written last are read.
func (c *Cache) reconcile(step func(int) bool) error {
	dir, err := os.Open(filepath.Join(c.dir, "blobs", "sha256"))
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	// A process that was killed may have put a blob here without having this synced.
	_ = c.disk.syncDir(dir.Name())
	var there []uint64 // enough of each name to tell what is missing
	for {
		entries, err := dir.ReadDir(listed)
		for _, e := range entries {
			if k, ok := parseHex(e.Name()); ok && e.Type().IsRegular() {
				there = append(there, binary.BigEndian.Uint64(k[:]))
				if c.notice(k) {
					c.adopt(k) // it may be in use already
				}
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			c.rebuilding.cut.Store(true)
			return err
		}
		if step(len(entries)) {
			return nil
		}
	}
	slices.Sort(there)
	var missing, wanting []key
	c.store.batches(tableBlobs, listed, func(k, v []byte) {
		if len(k) != len(key{}) {
			return
		}
		r, ok := decodeRecord(v)
		if !ok || !r.stored {
			return
		}
		if _, found := slices.BinarySearch(there, binary.BigEndian.Uint64(k)); !found {
			missing = append(missing, key(k))
		} else if r.manifest && r.refs > 0 {
			wanting = append(wanting, key(k))
		}
	})
	for _, k := range missing {
		c.missBlob(k)
	}
	c.adopt(wanting...)
	return nil
}

// notice takes a file into the books if they do not know it.
func (c *Cache) notice(k key) bool {
	if _, known := c.store.get(k); known {
		return false
	}
	defer c.settle(k)()
	fi, err := os.Lstat(c.blobPath(k))
	if _, known := c.store.get(k); known || err != nil || !fi.Mode().IsRegular() {
		return false
	}
	c.store.put(k, record{stamp: stamp{size: fi.Size()}, used: fi.ModTime().UnixNano()})
	return true
}

// missBlob forgets a blob whose file has gone.
func (c *Cache) missBlob(k key) {
	defer c.settle(k)()
	if _, err := os.Lstat(c.blobPath(k)); errors.Is(err, fs.ErrNotExist) {
		c.store.remove(k)
		c.manifests.forget(k)
	}
}

// written writes what comes together between steps.
func (c *Cache) written(step func(int) bool) func(int) bool {
	return func(n int) bool {
		if c.store.pending() > flushSoonAt {
			_, _ = c.store.flush(false) // a full disk: it stays in memory
		}
		stop := step(n)
		if stop {
			c.rebuilding.cut.Store(true)
		}
		return stop
	}
}
