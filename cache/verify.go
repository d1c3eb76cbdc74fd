package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
)

// Verification says which blobs Verify reads back, and how fast.
type Verification struct {
	Rate  int64     // bytes a second at most; 0: what the disk gives
	Older time.Time // only those that nobody has read back since; zero: all
}

// Verifying is how far a Verify is, and in the end what came of it.
type Verifying struct {
	Blobs, OfBlobs int
	Bytes, OfBytes int64
	Broken         []Broken // in the order in which they were found
}

// Broken is a blob that was not what its name says, or could not be read, and
// therefore was removed; or one whose file has gone.
type Broken struct {
	Digest digest.Digest
	Size   int64 // bytes, as far as it is known
	Why    error // *MissError
	Images []string
	Name   Name // a repository that has it, one with an origin if there is one, to ask for it again; zero if none has
}

const (
	verifyAtOnce  = 512                    // blobs looked up at a time
	verifyLook    = 4096                   // of how many, before others may look something up
	verifyTell    = 100 * time.Millisecond // between two words of progress
	imagesToldMax = 100                    // names of images of one broken blob
)

// Verify reads blobs back and compares them with their digests. What is not what
// its name says is removed, so that the next asker is told of a miss and fetches
// it, and is in Broken. progress may be nil; it is called by the goroutine that
// called Verify, a few times a second, and must not keep Broken.
//
// Blobs are held against eviction one at a time, and pulls go on meanwhile. Downloads
// in flight are not looked at: they are hashed when they end. Errors are ctx's,
// ErrClosed, and *DiskError for a directory that has gone; what was found until
// then is in the result.
func (c *Cache) Verify(ctx context.Context, v Verification, progress func(Verifying)) (out Verifying, err error) {
	if err := c.awaitReady(); err != nil {
		return out, err
	}
	r := &readBack{c: c, Verification: v, progress: progress, begun: time.Now()}
	r.count()
	defer func() {
		c.explain(r.now.Broken)
		out = r.now
	}()
	for after := (*key)(nil); ; {
		some := r.next(after)
		if len(some) == 0 {
			r.tell(true)
			return r.now, nil
		}
		for i, u := range some {
			after = &some[i].key
			if err := r.blob(ctx, u); err != nil {
				return r.now, err
			}
		}
	}
}

// readBack is one run of Verify.
type readBack struct {
	Verification
	c        *Cache
	progress func(Verifying)
	now      Verifying
	begun    time.Time
	read     int64 // bytes, for Rate
	told     time.Time
}

// due reports whether a blob is to be read back.
func (r *readBack) due(rec record) bool {
	return rec.stored && (r.Older.IsZero() || rec.proved < r.Older.UnixNano())
}

func (r *readBack) count() {
	r.c.store.batches(tableBlobs, 1000, func(_, v []byte) {
		if rec, ok := decodeRecord(v); ok && r.due(rec) {
			r.now.OfBlobs++
			r.now.OfBytes += rec.size
		}
	})
}

// next are some blobs behind a key, in the order of their names.
func (r *readBack) next(after *key) (out []use) {
	var from []byte
	if after != nil {
		from = append(after[:], 0) // the next key there can be
	}
	for more := true; more && len(out) == 0; {
		out, from, more = r.look(from)
	}
	return out
}

// look is next among the first so many blobs. more: there are others, at rest.
func (r *readBack) look(from []byte) (out []use, rest []byte, more bool) {
	s := r.c.store
	s.mu.Lock()
	defer s.mu.Unlock()
	left := verifyLook
	s.scan(tableBlobs, nil, from, func(k, v []byte) bool {
		if left == 0 || len(out) == verifyAtOnce {
			rest, more = slices.Clone(k), true
			return false
		}
		left--
		if rec, ok := decodeRecord(v); ok && len(k) == len(key{}) && r.due(rec) {
			out = append(out, use{key: key(k), size: rec.size, used: rec.used})
		}
		return true
	})
	return out, rest, more
}

// blob reads one back. Its error ends the run.
func (r *readBack) blob(ctx context.Context, u use) error {
	c := r.c
	c.hold(u.key)
	defer c.letGo(u.key)
	if c.isClosed() {
		return ErrClosed
	}
	if rec, stored := c.store.get(u.key); !stored || !r.due(rec) {
		r.account(u) // evicted, or read back by somebody else
		return nil
	}
	fits, err := r.compare(ctx, u.key)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil && c.folderGone() {
		return &DiskError{Op: "verify", Err: errVanished}
	}
	if err != nil || !fits {
		r.doubt(u, err)
	}
	r.account(u)
	return nil
}

func (r *readBack) account(u use) {
	r.now.Blobs++
	r.now.Bytes += u.size
	r.tell(false)
}

// compare hashes a blob's file and, if it is what its name says, notes that. It
// takes no lock meanwhile: nobody waits for a blob because it is being read back.
func (r *readBack) compare(ctx context.Context, k key) (bool, error) {
	c := r.c
	f, err := openShared(c.blobPath(k), os.O_RDONLY, 0)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	st, err := stampOf(f)
	if err != nil {
		return false, err
	}
	got, err := hashFile(f, func(n int64) error { return r.pace(ctx, n) })
	if err != nil || got != k {
		return false, err
	}
	defer c.settle(k)()
	if now, err := stampOf(f); err != nil || now != st {
		return true, nil //nolint:nilerr // changed while it was read: whoever asks next hashes it
	}
	if rec, stored := c.store.get(k); stored {
		c.store.put(k, record{stamp: st, used: rec.used, proved: c.now().UnixNano(), stamped: true})
		c.soon()
	}
	return true, nil
}

// pace waits until n more bytes are within Rate.
func (r *readBack) pace(ctx context.Context, n int64) error {
	r.read += n
	if r.Rate <= 0 {
		return ctx.Err()
	}
	ahead := time.Duration(float64(r.read)/float64(r.Rate)*float64(time.Second)) - time.Since(r.begun)
	if ahead <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-r.c.stopping():
		return ErrClosed
	}
}

// doubt looks again, as for somebody who asks: that removes what is no good.
func (r *readBack) doubt(u use, cause error) {
	c := r.c
	if errors.Is(cause, fs.ErrNotExist) {
		if r.vanished(u.key) {
			r.broken(u, &MissError{Digest: u.key.digest(), Reason: Absent})
		}
		return
	}
	b, err := c.get(u.key, getOptions{verified: true, quiet: true})
	if err == nil {
		_ = b.file.Close()
		return
	}
	r.broken(u, err)
}

// vanished reports whether a blob's file has gone though nobody here removed it.
func (r *readBack) vanished(k key) bool {
	defer r.c.settle(k)() // whoever is removing it has done so then
	if _, stored := r.c.store.get(k); !stored {
		return false
	}
	if _, err := os.Lstat(r.c.blobPath(k)); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	r.c.forgetBlob(k)
	return true
}

func (r *readBack) broken(u use, why error) {
	r.now.Broken = append(r.now.Broken, Broken{Digest: u.key.digest(), Size: u.size, Why: why})
	r.tell(true)
}

func (r *readBack) tell(must bool) {
	if r.progress == nil || !must && time.Since(r.told) < verifyTell {
		return
	}
	r.told = time.Now()
	r.progress(r.now)
}

// explain finds out which images blobs belong to, also of such as are not stored
// any more.
func (c *Cache) explain(list []Broken) {
	if len(list) == 0 {
		return
	}
	at := make(map[key]*Broken, len(list))
	for i := range list {
		k, _ := keyOf(list[i].Digest)
		at[k] = &list[i]
	}
	s := c.store
	var all []imageKey
	s.batches(tableImages, 1000, func(k, _ []byte) { all = append(all, imageKey(k)) })
	for _, ik := range all {
		s.mu.Lock()
		i, there := s.image(ik)
		var has []*Broken
		if there {
			s.walk(ik.root(), func(l link, _ links, _ bool) bool {
				if b := at[l.key]; b != nil {
					has = append(has, b)
				}
				return true
			})
		}
		s.mu.Unlock()
		for _, b := range has {
			if b.Name == (Name{}) || b.Name.Registry == Local {
				b.Name = ik.name()
			}
			b.Images = append(b.Images, i.names(ik)...)
			b.Images = b.Images[:min(len(b.Images), imagesToldMax)]
		}
	}
}

// names are the full references of an image.
func (i image) names(ik imageKey) (out []string) {
	for _, r := range i.refs {
		if isLink(r.id) {
			out = append(out, fmt.Sprintf("%s@%s", ik.name(), ik.root().digest()))
			continue
		}
		out = append(out, ik.name().String()+":"+r.id)
	}
	return out
}
