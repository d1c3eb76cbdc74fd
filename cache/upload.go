package cache

import (
	"crypto/sha256"
	"errors"
	"hash"
	"os"

	"github.com/opencontainers/go-digest"
)

// Upload is a blob that somebody sends from its first byte to its last and names
// at the end. Until then it is a file in tmp, which no start leaves there. It is
// for one goroutine at a time, and must be closed.
type Upload struct {
	c    *Cache
	path string
	w    file
	r    *os.File // the same file, for its stamp
	hash hash.Hash
	size int64
	err  error // why nothing more can come
	over bool
}

// Upload begins one. *NoSpaceError or *DiskError if it cannot be kept.
func (c *Cache) Upload() (*Upload, error) {
	if c.isClosed() {
		return nil, ErrClosed
	}
	u := &Upload{c: c, path: c.tempPath(), hash: sha256.New()}
	err := c.withRoom(func() (err error) {
		u.w, err = c.openNew(u.path, os.O_CREATE|os.O_EXCL)
		return err
	})
	if err == nil {
		u.r, err = openShared(u.path, os.O_RDONLY, 0)
	}
	if err != nil {
		u.drop()
		return nil, diskFault("begin an upload", err)
	}
	return u, nil
}

// Size is how many bytes there are.
func (u *Upload) Size() int64 { return u.size }

// Write adds p, making room on a full disk if it can. After *NoSpaceError or
// *DiskError nothing more can come: Close is next.
func (u *Upload) Write(p []byte) (n int, err error) {
	switch limit := u.c.maxSize.Load(); {
	case u.over:
		return 0, ErrEnded
	case u.err != nil:
		return 0, u.err
	case u.c.isClosed():
		u.err = ErrClosed
	case limit > 0 && int64(len(p)) > limit-u.size:
		u.err = &NoSpaceError{}
	}
	for n < len(p) && u.err == nil {
		m, err := u.w.Write(p[n:])
		u.hash.Write(p[n : n+m])
		n += m
		if err != nil && !(isNoSpace(err) && u.c.makeRoom(int64(len(p)-n))) {
			u.err = diskFault("write an upload", err)
		}
	}
	u.size += int64(n)
	u.c.partialSize.Add(int64(n))
	u.c.checkSize()
	return n, u.err
}

// Commit makes the bytes the blob d, which source brought, and ends the upload.
// *DigestError if they are not d's: nothing has happened then. Any other error is
// this machine's, and has ended it too.
func (u *Upload) Commit(d digest.Digest, source string) error {
	k, err := keyOf(d)
	switch {
	case err != nil:
		return err
	case u.over:
		return ErrEnded
	case u.err == nil && u.c.isClosed():
		u.err = ErrClosed
	}
	if u.err != nil {
		return u.err
	}
	if got := key(u.hash.Sum(nil)); got != k {
		return &DigestError{Want: d, Got: got.digest()}
	}
	err = u.moveIn(k, source)
	u.Close()
	if err != nil {
		return diskFault("store "+k.hex(), err)
	}
	u.c.stored(k)
	return nil
}

// moveIn puts the file in its place, unless the blob is stored already.
func (u *Upload) moveIn(k key, source string) error {
	c := u.c
	defer c.settle(k)()
	if b, err := c.getStamped(k, false); err == nil && b != nil {
		return b.file.Close()
	}
	// Closed first: some systems write the last times when a file is closed.
	err := errors.Join(u.w.Sync(), u.w.Close())
	u.w = nil
	if err != nil {
		return err
	}
	was, err := stampOf(u.r)
	if err != nil {
		return err
	}
	if err := c.moveTemp(u.path, c.blobPath(k)); err != nil {
		return err
	}
	u.path = ""
	return c.adoptFile(k, u.r, was, encodeShares(map[string]int64{source: u.size}))
}

// Close drops the bytes, unless Commit has made them a blob. It may be called more
// than once.
func (u *Upload) Close() {
	if u.over {
		return
	}
	u.over = true
	u.drop()
	u.c.partialSize.Add(-u.size)
}

func (u *Upload) drop() {
	if u.r != nil {
		_ = u.r.Close()
	}
	if u.w != nil {
		_ = u.w.Close()
	}
	if u.path != "" {
		_ = u.c.dropTemp(u.path)
	}
}
