package cache

import (
	"errors"
	"os"

	"github.com/opencontainers/go-digest"
)

// Join finds or begins the download of d. first: the caller drives it, after
// registering its Reader. ErrStored: Get has it. *NoSpaceError or *DiskError: the
// bytes can only be passed through.
func (c *Cache) Join(d digest.Digest) (f *Fill, first bool, err error) {
	k, err := keyOf(d)
	if err != nil {
		return nil, false, err
	}
	for {
		f, err := c.running(k)
		if f != nil || err != nil {
			return f, false, err
		}
		f, err = c.begin(k, d)
		if f != nil || err != nil {
			return f, f != nil, err
		}
	}
}

// running returns the fill of k; it waits for one that is being given up, nil
// then.
func (c *Cache) running(k key) (*Fill, error) {
	c.mu.Lock()
	f := c.fills[k]
	closed := c.closed
	c.mu.Unlock()
	switch {
	case closed:
		return nil, ErrClosed
	case f == nil:
		return nil, nil
	}
	f.mu.Lock()
	over := f.ending && f.failure != nil
	f.mu.Unlock()
	if over {
		<-f.done
		return nil, nil
	}
	return f, nil
}

// begin makes the fill of k; nil if somebody was quicker.
func (c *Cache) begin(k key, d digest.Digest) (*Fill, error) {
	defer c.settle(k)()
	c.mu.Lock()
	busy := c.fills[k] != nil
	c.mu.Unlock()
	if busy {
		return nil, nil
	}
	if err := c.storedNow(k); err != nil {
		return nil, err
	}
	f, err := c.openFill(k, d)
	if err != nil && isNoSpace(err) && c.makeRoom(1) {
		f, err = c.openFill(k, d)
	}
	if err != nil {
		return nil, diskFault("begin "+k.hex(), err)
	}
	f.mu.Lock()
	f.startCatchUp()
	f.mu.Unlock()
	return f, nil
}

// openFill opens the download of k and enters it among those in flight.
func (c *Cache) openFill(k key, d digest.Digest) (*Fill, error) {
	c.place.RLock()
	defer c.place.RUnlock()
	p, w, j, err := c.openPartial(k)
	if err != nil {
		return nil, err
	}
	r, err := openShared(c.partialPath(k), os.O_RDONLY, 0)
	if err != nil {
		return nil, errors.Join(err, w.Close(), j.close())
	}
	f := newFill(c, k, d, p, w, r, j)
	c.mu.Lock()
	rest := c.partials[k].size
	delete(c.partials, k)
	closed := c.closed
	if !closed {
		c.fills[k] = f
	}
	c.mu.Unlock()
	c.partialSize.Add(p.have.total - rest)
	if closed {
		f.closeFiles()
		_ = r.Close()
		return nil, ErrClosed
	}
	return f, nil
}

// storedNow is ErrStored if Get has k and nil if k is to be fetched. The file is
// opened for that: nobody must be sent from Join to Get and back for ever.
func (c *Cache) storedNow(k key) error {
	if _, known := c.store.get(k); !known {
		return nil
	}
	f, _, err := c.openBlob(k)
	if err == nil {
		_ = f.Close()
		return ErrStored
	}
	if c.folderGone() {
		return nil
	}
	if _, known := c.store.get(k); known { // kept: too many open files, or the like
		return diskFault("open "+k.hex(), err)
	}
	return nil
}

func (c *Cache) forget(f *Fill) {
	c.mu.Lock()
	if c.fills[f.key] == f {
		delete(c.fills, f.key)
	}
	c.mu.Unlock()
	c.checkSize()
}
