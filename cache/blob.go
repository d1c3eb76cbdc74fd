package cache

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"sync"

	"github.com/opencontainers/go-digest"
)

// Blob is stored content, open for reading. It must be closed; until then it is
// not evicted.
type Blob struct {
	c    *Cache
	key  key
	file *os.File
	size int64
	once sync.Once
}

// File is the open file, at offset 0, for sendfile. It belongs to this Blob
// alone and is closed with it.
func (b *Blob) File() *os.File { return b.file }

// Size is in bytes.
func (b *Blob) Size() int64 { return b.size }

// Digest is the blob's name.
func (b *Blob) Digest() digest.Digest { return b.key.digest() }

// ReadAt reads independently of File's offset.
func (b *Blob) ReadAt(p []byte, off int64) (int, error) { return b.file.ReadAt(p, off) }

// Close may be called more than once.
func (b *Blob) Close() error {
	var err error
	b.once.Do(func() {
		err = b.file.Close()
		b.c.letGo(b.key)
	})
	return err
}

// GetOption changes what Get does.
type GetOption func(*getOptions)

type getOptions struct {
	verified bool
	quiet    bool // no use of the blob
}

// Verified makes Get hash the blob even if its stamp fits: for a client that was
// just served and asks again, as after a digest that did not fit for it.
func Verified() GetOption { return func(o *getOptions) { o.verified = true } }

// Get opens a stored blob. If its file looks as it did when it was last hashed it
// is served as it is; else it is hashed first, and one that is not what its name
// says is removed. *MissError: ask upstream; whatever is wrong with the file is
// a miss.
func (c *Cache) Get(d digest.Digest, opt ...GetOption) (*Blob, error) {
	k, err := keyOf(d)
	if err != nil {
		return nil, err
	}
	var o getOptions
	for _, set := range opt {
		set(&o)
	}
	if c.isClosed() {
		return nil, ErrClosed
	}
	c.hold(k)
	b, err := c.get(k, o)
	if err != nil {
		c.letGo(k)
		return nil, err
	}
	return b, nil
}

// GetStamped is Get if that takes no hashing: the blob is opened if its file looks as
// it did when it was last hashed. ok is false otherwise, nothing was done, and Get is
// next.
func (c *Cache) GetStamped(d digest.Digest) (b *Blob, ok bool) {
	k, err := keyOf(d)
	if err != nil || c.isClosed() {
		return nil, false
	}
	c.hold(k)
	if b = c.openStamped(k, false); b == nil {
		c.letGo(k)
	}
	return b, b != nil
}

// hold keeps a blob from being evicted.
func (c *Cache) hold(k key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[k]++
}

func (c *Cache) letGo(k key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[k]--; c.open[k] == 0 {
		delete(c.open, k)
	}
}

func (c *Cache) get(k key, o getOptions) (*Blob, error) {
	if !o.verified {
		if b, err := c.getStamped(k, o.quiet); b != nil || err != nil {
			return b, err
		}
	}
	s, arrived, release := c.settleCounted(k)
	defer release()
	c.mu.Lock()
	hashed := s.runs > arrived // by somebody we waited for
	c.mu.Unlock()
	if !o.verified || hashed {
		if b, err := c.getStamped(k, o.quiet); b != nil || err != nil {
			return b, err
		}
	}
	c.mu.Lock()
	s.runs++
	c.mu.Unlock()
	return c.getHashed(k, o.quiet)
}

// openStamped opens the blob if its stamp fits; else it does nothing, and nil.
func (c *Cache) openStamped(k key, quiet bool) *Blob {
	rec, known := c.store.get(k)
	if !known || !rec.stamped {
		return nil
	}
	f, err := openShared(c.blobPath(k), os.O_RDONLY, 0)
	if err != nil {
		return nil
	}
	if st, err := stampOf(f); err != nil || st != rec.stamp || c.isSpoiled(k, st) {
		_ = f.Close()
		return nil
	}
	if !quiet {
		c.touch(k, rec)
	}
	return &Blob{c: c, key: k, file: f, size: rec.stamp.size}
}

// getStamped is openStamped that says, and sees to it, if the file is gone or cannot
// be opened; nil, nil if it is there and has to be hashed.
func (c *Cache) getStamped(k key, quiet bool) (*Blob, error) {
	if b := c.openStamped(k, quiet); b != nil {
		return b, nil
	}
	f, _, err := c.openBlob(k)
	if err == nil {
		_ = f.Close()
	}
	return nil, err
}

// touch notes that a blob was used. Not more often than once a second: the order
// of use needs no better, and a hot blob costs no write then.
func (c *Cache) touch(k key, rec record) {
	if now := c.now(); now.UnixNano()-rec.used >= 1e9 {
		c.store.touch(k, now)
		c.soon()
	}
}

// getHashed opens the blob and reads it all. Needs settle.
func (c *Cache) getHashed(k key, quiet bool) (*Blob, error) {
	f, st, err := c.openBlob(k)
	if err != nil {
		return nil, err
	}
	got, err := hashFile(f, nil)
	if err != nil {
		_ = f.Close()
		return nil, c.lost(k, Unreadable, err)
	}
	if got != k {
		_ = f.Close()
		c.spoil(k, st)
		return nil, c.lost(k, Damaged, nil)
	}
	now := c.now().UnixNano()
	used := now
	old, known := c.store.get(k)
	if quiet && known {
		used = old.used
	} else if quiet {
		used = st.mtime
	}
	if !known && old.manifest { // an image waits for it
		c.adoptLater([]key{k})
	}
	c.store.put(k, record{stamp: st, used: used, proved: now, stamped: true})
	c.soon()
	return &Blob{c: c, key: k, file: f, size: st.size}, nil
}

// spoil remembers that a file is no good, in case that it cannot be removed.
func (c *Cache) spoil(k key, st stamp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spoiled == nil {
		c.spoiled = make(map[key]stamp)
	}
	c.spoiled[k] = st
}

func (c *Cache) isSpoiled(k key, st stamp) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was, known := c.spoiled[k]
	return known && was == st
}

func (c *Cache) openBlob(k key) (*os.File, stamp, error) {
	f, err := openShared(c.blobPath(k), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if _, known := c.store.get(k); known && !c.folderGone() {
			c.forgetBlob(k)
		}
		return nil, stamp{}, &MissError{Digest: k.digest(), Reason: Absent}
	}
	if err != nil {
		return nil, stamp{}, c.unopened(k, err)
	}
	st, err := stampOf(f)
	if err != nil {
		_ = f.Close()
		return nil, stamp{}, c.lost(k, Unreadable, err)
	}
	if c.isSpoiled(k, st) {
		_ = f.Close()
		return nil, stamp{}, &MissError{Digest: k.digest(), Reason: Absent}
	}
	return f, st, nil
}

// unopened types the failure to open a blob. With too many files open there is
// nothing wrong with the blob.
func (c *Cache) unopened(k key, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return c.lost(k, Unreadable, err)
	}
	return &MissError{Digest: k.digest(), Reason: Unreadable, Err: err}
}

// lost removes a blob that is no good and says so. What a person's own image is
// made of can be fetched nowhere: while it merely cannot be read it stays, for
// whoever repairs the disk.
func (c *Cache) lost(k key, why Reason, err error) *MissError {
	c.counts.damaged.Add(1)
	miss := &MissError{Digest: k.digest(), Reason: why, Err: err}
	if why == Unreadable && c.isOwn(k) {
		c.log.Error("cache: a blob of your own images cannot be read; it is left as it is", "digest", miss.Digest, "file", c.blobPath(k), "err", err)
		return miss
	}
	c.log.Warn("cache: removing a blob that is no good; it will be fetched again", "digest", miss.Digest, "reason", why, "err", err)
	if err := c.discard(c.blobPath(k)); err != nil {
		c.log.Warn("cache: it could not be removed", "digest", miss.Digest, "err", err)
	} else {
		c.mu.Lock()
		delete(c.spoiled, k)
		c.mu.Unlock()
	}
	c.forgetBlob(k)
	return miss
}

// isOwn reports whether a person's own image has k in it.
func (c *Cache) isOwn(k key) (own bool) {
	s := c.store
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scan(tableImages, []byte(Local+"/"), nil, func(ik, _ []byte) bool {
		root := imageKey(ik).root()
		own = root == k || s.contains(root, k)
		return !own
	})
	return own
}

func (c *Cache) forgetBlob(k key) {
	c.store.remove(k)
	c.manifests.forget(k)
	c.index.dirty.Store(true)
	c.soon()
}

// adoptFile takes a file that has just been moved into place into the books. f is
// that file, opened before, so that the stamp is of what was hashed and not of
// what may lie there now; was is its stamp before it was moved, which changes the
// ctime: what somebody has written into it since is not what was hashed. Needs settle.
func (c *Cache) adoptFile(k key, f *os.File, was stamp, from string) error {
	st, err := stampOf(f)
	if err != nil {
		return err
	}
	now := c.now().UnixNano()
	r := record{stamp: st, used: now, from: from}
	if was.ctime = st.ctime; was == st {
		r.proved, r.stamped = now, true
	}
	c.store.put(k, r)
	return nil
}

// stored is for after something new was stored. It must be called without locks.
func (c *Cache) stored(k key) {
	c.adopt(k)
	c.index.dirty.Store(true)
	c.soon()
	c.checkSize()
}

// Put stores a small body (a manifest) at once. *DigestError if it is not d's;
// *NoSpaceError or *DiskError if it cannot be kept.
func (c *Cache) Put(d digest.Digest, body []byte) error { return c.PutFrom(d, body, "") }

// PutFrom is Put with who brought it.
func (c *Cache) PutFrom(d digest.Digest, body []byte, source string) error {
	k, err := keyOf(d)
	if err != nil {
		return err
	}
	if got := key(sha256.Sum256(body)); got != k {
		return &DigestError{Want: d, Got: got.digest()}
	}
	if c.isClosed() {
		return ErrClosed
	}
	if err := c.put(k, body, encodeShares(map[string]int64{source: int64(len(body))})); err != nil {
		return err
	}
	c.stored(k)
	return nil
}

// put stores a body that hashes to k.
func (c *Cache) put(k key, body []byte, from string) error {
	if limit := c.maxSize.Load(); limit > 0 && int64(len(body)) > limit {
		return &NoSpaceError{}
	}
	defer c.settle(k)()
	if b, err := c.getStamped(k, false); err == nil && b != nil {
		return b.file.Close()
	}
	err := c.writeFile(c.blobPath(k), body)
	if err != nil && isNoSpace(err) && c.makeRoom(int64(len(body))) {
		err = c.writeFile(c.blobPath(k), body)
	}
	if err != nil {
		return diskFault("store "+k.hex(), err)
	}
	// Not stamped: whoever asks first hashes it, which costs nothing at this size.
	c.store.put(k, record{stamp: stamp{size: int64(len(body))}, used: c.now().UnixNano(), from: from})
	return nil
}

// Delete removes a blob and what there is of a download at rest. Readers keep
// what they have open. A blob that is not there is no error.
func (c *Cache) Delete(d digest.Digest) error {
	k, err := keyOf(d)
	if err != nil {
		return err
	}
	defer c.settle(k)()
	c.forgetPartial(k)
	if err := c.discard(c.blobPath(k)); err != nil {
		return diskFault("delete "+k.hex(), err)
	}
	c.forgetBlob(k)
	return nil
}

// forgetPartial removes what there is of a download at rest. Needs settle.
func (c *Cache) forgetPartial(k key) {
	c.place.RLock()
	defer c.place.RUnlock()
	c.mu.Lock()
	p, rests := c.partials[k]
	delete(c.partials, k)
	c.mu.Unlock()
	if rests {
		c.partialSize.Add(-p.size)
		c.removePartial(k)
	}
}

// readAll reads a stored blob of at most limit bytes, without counting that as
// a use.
func (c *Cache) readAll(k key, limit int64) ([]byte, error) {
	c.hold(k)
	defer c.letGo(k)
	b, err := c.get(k, getOptions{quiet: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = b.file.Close() }()
	if b.size > limit {
		return nil, &MissError{Digest: k.digest(), Reason: Unreadable, Err: errors.New("too large for a manifest")}
	}
	var buf bytes.Buffer
	buf.Grow(int(b.size) + bytes.MinRead)
	if _, err := buf.ReadFrom(b.file); err != nil {
		return nil, c.lost(k, Unreadable, err)
	}
	return buf.Bytes(), nil
}
