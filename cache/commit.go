package cache

import (
	"fmt"
	"io"
	"path/filepath"
)

// Commit checks the digest, releases what readers wait for until it fits, and
// makes the blob part of the cache: synced, renamed, stamped.
//
// On *DigestError the fill stays open, but frozen: no reader gets another byte
// and there is nothing to claim until the driver has put the bytes right with
// Amend and Commits again, or Fails. Any other error ends the fill; if the digest
// was found to fit before it, the readers have their right bytes and only the
// cache has nothing. Without an Amend in between, it answers the same each time.
func (f *Fill) Commit() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.proving {
		f.cond.Wait()
	}
	switch {
	case f.ending:
		for !f.ended {
			f.cond.Wait()
		}
		if f.failure != nil {
			return f.failure
		}
		return f.committed
	case f.failure == nil && f.wrong != nil && !f.amended:
		return f.wrong
	case f.failure == nil && !f.complete():
		return fmt.Errorf("cache: %s: %d bytes of %d are there: %w", f.digest, f.have.total, f.size, io.ErrUnexpectedEOF)
	}
	f.proving = true
	fits := f.prove()
	f.proving = false
	f.cond.Broadcast()
	switch {
	case f.failure != nil:
		f.ending = true
		err := f.failure
		f.finish(func() { f.c.dropPartial(f) })
		return err
	case !fits:
		return f.wrong
	}
	f.ending = true
	f.wrong = nil
	f.verified = true
	f.wake()
	f.announce()
	var err error
	f.finish(func() { err = f.c.commit(f) })
	f.committed = err
	return err
}

// prove hashes what is not hashed yet and reports whether the digest fits; if
// not, the fill is frozen. After a failure it says nothing. Needs mu and proving;
// lets mu go meanwhile.
func (f *Fill) prove() bool {
	for f.failure == nil && f.writing > 0 {
		f.cond.Wait()
	}
	if f.amended {
		f.amended = false
		f.hash.Reset()
		f.hashed = 0
	}
	f.startCatchUp()
	for f.failure == nil && (f.hashed < f.size || f.hashing || f.writing > 0) {
		f.cond.Wait()
	}
	if f.failure != nil {
		return false
	}
	got := key(f.hash.Sum(nil))
	if got != f.key {
		f.freeze(&DigestError{Want: f.digest, Got: got.digest(), Resumed: f.resumed})
	}
	return got == f.key
}

// commit moves a verified fill into place.
func (c *Cache) commit(f *Fill) error {
	err := c.moveIn(f)
	if err != nil {
		return diskFault("store "+f.key.hex(), err)
	}
	c.stored(f.key)
	return nil
}

func (c *Cache) moveIn(f *Fill) error {
	defer c.settle(f.key)()
	var was stamp
	err := func() (err error) {
		if err := f.w.Sync(); err != nil {
			return err
		}
		// Closed first: some systems write the last times when a file is closed.
		if err := f.w.Close(); err != nil {
			return err
		}
		if was, err = stampOf(f.r); err != nil {
			return err
		}
		if err := c.renameBlob(f.key); err != nil {
			return err
		}
		return c.disk.syncDir(filepath.Dir(c.blobPath(f.key)))
	}()
	if err == nil {
		err = c.adoptFile(f.key, f.r, was, sharesOf(f.Provenance()))
	}
	c.dropPartial(f) // the journal; the file too if it was not moved
	return err
}

func (c *Cache) renameBlob(k key) error {
	c.place.RLock()
	defer c.place.RUnlock()
	blob := c.blobPath(k)
	err := c.disk.rename(c.partialPath(k), blob)
	if err != nil && c.makeDir(filepath.Dir(blob)) == nil {
		err = c.disk.rename(c.partialPath(k), blob)
	}
	return err
}
