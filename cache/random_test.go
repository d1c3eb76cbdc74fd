package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// world is a cache and the truth about what it may say.
type world struct {
	t      *testing.T
	bodies [][]byte
	seed   uint64
	open   bool // lies go out before the digest fits
	next   atomic.Uint64
	served atomic.Int64 // bytes that readers got
	lies   atomic.Int64 // how often a digest broke
	mended atomic.Int64 // and was put right
}

func (w *world) rng() *rand.Rand { return rand.New(rand.NewPCG(w.seed, w.next.Add(1))) }

// TestRandomWorld lets clients ask for random ranges of a few blobs, while
// drivers fetch them with several workers in random pieces, fail, give up and
// sometimes get wrong bytes, blobs are evicted, deleted and damaged, and the
// cache is closed, abandoned and opened again. Whatever happens, a reader gets
// the right bytes up to where it ends, and one that ends well has them all.
//
// The bytes come from several sources. If those that lie are withheld, nobody
// ever gets a wrong byte; if not, then no reader that carries a blob to its end
// ends well with one. Whatever is wrong in a file is known to be a liar's, over
// every restart, so that a broken digest can be put right.
// N rounds (default 6), SEED to repeat one.
func TestRandomWorld(t *testing.T) {
	t.Run("withheld", func(t *testing.T) { randomWorld(t, false) })
	t.Run("open", func(t *testing.T) { randomWorld(t, true) })
}

func randomWorld(t *testing.T, open bool) {
	seed, rounds := drawn(t, 6)
	w := &world{t: t, seed: seed, open: open}
	for i, n := range []int{0, 1, 1000, cache.HoldBack, 300_000, 1_500_000, 3_000_000} {
		w.bodies = append(w.bodies, bytesOf(seed+uint64(i), n))
	}
	dir := t.TempDir()
	for range rounds {
		dir = w.round(dir)
	}
	if w.served.Load() == 0 || rounds >= 6 && (w.lies.Load() == 0 || w.mended.Load() == 0) {
		t.Fatalf("%d bytes served, %d digests broken, %d mended", w.served.Load(), w.lies.Load(), w.mended.Load())
	}
	w.settle(dir)
}

// round is one life of the process. It returns the directory of the next one.
func (w *world) round(dir string) string {
	rng := w.rng()
	c, err := cache.Open(cache.Options{Dir: dir, MaxSize: []int64{0, 2_000_000, 4_000_000}[rng.IntN(3)]})
	if err != nil {
		w.t.Fatal(err)
	}
	var clients, drivers sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	for range 12 {
		clients.Go(func() {
			rng := w.rng()
			for range 8 {
				w.client(ctx, c, rng, &drivers)
			}
		})
	}
	vandal := make(chan struct{})
	go func() {
		defer close(vandal)
		w.vandal(ctx, c)
	}()
	next := dir
	switch rng.IntN(3) {
	case 0: // an orderly end
		clients.Wait()
	case 1: // closed under everybody
		w.wait(rng)
		_ = c.Close()
	case 2: // killed: the next one gets what is on disk now
		w.wait(rng)
		next = copyDir(w.t, dir)
	}
	cancel()
	<-vandal
	clients.Wait()
	drivers.Wait()
	if err := c.Close(); err != nil {
		w.t.Errorf("close: %v", err)
	}
	return next
}

// wait lets the world turn for a moment.
func (w *world) wait(rng *rand.Rand) {
	<-time.After(time.Duration(rng.IntN(80)) * time.Millisecond)
}

// settle ends with everything fetched and right.
func (w *world) settle(dir string) {
	c := open(w.t, cache.Options{Dir: dir})
	for _, body := range w.bodies {
		d := digest.FromBytes(body)
		if b, err := c.Get(d); err == nil {
			_ = b.Close()
		} else {
			f := join(w.t, c, d)
			reader(w.t, f, 0, -1, true)
			if err := drive(f, body); err != nil {
				// What was resumed may have been damaged by the vandal.
				var de *cache.DigestError
				if !errors.As(err, &de) {
					w.t.Fatal(err)
				}
				f = join(w.t, c, d)
				reader(w.t, f, 0, -1, true)
				if err := drive(f, body); err != nil {
					w.t.Fatal(err)
				}
			}
		}
		if !bytes.Equal(get(w.t, c, d, cache.Verified()), body) {
			w.t.Fatal("other bytes")
		}
	}
	if err := c.Flush(); err != nil {
		w.t.Fatal(err)
	}
	total := int64(0)
	for _, b := range w.bodies {
		total += int64(len(b))
	}
	if st := c.Stat(); st.Size != total || st.Blobs != int64(len(w.bodies)) || st.PartialSize != 0 || st.Fills != 0 {
		w.t.Fatalf("%+v, want %d bytes", st, total)
	}
	wantClean(w.t, c)
}

// client asks for one range of one blob as the registry would.
func (w *world) client(ctx context.Context, c *cache.Cache, rng *rand.Rand, drivers *sync.WaitGroup) {
	body := w.bodies[rng.IntN(len(w.bodies))]
	d := digest.FromBytes(body)
	off := rng.IntN(len(body) + 1)
	n := rng.IntN(len(body) - off + 1)
	whole := rng.IntN(3) == 0
	if whole {
		n = len(body) - off
		if rng.IntN(2) == 0 {
			off, n = 0, len(body)
		}
	}
	for range 50 {
		if b, err := c.Get(d); err == nil {
			got := make([]byte, n)
			_, err := b.ReadAt(got, int64(off))
			if (err != nil && !errors.Is(err, io.EOF)) || !bytes.Equal(got, body[off:off+n]) {
				w.t.Errorf("stored blob has other bytes: %v", err)
			}
			_ = b.Close()
			return
		}
		f, first, err := c.Join(d)
		if errors.Is(err, cache.ErrStored) {
			continue
		}
		if err != nil {
			if !errors.Is(err, cache.ErrClosed) {
				w.t.Errorf("join: %v", err)
			}
			return
		}
		r, err := f.Reader(ctx, int64(off), int64(n), whole)
		if first {
			drivers.Go(func() { w.drive(c, f, body) })
		}
		if err != nil {
			if errors.Is(err, cache.ErrEnded) || errors.Is(err, cache.ErrStored) {
				continue
			}
			return
		}
		w.read(r, rng, body[off:off+n], whole, len(body))
		return
	}
	w.t.Error("sent to and fro for ever")
}

func (w *world) read(r *cache.Reader, rng *rand.Rand, want []byte, whole bool, size int) {
	defer func() { _ = r.Close() }()
	limit := int64(len(want))
	if rng.IntN(3) == 0 { // hangs up early
		limit = rng.Int64N(limit + 1)
	}
	var got bytes.Buffer
	_, err := io.CopyN(&got, r, limit)
	if err == nil && limit == int64(len(want)) {
		_, err = io.Copy(&got, r)
		if err == nil && got.Len() != len(want) {
			w.t.Errorf("ended well after %d of %d bytes", got.Len(), len(want))
		}
	}
	w.served.Add(int64(got.Len()))
	if bytes.Equal(got.Bytes(), want[:min(got.Len(), len(want))]) {
		return
	}
	// Bytes that went out before the digest was known may be wrong, but never all
	// of them to a whole reader, nor with a good end.
	switch {
	case !w.open:
		w.t.Errorf("a reader got wrong bytes: %v", err)
	case whole && int(r.Offset()) >= size:
		w.t.Errorf("a whole reader got wrong bytes to the end: %v", err)
	case whole && err == nil && limit == int64(len(want)):
		w.t.Error("wrong bytes and a good end")
	}
}

// drive fetches a blob with up to three workers.
func (w *world) drive(c *cache.Cache, f *cache.Fill, body []byte) {
	rng := w.rng()
	w.wantLiars(f, body)
	if rng.IntN(2) == 0 {
		if err := f.SetSize(int64(len(body))); err != nil {
			f.Fail(err)
			return
		}
	}
	var workers sync.WaitGroup
	for range 1 + rng.IntN(3) {
		workers.Go(func() { w.work(c, f, body) })
	}
	workers.Wait()
	f.Fail(nil)
}

func (w *world) work(c *cache.Cache, f *cache.Fill, body []byte) {
	rng := w.rng()
	for {
		cl, err := f.ClaimAtMost(context.Background(), int64(1+rng.IntN(1_000_000)))
		switch {
		case errors.Is(err, cache.ErrComplete):
			w.commit(c, f, body, rng)
			return
		case errors.Is(err, cache.ErrIdle):
			switch rng.IntN(3) {
			case 0:
				f.WantAll()
			default:
				if f.EndIdle() {
					return
				}
			}
			continue
		case err != nil:
			return
		}
		done := w.fetch(f, cl, rng, body)
		cl.Release()
		if done {
			return
		}
	}
}

var errGaveUp = errors.New("the source gave up")

// fetch writes a claim in random pieces; it reports whether the worker ends.
func (w *world) fetch(f *cache.Fill, cl *cache.Claim, rng *rand.Rand, body []byte) bool {
	if cl.Off > int64(len(body)) { // out of range, the source says, and tells the size
		if err := f.SetSize(int64(len(body))); err != nil {
			f.Fail(err)
			return true
		}
		return false
	}
	end := cl.End
	open := end < 0 || end > int64(len(body))
	if open {
		end = int64(len(body))
		if rng.IntN(3) == 0 {
			cl.Limit(rng.Int64N(500_000))
		}
	}
	src := w.someSource(rng)
	cl.From(src.name, src.withhold)
	for at := cl.Off; at < end; {
		if rng.IntN(15) == 0 {
			src = w.someSource(rng)
			cl.From(src.name, src.withhold)
		}
		if rng.IntN(60) == 0 {
			return false // a connection that broke
		}
		if rng.IntN(400) == 0 {
			f.Fail(errGaveUp)
			return true
		}
		p := body[at:min(end, at+int64(1+rng.IntN(100_000)))]
		if src.lies && rng.IntN(4) == 0 {
			p = wrongAt(p, rng.IntN(len(p)))
		}
		n, err := cl.Write(p)
		at += int64(n)
		switch {
		case errors.Is(err, cache.ErrStop):
			return false
		case err != nil:
			return true
		case n != len(p):
			w.t.Errorf("%d of %d bytes written without an error", n, len(p))
			return true
		}
	}
	if open {
		if err := cl.EOF(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			f.Fail(err)
			return true
		}
	}
	return false
}

// vandal evicts, deletes and damages.
func (w *world) vandal(ctx context.Context, c *cache.Cache) {
	rng := w.rng()
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		d := digest.FromBytes(w.bodies[rng.IntN(len(w.bodies))])
		switch rng.IntN(5) {
		case 0:
			_ = c.Delete(d)
		case 1:
			c.SetMaxSize(rng.Int64N(6_000_000))
			c.Shrink()
			c.SetMaxSize(0)
		case 2:
			if err := c.Flush(); err != nil {
				w.t.Errorf("flush: %v", err)
			}
		case 3:
			if len(w.bodies) > 0 && rng.IntN(4) == 0 {
				// Put in its place: what is open stays what it was.
				bad := filepath.Join(c.Dir(), "vandal")
				if _, err := os.Stat(blobPath(c, d)); err == nil && os.WriteFile(bad, bytesOf(rng.Uint64(), rng.IntN(1000)), 0o600) == nil {
					_ = os.Rename(bad, blobPath(c, d))
				}
			}
		case 4:
			name := cache.Name{Registry: "r.io", Repository: fmt.Sprintf("a/%d", rng.IntN(3))}
			if err := c.SetTag(cache.Tag{Name: name, Tag: "t", Digest: d}); err != nil && !errors.Is(err, cache.ErrClosed) {
				w.t.Errorf("tag: %v", err)
			}
			c.References(name, d)
		}
	}
}
