//go:build unix

package cache_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"pulley/cache"
)

func init() { //nolint:gochecknoinits // where there is a hand-over
	crashSteps["hand over"] = handOverStep
	passOn = passOnAtRandom
}

// passOnAtRandom has both at work for a while, unless the next one cannot.
func passOnAtRandom(l *ledger, c *cache.Cache, _ *clock, rng *rand.Rand, boot string) *cache.Cache {
	l.half(c, bytesOf(uint64(1210+rng.IntN(3)), 30_000))
	lock, err := c.Detach()
	if err != nil {
		return c
	}
	next, err := c.Next(again(lock), boot)
	if err != nil {
		c.Attach()
		return c
	}
	_ = lock.Close()
	for range rng.IntN(3) {
		l.commit(c, placeB, []*parcel{parcelA, parcelB, parcelC}[rng.IntN(3)], []string{"put", "fill", "upload"}[rng.IntN(3)])
		l.commit(next, placeA, []*parcel{parcelA, parcelC, parcelD}[rng.IntN(3)], []string{"put", "fill", "upload"}[rng.IntN(3)])
		l.half(c, bytesOf(uint64(1210+rng.IntN(3)), 30_000))
	}
	_ = c.Close()
	if rng.IntN(4) > 0 {
		next.Adopt()
	}
	return next
}

// again is the same lock once more, as another process gets it, nil where there is none to give.
func again(lock *os.File) *os.File {
	if lock == nil {
		return nil
	}
	fd, err := unix.Dup(int(lock.Fd()))
	if err != nil {
		panic(err)
	}
	return os.NewFile(uintptr(fd), lock.Name())
}

// handOverStep gives the directory to another cache with a download at rest and one in flight, both store, and the
// first ends; then it goes back and forth without one that takes it.
func handOverStep(l *ledger, c *cache.Cache, _ *clock) {
	l.commit(c, placeA, parcelA, "fill")
	l.half(c, bytesOf(1210, 30_000))
	flying := bytesOf(1211, 40_000)
	f, first, err := c.Join(digest.FromBytes(l.body(flying)))
	if err != nil || !first {
		f = nil
	} else {
		f.WantAll()
		if f.SetSize(int64(len(flying))) == nil {
			if cl, err := f.ClaimAtMost(bg, 10_000); err == nil {
				_, _ = cl.Write(flying[cl.Off:cl.End])
				cl.Release()
			}
		}
	}
	if lock, err := c.Detach(); err == nil {
		next, err := c.Next(again(lock), "")
		if err == nil {
			_ = lock.Close()
			l.commit(next, placeB, parcelB, "fill")
			l.commit(c, placeD, parcelD, "fill")
			if f != nil {
				_ = drive(f, flying)
			}
			l.half(c, bytesOf(1212, 30_000))
			_ = c.Close()
			next.Adopt()
			l.commit(next, placeA, parcelC, "put")
			_ = next.Close()
			return
		}
		c.Attach()
	}
	if f != nil {
		f.Fail(nil)
	}
	l.commit(c, placeB, parcelB, "put")
}

// handOver gives a cache's directory to a new one.
func handOver(t testing.TB, c *cache.Cache) *cache.Cache {
	t.Helper()
	lock, err := c.Detach()
	if err != nil {
		t.Fatal(err)
	}
	next, err := c.Next(again(lock), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = next.Close() })
	return next
}

// In the old one a download goes on to its end, what is open is read on, and what the new one stores is found; the new
// one fetches beside it what it is asked for, has what was there, and in the end all of it, in the books too.
func TestDetachedGoesOn(t *testing.T) {
	c := open(t, cache.Options{})
	old, body, rest, fresh := bytesOf(2000, 300_000), bytesOf(2001, 2<<20), bytesOf(2002, 500_000), bytesOf(2003, 5000)
	put(t, c, old)
	blob, err := c.Get(digest.FromBytes(old))
	if err != nil {
		t.Fatal(err)
	}
	half(t, c, rest)
	f := join(t, c, digest.FromBytes(body))
	r := reader(t, f, 0, -1, true)
	if err := f.SetSize(int64(len(body))); err != nil {
		t.Fatal(err)
	}
	cl := claim(t, f)
	write(t, cl, body[:1<<20])
	next := handOver(t, c)

	if got, err := io.ReadAll(io.NewSectionReader(blob, 0, blob.Size())); err != nil || !bytes.Equal(got, old) {
		t.Fatalf("what was open: %v", err)
	}
	if err := blob.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(get(t, c, digest.FromBytes(old)), old) || !bytes.Equal(get(t, next, digest.FromBytes(old)), old) {
		t.Fatal("what was stored before: other bytes")
	}
	if st := next.Stat(); st.Partials != 1 {
		t.Fatalf("downloads at rest: %+v", st)
	}
	beside := join(t, next, digest.FromBytes(body))
	if beside.Resumed() != 0 {
		t.Fatal("it goes on with what another fills")
	}
	reader(t, beside, 0, -1, true)
	put(t, next, fresh)
	if !bytes.Equal(get(t, c, digest.FromBytes(fresh)), fresh) {
		t.Fatal("what the new one stored")
	}
	write(t, cl, body[1<<20:])
	cl.Release()
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
		t.Fatalf("%d bytes: %v", len(got), err)
	}
	if !bytes.Equal(get(t, next, digest.FromBytes(body)), body) {
		t.Fatal("what the old one stored")
	}
	if err := drive(beside, body); err != nil {
		t.Fatal(err)
	}
	only := put(t, c, bytesOf(2004, 3000)) // nobody asks the new one for it
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	next.Adopt()
	if known, _ := next.Known(rawOf(t, only)); !known {
		t.Fatal("not in the books")
	}
	g := join(t, next, digest.FromBytes(rest))
	if g.Resumed() == 0 {
		t.Fatal("what was at rest begins anew")
	}
	g.WantAll()
	if err := drive(g, rest); err != nil {
		t.Fatal(err)
	}
	newLedger().checkFiles(t, next)
	wantClean(t, next)
}

func half(t testing.TB, c *cache.Cache, b []byte) {
	t.Helper()
	l := newLedger()
	l.half(c, b)
}

// What an old one could not finish is gone on with.
func TestAdoptUnfinished(t *testing.T) {
	for _, closed := range []bool{true, false} {
		c := open(t, cache.Options{})
		body := bytesOf(2010, 1<<20)
		f := join(t, c, digest.FromBytes(body))
		reader(t, f, 0, -1, true)
		if err := f.SetSize(int64(len(body))); err != nil {
			t.Fatal(err)
		}
		cl := claim(t, f)
		write(t, cl, body[:700<<10])
		next := handOver(t, c)
		dir := next.Dir()
		if closed {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		} else { // both are killed
			dir = copyDir(t, dir)
			next = open(t, cache.Options{Dir: dir})
		}
		next.Adopt()
		again := join(t, next, digest.FromBytes(body))
		if again.Resumed() < 512<<10 {
			t.Fatalf("closed %v: %d bytes are left", closed, again.Resumed())
		}
		reader(t, again, 0, -1, true)
		if err := drive(again, body); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(get(t, next, digest.FromBytes(body)), body) {
			t.Fatal("other bytes")
		}
		wantClean(t, next)
		cl.Release()
	}
}

// When the new one fails, the old one has everything again.
func TestAttach(t *testing.T) {
	c := open(t, cache.Options{})
	stored, body, rest := bytesOf(2020, 4000), bytesOf(2021, 1<<20), bytesOf(2022, 500_000)
	put(t, c, stored)
	half(t, c, rest)
	f := join(t, c, digest.FromBytes(body))
	reader(t, f, 0, -1, true)
	if err := f.SetSize(int64(len(body))); err != nil {
		t.Fatal(err)
	}
	cl := claim(t, f)
	write(t, cl, body[:300<<10])
	before := c.Stat()
	for range 3 {
		lock, err := c.Detach()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Detach(); !errors.Is(err, cache.ErrClosed) {
			t.Fatal(err)
		}
		var held *cache.HeldError
		if _, err := cache.Open(cache.Options{Dir: c.Dir()}); !errors.As(err, &held) {
			t.Fatalf("a third one: %v", err)
		}
		next, err := c.Next(again(lock), "")
		if err != nil {
			t.Fatal(err)
		}
		if err := next.Close(); err != nil {
			t.Fatal(err)
		}
		c.Attach()
	}
	if after := c.Stat(); after != before {
		t.Fatalf("before %+v, after %+v", before, after)
	}
	write(t, cl, body[300<<10:])
	cl.Release()
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	g := join(t, c, digest.FromBytes(rest))
	if g.Resumed() == 0 {
		t.Fatal("what was at rest begins anew")
	}
	g.Fail(nil)
	wantClean(t, c)
	if _, err := c.GC(0); err != nil {
		t.Fatal(err)
	}
}

// loadOnce asks a cache for something as a client would.
func loadOnce(t *testing.T, c *cache.Cache, rng *rand.Rand) {
	body := bytesOf(2100+rng.Uint64()%40, 200_000)
	d := digest.FromBytes(body)
	if b, err := c.Get(d); err == nil {
		got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
		if err != nil || !bytes.Equal(got, body) {
			t.Error("a blob has other bytes", err)
		}
		_ = b.Close()
		if rng.IntN(2) == 0 {
			_ = c.Delete(d)
		}
		return
	}
	f, first, err := c.Join(d)
	if err != nil {
		if !errors.Is(err, cache.ErrStored) {
			t.Error(err)
		}
		return
	}
	r, err := f.Reader(t.Context(), 0, -1, true)
	if err != nil {
		return // it has just ended
	}
	defer func() { _ = r.Close() }()
	if first {
		go func() { _ = drive(f, body) }()
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes of a download: %v", len(got), err)
	}
	<-f.Done()
	if err := c.SetTag(cache.Tag{Name: debian, Tag: "t", Digest: d, Size: int64(len(body))}); err != nil {
		t.Error(err)
	}
}

// Downloads, reads and tags go on through many hand-overs, some of which fail.
func TestHandOverUnderLoad(t *testing.T) {
	type generation struct {
		c    *cache.Cache
		busy *sync.WaitGroup
	}
	var mu sync.Mutex
	now := generation{open(t, cache.Options{}), new(sync.WaitGroup)}
	stop := make(chan struct{})
	var work sync.WaitGroup
	for w := range 4 {
		work.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 5))
			for {
				select {
				case <-stop:
					return
				default:
				}
				mu.Lock()
				g := now
				g.busy.Add(1)
				mu.Unlock()
				loadOnce(t, g.c, rng)
				g.busy.Done()
			}
		})
	}
	for i := range 12 {
		was := now
		if i%3 == 2 {
			if _, err := was.c.Detach(); err != nil {
				t.Error(err)
			}
			was.c.Attach()
			continue
		}
		next := generation{handOver(t, was.c), new(sync.WaitGroup)}
		mu.Lock()
		now = next
		mu.Unlock()
		was.busy.Wait()
		if err := was.c.Close(); err != nil {
			t.Error(err)
		}
		next.c.Adopt()
	}
	close(stop)
	work.Wait()
	now.c.Adopt() // what the last one that went back and forth had on its way
	newLedger().checkFiles(t, now.c)
	wantClean(t, now.c)
}

// A hand-over that was taken back is no obstacle to the next one, also while a file from then is still on its way.
func TestDetachAgainWhileSomethingIsOnItsWay(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	disk := &cache.FaultyDisk{Quick: true, Before: func(op, path string) error {
		if op == "write" && strings.Contains(path, "handed") && filepath.Base(path) != "lock" {
			once.Do(func() {
				close(entered)
				<-release
			})
		}
		return nil
	}}
	c := open(t, cache.Options{}.WithDisk(disk))
	if _, err := c.Detach(); err != nil {
		t.Fatal(err)
	}
	body := bytesOf(910, 5000)
	d := digest.FromBytes(body)
	done := make(chan error)
	go func() { done <- c.PutFrom(d, body, "") }()
	<-entered
	c.Attach()
	if _, err := c.Detach(); err != nil {
		t.Errorf("the next time: %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	c.Attach()
	if !has(t, c, d) {
		t.Error("what was on its way is not there")
	}
}

// A directory in which nothing can be moved is let go of all the same: another one can open it, with what was on disk of
// downloads. When nobody does it is taken back, and used again from when it can be.
func TestDetachFromADirectoryThatCannotBeWritten(t *testing.T) {
	for _, taken := range []bool{true, false} {
		var sick atomic.Bool
		disk := &cache.FaultyDisk{Quick: true, Before: func(op, path string) error {
			if sick.Load() {
				return &fs.PathError{Op: op, Path: path, Err: syscall.EROFS}
			}
			return nil
		}}
		c := open(t, cache.Options{}.WithDisk(disk))
		stored, body := bytesOf(2030, 4000), bytesOf(2031, 1<<20)
		put(t, c, stored)
		f := join(t, c, digest.FromBytes(body))
		r := reader(t, f, 0, -1, true)
		if err := f.SetSize(int64(len(body))); err != nil {
			t.Fatal(err)
		}
		cl := claim(t, f)
		write(t, cl, body[:700<<10])
		sick.Store(true)
		if lock, err := c.Detach(); lock != nil || err != nil {
			t.Fatalf("%v, %v", lock, err)
		}
		if got, err := io.ReadAll(r); !errors.Is(err, cache.ErrClosed) || !bytes.Equal(got, body[:len(got)]) {
			t.Errorf("whoever reads what is on its way gets %d bytes: %v", len(got), err)
		}
		cl.Release()
		if got := get(t, c, digest.FromBytes(stored)); !bytes.Equal(got, stored) {
			t.Error("what is stored: other bytes")
		}
		if _, _, err := c.Join(digest.FromBytes(bytesOf(2032, 10))); !cache.IsLocal(err) {
			t.Errorf("a download begins: %v", err)
		}
		sick.Store(false)
		next := c
		if taken {
			next = open(t, cache.Options{Dir: c.Dir()})
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			next.Adopt()
		} else {
			c.Attach()
			var held *cache.HeldError
			if _, err := cache.Open(cache.Options{Dir: c.Dir()}); !errors.As(err, &held) {
				t.Fatalf("another one: %v", err)
			}
		}
		g := join(t, next, digest.FromBytes(body))
		if g.Resumed() < 512<<10 {
			t.Errorf("taken %v: %d bytes are left", taken, g.Resumed())
		}
		reader(t, g, 0, -1, true)
		if err := drive(g, body); err != nil {
			t.Fatal(err)
		}
		wantClean(t, next)
	}
}

// One that is let go of and taken back while it still cannot be written is written when it can be, unless somebody else has
// it by then.
func TestAttachToADirectoryThatCannotBeWritten(t *testing.T) {
	for _, held := range []bool{false, true} {
		var sick atomic.Bool
		disk := &cache.FaultyDisk{Quick: true, Before: func(op, path string) error {
			if sick.Load() {
				return &fs.PathError{Op: op, Path: path, Err: syscall.EROFS}
			}
			return nil
		}}
		c := open(t, cache.Options{}.WithDisk(disk))
		sick.Store(true)
		if lock, err := c.Detach(); lock != nil || err != nil {
			t.Fatalf("%v, %v", lock, err)
		}
		c.Attach()
		body := bytesOf(2040, 5000)
		if err := c.PutFrom(digest.FromBytes(body), body, ""); !cache.IsLocal(err) {
			t.Errorf("held %v: stored: %v", held, err)
		}
		sick.Store(false)
		end := func() {}
		if held {
			other := open(t, cache.Options{Dir: c.Dir()})
			end = func() { _ = other.Close() }
		}
		err := c.Flush()
		if other := (*cache.HeldError)(nil); errors.As(err, &other) != held || err != nil && !held {
			t.Errorf("held %v: flush: %v", held, err)
		}
		err = c.PutFrom(digest.FromBytes(body), body, "")
		if cache.IsLocal(err) != held || err != nil && !held {
			t.Errorf("held %v: stored: %v", held, err)
		}
		end()
		if err := c.Flush(); err != nil {
			t.Error(err)
		}
		put(t, c, body)
	}
}
