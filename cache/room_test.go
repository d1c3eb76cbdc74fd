package cache_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pulley/cache"
)

// diskOf is a disk of a number of bytes, on which others have some.
type diskOf struct {
	all, others atomic.Int64
	cache       atomic.Pointer[cache.Cache]
}

func (d *diskOf) free(string) (int64, error) {
	c := d.cache.Load()
	if c == nil {
		return 0, errors.New("not now")
	}
	return max(0, d.all.Load()-d.others.Load()-c.Stat().Size), nil
}

// filled is a cache of images of a thousand bytes each on a disk that others fill.
func filled(t *testing.T, images int) (*cache.Cache, *diskOf) {
	t.Helper()
	d := &diskOf{}
	d.all.Store(1 << 40)
	c := open(t, cache.Options{Free: d.free}.WithFloor(10_000).In(filepath.Join(t.TempDir(), "cache")))
	d.cache.Store(c)
	for i := range images {
		small(t, c, debian, fmt.Sprint("v", i), bytesOf(uint64(800+i), 900))
		time.Sleep(time.Second) // of the bubble
	}
	return c, d
}

// Once a minute the disk is looked at: when others fill it the cache gives way by
// an eighth at a time, keeps what is pinned, and a part of what it has.
func TestNearlyFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d := filled(t, 100)
		if err := c.Pin(debian, "v0", true); err != nil {
			t.Fatal(err)
		}
		before := c.Stat().Size
		d.all.Store(before + before/7) // an eighth is free: enough
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if st := c.Stat(); st.Size != before || st.Crowded {
			t.Fatalf("%d bytes of %d are left", st.Size, before)
		}
		d.others.Store(before / 7) // nothing is free
		last := before
		for range 40 {
			time.Sleep(time.Minute)
			synctest.Wait()
			now := c.Stat().Size
			if gone := last - now; gone > last/7+1200 {
				t.Fatalf("%d of %d bytes went at once", gone, last)
			}
			d.others.Add(last - now) // whoever it is takes it all
			last = now
		}
		if last > 12_000 || last < 8_000 || !known(t, c, debian, "v0") || known(t, c, debian, "v1") || !known(t, c, debian, "v99") {
			t.Fatalf("%d bytes of %d are left", last, before)
		}
		if !c.Stat().Crowded {
			t.Error("nobody says that the disk is full")
		}
		d.others.Store(0) // whoever it was went
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if c.Stat().Crowded {
			t.Error("the disk is said to be full, and is not")
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// After a commit it is looked at at once.
func TestDiskIsNearlyFullAfterACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, d := filled(t, 50)
		d.all.Store(c.Stat().Size + 1000)
		time.Sleep(10 * time.Second)
		body := bytesOf(899, 900)
		f := begun(t, c, body)
		if err := drive(f, body); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second) // some of it may have been made room for before its end
		synctest.Wait()
		free, _ := d.free("")
		if size := c.Stat().Size; free < (size+free)/8 || size < (size+free)*3/4 {
			t.Fatalf("%d bytes free beside %d", free, size)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFree(t *testing.T) {
	clk := newClock()
	c := open(t, cache.Options{Now: clk.now})
	for i := range 5 {
		small(t, c, debian, fmt.Sprint("v", i), bytesOf(uint64(820+i), 900))
		clk.step(time.Hour)
	}
	each := c.Stat().Size / 5
	if freed, err := c.Free(each + 1); err != nil || freed != 2*each || known(t, c, debian, "v1") || !known(t, c, debian, "v2") {
		t.Fatal(freed, err)
	}
	if freed, err := c.Free(1 << 40); err != nil || freed != 3*each {
		t.Fatal(freed, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Free(1); !errors.Is(err, cache.ErrClosed) {
		t.Fatal(err)
	}
}

// Writing index.json takes no more than a few percent of the time, however long it
// takes and however much is pulled; in the end it says everything.
func TestIndexIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		var written atomic.Int64
		disk := &cache.FaultyDisk{Before: func(op, path string) error {
			if op == "rename" && strings.HasSuffix(path, "index.json") && slow.Load() {
				written.Add(1)
				time.Sleep(3 * time.Second)
			}
			return nil
		}}
		c := open(t, cache.Options{}.WithDisk(disk).In(filepath.Join(t.TempDir(), "cache")))
		d := small(t, c, debian, "v0", []byte("layer"))
		slow.Store(true)
		for i := range 900 {
			setTag(t, c, debian, fmt.Sprint("v", i), d)
			time.Sleep(time.Second)
		}
		if n := written.Load(); n < 3 || n > 900/150+2 {
			t.Fatalf("written %d times in a quarter of an hour", n)
		}
		time.Sleep(10 * time.Minute)
		slow.Store(false)
		synctest.Wait()
		if got := indexed(t, c); len(got) != 900 || written.Load() > 900/150+6 {
			t.Fatalf("%d entries, written %d times", len(got), written.Load())
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// The index of an image that is gone is not written as if it were there.
func TestIndexForgetsWhatWasEvicted(t *testing.T) {
	c := open(t, cache.Options{})
	putImage(t, c, randomImage(t), false)
	setTag(t, c, debian, "latest", putImage(t, c, randomImage(t), false))
	if got := indexed(t, c); len(got) != 1 {
		t.Fatal(names(got))
	}
	gc(t, c, 0)
	if got := indexed(t, c); len(got) != 0 || c.Stat().Blobs != 0 {
		t.Fatal(names(got), c.Stat())
	}
}
