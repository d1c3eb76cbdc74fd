package cache

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// flushDelay is how long derived things (database, index.json, check times of
// tags) may lag behind: long enough that the layers of one pull are one write.
const flushDelay = 2 * time.Second

// retryDelay is how long to wait at most after derived things could not be written:
// the disk is full, or ill, and will be for a while. What passes at once is tried
// again soon, and then after twice as long each time.
const retryDelay = time.Minute

// errNotRegular is for a directory or device where a blob should be.
var errNotRegular = errors.New("not a regular file")

// Options say where a cache is and what it may use.
type Options struct {
	Dir     string
	MaxSize int64                           // bytes; 0: no limit
	Now     func() time.Time                // nil: time.Now
	Log     *slog.Logger                    // nil: silent
	Free    func(dir string) (int64, error) // bytes free on dir's disk; nil: the system's answer
	// Lock is the directory's lock, from the Detach of the cache that has it until
	// now; it is the new cache's then, also if Open fails. nil: Open takes it.
	Lock *os.File

	disk  disk   // nil: the system's
	floor int64  // 0: spareFloor
	boot  string // "": the system's
	quick bool   // cache.db is not synced
}

// Cache is an open cache directory. All methods may be called concurrently.
type Cache struct {
	dir   string
	clock *clock
	now   func() time.Time // the clock's
	log   *slog.Logger
	free  func(string) (int64, error)
	disk  *noticing
	boot  [16]byte
	quick bool
	lock  *os.File // nil if readOnly, while detached, and until what was let go of can be locked again
	name  string   // of this Cache among all that ever had the directory

	readOnly error // why nothing can be changed since Open; nil: it can

	store       *store
	rebuilding  rebuilding
	refs        refCache
	manifests   recall[key, readManifest]
	served      servings
	index       indexState
	maxSize     atomic.Int64
	partialSize atomic.Int64 // bytes of downloads, in flight and at rest
	counts      counters

	wg      sync.WaitGroup
	keepers sync.WaitGroup // what stop ends
	stop    chan struct{}  // guarded by mu: of this stretch between Open or Attach and Detach or Close
	kick    chan struct{}  // something derived is to be written
	full    chan struct{}  // over max_size

	floor  int64
	spared time.Time // when room was last made for the disk's sake; keep's own
	tight  int       // looks in a row at which hardly anything was free; keep's own
	crowds atomic.Bool

	evicting sync.Mutex
	flushing sync.Mutex
	detached *detached   // guarded by flushing and mu; nil: it is not
	asides   []*detached // folders of times when it was; guarded by flushing
	leftover atomic.Bool // somebody who detached is still at it
	merged   bool        // somebody who detached had not ended in order

	// Where downloads and files on their way into their place are. Whoever uses
	// the path of a download holds place; the lock of its digest is taken before.
	place     sync.RWMutex
	downloads string
	temps     temps

	mu       sync.Mutex // may be held while taking a Fill's, never the reverse
	closed   bool
	fills    map[key]*Fill
	partials map[key]partial
	open     map[key]int // readers of stored blobs, and what is held
	settling map[key]*settling
	spoiled  map[key]stamp // files that are no good and could not be removed
}

type counters struct {
	evicted, evictedBytes, damaged atomic.Int64
}

// Open opens the cache in o.Dir, creating it if need be. *HeldError if another
// process has it; any other error says why the directory cannot be used. One that
// cannot be written, but has something in it, is opened all the same: see
// Stats.ReadOnly.
func Open(o Options) (*Cache, error) {
	c := &Cache{
		dir: o.Dir, log: o.Log, free: o.Free, disk: &noticing{inner: o.disk}, floor: o.floor, quick: o.quick,
		name: strings.ToLower(rand.Text()[:13]),
		boot: bootMark(cmp.Or(o.boot, bootID())),
		kick: make(chan struct{}, 1), full: make(chan struct{}, 1),
		fills: make(map[key]*Fill), partials: make(map[key]partial),
		open: make(map[key]int), settling: make(map[key]*settling),
		manifests: recall[key, readManifest]{max: 16 << 20},
		refs:      refCache{read: recall[tagID, tagFile]{max: 4 << 20}},
	}
	tell := o.Now
	if tell == nil {
		tell = time.Now
	}
	c.clock = newClock(tell)
	c.now = c.clock.now
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.free == nil {
		c.free = freeSpace
	}
	if c.disk.inner == nil {
		c.disk.inner = osDisk{}
	}
	if c.floor == 0 {
		c.floor = spareFloor
	}
	c.maxSize.Store(o.MaxSize)
	c.lock = o.Lock
	if err := c.prepare(); err != nil {
		c.unlock()
		var held *HeldError
		if errors.As(err, &held) {
			return nil, err
		}
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
			if pe.Path != o.Dir {
				err = fmt.Errorf("%s: %w", pe.Path, pe.Err)
			}
		}
		return nil, fmt.Errorf("cache: %s: cannot be used: %w; make it writable, or set another cache.dir", o.Dir, err)
	}
	c.soon()
	return c, nil
}

func (c *Cache) prepare() (err error) {
	if c.dir == "" {
		return errors.New("no directory given")
	}
	if c.dir, err = filepath.Abs(c.dir); err != nil {
		return err
	}
	c.settleIn()
	given := c.lock != nil
	if err = c.takeOver(); err == nil {
		err = c.loadPartials()
	}
	if err != nil {
		c.unlock()
		if held := (*HeldError)(nil); errors.As(err, &held) || given || !c.freeze(err) {
			return err
		}
		c.log.Warn("cache: cannot be written, and is only read; make it writable and start again", "dir", c.dir, "err", err)
	}
	s, fresh := openStore(filepath.Join(c.dir, "cache.db"), c.readOnly != nil, c.quick, c.log)
	c.store = s
	c.index.dirty.Store(true)
	c.work(fresh || c.merged)
	c.dropFinished()
	return nil
}

// work begins what goes on beside all else, until c.stop is closed. blobs: which
// of them there are is in question.
func (c *Cache) work(blobs bool) {
	stop := make(chan struct{})
	c.mu.Lock()
	c.stop = stop
	c.mu.Unlock()
	c.startRebuild(blobs, stop)
	c.keepers.Go(func() { c.keep(stop) })
}

// stopping is closed when what goes on beside all else has to end.
func (c *Cache) stopping() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stop
}

// writeLayout makes the directory an OCI image layout.
func (c *Cache) writeLayout() error {
	want := []byte(`{"imageLayoutVersion":"` + ocispec.ImageLayoutVersion + `"}`)
	name := filepath.Join(c.dir, ocispec.ImageLayoutFile)
	if have, err := os.ReadFile(name); err != nil || string(have) != string(want) {
		if err := c.writeFile(name, want); err != nil {
			return err
		}
	}
	if _, err := os.Lstat(filepath.Join(c.dir, ocispec.ImageIndexFile)); err != nil {
		return c.writeFile(filepath.Join(c.dir, ocispec.ImageIndexFile), emptyIndex())
	}
	return nil
}

// keep writes derived things some time after they changed, evicts when there is
// too much and looks at the disk now and then.
func (c *Cache) keep(stop <-chan struct{}) {
	var due <-chan time.Time // nil: nothing to write
	lazy := false            // index.json alone: other things come before it
	said := ""               // why the last flush failed
	retry := flushDelay
	timer := time.NewTimer(flushDelay)
	defer timer.Stop()
	disk := time.NewTicker(spareEvery)
	defer disk.Stop()
	for {
		kick := c.kick
		if due != nil && !lazy {
			kick = nil
		}
		select {
		case <-stop:
			return
		case <-c.full:
			c.shrink(func(int64) bool { return c.fits() })
			disk.Reset(c.spare())
		case <-disk.C:
			disk.Reset(c.spare())
			if c.leftover.Load() {
				c.takeUp(false)
			}
		case <-kick:
			timer.Reset(flushDelay)
			due, lazy = timer.C, false
		case <-due:
			due = nil
			again := c.index.wait()
			err := c.flush(again > 0)
			lazy = err == nil
			switch {
			case errors.Is(err, errVanished): // and may be back at any time
				again = flushDelay
			case err != nil:
				again = retry
				retry = min(2*retry, retryDelay)
			default:
				retry = flushDelay
			}
			said = c.complain(err, said)
			if again > 0 {
				timer.Reset(again)
				due = timer.C
			}
		}
	}
}

// complain logs why a flush failed, once for each reason in a row.
func (c *Cache) complain(err error, said string) string {
	if err == nil {
		return ""
	}
	why := err.Error()
	if isReadOnly(err) { // the name of the file differs each time
		why = "read-only"
	}
	if why != said {
		c.log.Warn("cache: not everything could be written, trying again", "err", err)
	}
	return why
}

// settleInMemory is flush for a directory that is only read.
func (c *Cache) settleInMemory() error {
	c.refresh()
	c.applyUses()
	if c.store.lost() {
		return c.restore()
	}
	return nil
}

// soon has derived things written some time from now.
func (c *Cache) soon() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// Flush writes everything that lags behind: index.json, the database, check
// times of tags, journals of running downloads. It is for those who read the
// directory next; nothing gets lost without it.
func (c *Cache) Flush() error { return c.flush(false) }

func (c *Cache) flush(withoutIndex bool) error {
	c.flushing.Lock()
	defer c.flushing.Unlock()
	if c.lock == nil && c.readOnly == nil && (c.isClosed() || c.isDetached()) { // perhaps somebody else's by now
		return nil
	}
	c.mu.Lock()
	running := make([]*Fill, 0, len(c.fills))
	for _, f := range c.fills {
		running = append(running, f)
	}
	c.mu.Unlock()
	for _, f := range running {
		f.sync()
	}
	if c.readOnly != nil {
		return c.settleInMemory()
	}
	if err := c.attend(); err != nil {
		return err
	}
	c.tidy()
	err := c.flushTags()
	c.refresh()
	c.applyUses()
	fresh, ferr := c.store.flush(false)
	if fresh || c.store.lost() {
		ferr = c.restore()
	}
	err = errors.Join(err, ferr)
	if withoutIndex || !c.ready() {
		return err
	}
	return errors.Join(err, c.writeIndex())
}

// Close ends every fill with ErrClosed, writes what lags behind and lets go of
// the directory. Blobs that are open stay readable.
func (c *Cache) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	running := make([]*Fill, 0, len(c.fills))
	for _, f := range c.fills {
		running = append(running, f)
	}
	if c.detached == nil {
		close(c.stop)
	}
	c.mu.Unlock()
	for _, f := range running {
		f.Fail(ErrClosed)
		<-f.done
	}
	c.keepers.Wait()
	c.wg.Wait()
	if c.isDetached() {
		c.leave()
		return nil
	}
	err := c.Flush()
	if errors.Is(err, errVanished) { // nothing there that could lag behind
		err = nil
	}
	c.flushing.Lock()
	defer c.flushing.Unlock()
	c.leaveAsides()
	clean := !c.rebuilding.cut.Load() && !c.disk.hasFailed() && !c.leftover.Load()
	err = errors.Join(err, c.store.close(clean))
	c.unlock()
	return err
}

func (c *Cache) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// Dir is the directory, absolute.
func (c *Cache) Dir() string { return c.dir }

// SetMaxSize changes the limit; 0 means none. Evicting begins at once.
func (c *Cache) SetMaxSize(n int64) {
	c.maxSize.Store(n)
	c.checkSize()
}

// Stats are counts at one moment. Sizes are bytes.
type Stats struct {
	Dir     string
	MaxSize int64
	Size    int64 // blobs and downloads together: what max_size limits
	Blobs   int64 // how many are stored
	Fills   int   // downloads in flight

	Partials    int // downloads at rest
	PartialSize int64

	Evicted, EvictedSize int64 // since Open
	Damaged              int64 // blobs found damaged since Open

	// Crowded: somebody else fills the disk. Hardly anything is free on it although the cache has made room.
	Crowded bool
	// ReadOnly is why the directory cannot be written; nil if it can. What is
	// there is served then, and Join, Put and whatever else would change something
	// answer *DiskError. If it was so at Open it stays so until the next one.
	ReadOnly error
}

// Stat costs nothing worth mentioning. While the database is built again, what was
// not found yet does not count.
func (c *Cache) Stat() Stats {
	size, count := c.store.totals()
	c.mu.Lock()
	defer c.mu.Unlock()
	partial := c.partialSize.Load()
	return Stats{
		Dir: c.dir, MaxSize: c.maxSize.Load(),
		Size: size + partial, Blobs: count,
		Fills: len(c.fills), Partials: len(c.partials), PartialSize: partial,
		Evicted: c.counts.evicted.Load(), EvictedSize: c.counts.evictedBytes.Load(),
		Damaged: c.counts.damaged.Load(), Crowded: c.crowds.Load(), ReadOnly: c.disk.refused(),
	}
}

func (c *Cache) blobPath(k key) string { return filepath.Join(c.dir, "blobs", "sha256", k.hex()) }
