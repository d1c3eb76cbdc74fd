package cache_test

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// clock is a time that moves when told to.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func has(t testing.TB, c *cache.Cache, d digest.Digest) bool {
	t.Helper()
	b, err := c.Get(d)
	if err != nil {
		var miss *cache.MissError
		if !errors.As(err, &miss) || miss.Reason != cache.Absent {
			t.Fatal(err)
		}
		return false
	}
	_ = b.Close()
	return true
}

func TestEvictsWhatWasNotUsedForLongest(t *testing.T) {
	for _, flushed := range []bool{false, true} {
		clk := newClock()
		c := open(t, cache.Options{Now: clk.now})
		var ds []digest.Digest
		for i := range 10 {
			ds = append(ds, put(t, c, bytesOf(uint64(100+i), 1000)))
			clk.step(time.Hour)
		}
		get(t, c, ds[0])
		get(t, c, ds[2])
		if flushed {
			if err := c.Flush(); err != nil {
				t.Fatal(err)
			}
			clk.step(time.Hour)
			get(t, c, ds[1])
		}
		open1, err := c.Get(ds[3]) // used last, and open
		if err != nil {
			t.Fatal(err)
		}
		c.SetMaxSize(4500)
		c.Shrink()
		if st := c.Stat(); st.Size != 4000 || st.Blobs != 4 || st.Evicted != 6 || st.EvictedSize != 6000 {
			t.Fatalf("%+v", st)
		}
		want := map[int]bool{0: true, 2: true, 3: true, 9: true}
		if flushed {
			want = map[int]bool{0: true, 1: true, 2: true, 3: true}
		}
		for i, d := range ds {
			if got := has(t, c, d); got != want[i] {
				t.Errorf("flushed %v: blob %d there: %v, want %v", flushed, i, got, want[i])
			}
		}
		_ = open1.Close()
	}
}

// What was used while the clock was ahead is not kept for longest when it is right again.
func TestUsesOfAClockThatWasAhead(t *testing.T) {
	for _, again := range []bool{false, true} {
		clk := newClock()
		c := open(t, cache.Options{Now: clk.now})
		small(t, c, debian, "older", bytesOf(789, 1000))
		clk.step(24 * time.Hour)
		small(t, c, debian, "ahead", bytesOf(790, 1000))
		loose := put(t, c, bytesOf(791, 1000))
		clk.step(time.Second)
		small(t, c, debian, "ahead2", bytesOf(792, 1000))
		if again {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
		clk.step(-24 * time.Hour)
		if again {
			c = open(t, cache.Options{Now: clk.now, Dir: c.Dir()})
		}
		clk.step(time.Minute)
		small(t, c, debian, "right", bytesOf(793, 1000))
		for _, left := range []string{"older", "ahead", "ahead2", "right"} {
			if !known(t, c, debian, left) {
				t.Fatalf("%q has gone before it had to", left)
			}
			gc(t, c, c.Stat().Size-1)
			if left == "ahead" {
				if there, _ := c.Known(rawOf(t, loose)); !there {
					t.Fatal("what belongs to nothing has gone before it had to")
				}
				gc(t, c, c.Stat().Size-1)
			}
			if known(t, c, debian, left) {
				t.Fatalf("%q is there: again %v", left, again)
			}
		}
	}
}

func TestOpenBlobsAndRunningDownloadsStay(t *testing.T) {
	clk := newClock()
	c := open(t, cache.Options{Now: clk.now})
	body := bytesOf(120, 1000)
	d := put(t, c, body)
	b, err := c.Get(d)
	if err != nil {
		t.Fatal(err)
	}
	fillBody := bytesOf(121, 3<<20)
	f := join(t, c, digest.FromBytes(fillBody))
	r := reader(t, f, 0, -1, true)
	if err := f.SetSize(int64(len(fillBody))); err != nil {
		t.Fatal(err)
	}
	cl := claim(t, f)
	write(t, cl, fillBody[:2<<20])
	clk.step(time.Hour)
	c.SetMaxSize(1)
	c.Shrink()
	if got, err := io.ReadAll(b.File()); err != nil || !bytes.Equal(got, body) || !has(t, c, d) {
		t.Fatal("evicted under its reader")
	}
	_ = b.Close()
	c.Shrink()
	if has(t, c, d) {
		t.Fatal("not evicted after its reader left")
	}
	c.SetMaxSize(0)
	write(t, cl, fillBody[2<<20:])
	cl.Release()
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	readN(t, r, fillBody)
}

func TestPartialsCountAndGoInTheirTurn(t *testing.T) {
	clk := newClock()
	c := open(t, cache.Options{Now: clk.now})
	half := func(seed uint64) digest.Digest {
		body := bytesOf(seed, 1<<20)
		d := digest.FromBytes(body)
		f := join(t, c, d)
		reader(t, f, 0, -1, true)
		cl := claim(t, f)
		write(t, cl, body[:500<<10])
		cl.Release()
		f.Fail(nil)
		clk.step(time.Hour)
		return d
	}
	oldest := half(130)
	blob := put(t, c, bytesOf(131, 1000))
	clk.step(time.Hour)
	newest := half(132)
	if st := c.Stat(); st.Partials != 2 || st.PartialSize != 1000<<10 || st.Size != 1000<<10+1000 {
		t.Fatalf("%+v", st)
	}
	c.SetMaxSize(600 << 10)
	c.Shrink()
	if !has(t, c, blob) || c.Stat().Partials != 1 {
		t.Fatalf("%+v", c.Stat())
	}
	f := join(t, c, oldest)
	if f.Have() != 0 {
		t.Fatal("the oldest is still there")
	}
	f.Fail(nil)
	f = join(t, c, newest)
	if f.Have() != 500<<10 {
		t.Fatal("the newest has gone")
	}
	f.Fail(nil)
	if err := c.Delete(newest); err != nil {
		t.Fatal(err)
	}
	if st := c.Stat(); st.PartialSize != 0 || st.Partials != 0 || st.Size != 1000 {
		t.Fatalf("%+v", st)
	}
}

func TestLargerThanTheLimitIsNotKept(t *testing.T) {
	c := open(t, cache.Options{MaxSize: 1 << 20})
	d := put(t, c, []byte("stays"))
	var ns *cache.NoSpaceError
	big := bytesOf(140, 1<<20+1)
	if err := c.Put(digest.FromBytes(big), big); !errors.As(err, &ns) {
		t.Fatal(err)
	}
	f := join(t, c, digest.FromBytes(big))
	r := reader(t, f, 0, -1, true)
	if err := f.SetSize(int64(len(big))); !errors.As(err, &ns) {
		t.Fatal(err)
	}
	if _, err := f.Claim(t.Context()); !errors.As(err, &ns) {
		t.Fatal(err)
	}
	f.Fail(ns)
	if _, err := io.ReadAll(r); !errors.As(err, &ns) {
		t.Fatal(err)
	}
	if !has(t, c, d) {
		t.Fatal("something was thrown away for it")
	}
}

// A blob that does not fit on the disk is refused before its first byte, and
// only if evicting would not help; nothing is thrown away in vain.
func TestFreeSpaceIsAskedFirst(t *testing.T) {
	var c *cache.Cache
	capacity := int64(10_000)
	clk := newClock()
	c = open(t, cache.Options{Now: clk.now, Free: func(string) (int64, error) { return capacity - c.Stat().Size, nil }})
	a := put(t, c, bytesOf(150, 4000))
	clk.step(time.Hour)
	b := put(t, c, bytesOf(151, 4000))
	var ns *cache.NoSpaceError
	f := join(t, c, digest.FromString("too large"))
	reader(t, f, 0, -1, true)
	if err := f.SetSize(20_000); !errors.As(err, &ns) {
		t.Fatal(err)
	}
	f.Fail(ns)
	if !has(t, c, a) || !has(t, c, b) {
		t.Fatal("thrown away in vain")
	}
	clk.step(time.Hour)
	get(t, c, a)
	f = join(t, c, digest.FromString("fits"))
	reader(t, f, 0, -1, true)
	if err := f.SetSize(5000); err != nil {
		t.Fatal(err)
	}
	if !has(t, c, a) || has(t, c, b) {
		t.Fatal("the wrong one made room")
	}
	f.Fail(nil)
}
