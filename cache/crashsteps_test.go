package cache_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"pulley/cache"
	"pulley/cache/bundle"
)

var bg = context.Background()

var (
	placeA = place{debian, "a"}
	placeB = place{debian, "b"}
	placeD = place{cache.Name{Registry: "ghcr.io", Repository: "org/app"}, "d"}
	placeL = place{cache.Name{Registry: cache.Local, Repository: "my/app"}, "l"}

	baseLayer = bytesOf(1200, 20_000)
	parcelA   = newParcel("a", baseLayer, bytesOf(1201, 5000))
	parcelB   = newParcel("b", baseLayer, bytesOf(1202, 6000))
	parcelC   = newParcel("c", baseLayer, bytesOf(1203, 7000))
	parcelD   = newParcel("d", baseLayer, bytesOf(1204, 8000))
	parcelL   = newParcel("l", bytesOf(1205, 9000))
)

// crashSteps is some of each of what changes a cache.
var crashSteps = map[string]func(l *ledger, c *cache.Cache, clk *clock){
	"fill": func(l *ledger, c *cache.Cache, _ *clock) {
		l.commit(c, placeA, parcelA, "fill")
		l.half(c, bytesOf(1206, 50_000))
		_ = c.Flush()
		l.commit(c, placeB, parcelB, "put")
	},
	"evict": func(l *ledger, c *cache.Cache, clk *clock) {
		for at, p := range map[place]*parcel{placeA: parcelA, placeB: parcelB, placeL: parcelL} {
			l.commit(c, at, p, "put")
		}
		clk.step(time.Hour)
		l.commit(c, placeB, parcelC, "put") // b is of no use any more
		l.commit(c, placeD, parcelD, "put")
		_ = c.Link(debian, parcelB.digest(), "")
		l.half(c, bytesOf(1207, 40_000))
		_ = c.Flush()
		l.evict(c, c.Stat().Size-8000)
		l.evict(c, 0)
		l.commit(c, placeA, parcelA, "fill") // what went comes again
	},
	"pin": func(l *ledger, c *cache.Cache, _ *clock) {
		l.commit(c, placeA, parcelA, "put")
		l.pin(c, placeA, true)
		l.commit(c, placeB, parcelB, "put")
		l.commit(c, placeA, parcelC, "put") // pinned it stays
		l.evict(c, 0)
		l.pin(c, placeA, false)
		l.pin(c, placeA, true)
		_ = c.Flush()
		l.pin(c, placeA, false)
		l.remove(c, placeA)
	},
	"push": func(l *ledger, c *cache.Cache, _ *clock) {
		l.commit(c, placeL, parcelL, "upload")
		l.commit(c, placeL, parcelB, "upload")
		l.evict(c, 0)
		_ = c.DeleteTag(placeD.Name, placeD.tag)
		l.commit(c, placeD, parcelD, "upload")
		l.remove(c, placeL)
	},
	"import": importStep,
}

// importStep takes a bundle of two images in.
func importStep(l *ledger, c *cache.Cache, _ *clock) {
	for _, p := range []*parcel{parcelA, parcelL} {
		for _, b := range append([][]byte{p.manifest}, p.blobs...) {
			l.body(b)
		}
	}
	l.begin(placeA, parcelA)
	l.begin(placeD, parcelL)
	list, _ := bundle.Import(bg, bytes.NewReader(theBundle()), c, nil)
	for _, i := range list {
		switch (place{i.Name, i.Tag}) {
		case placeA:
			l.end(placeA, parcelA)
		case placeD:
			l.end(placeD, parcelL)
		}
	}
}

// theBundle is an archive of two images.
var theBundle = sync.OnceValue(func() []byte {
	dir, err := os.MkdirTemp("", "bundle-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	c, err := cache.Open(cache.Options{Dir: dir})
	if err != nil {
		panic(err)
	}
	defer func() { _ = c.Close() }()
	l := newLedger()
	l.commit(c, placeA, parcelA, "put")
	l.commit(c, placeD, parcelL, "put")
	images, err := c.Images()
	if err != nil {
		panic(err)
	}
	var buf bytes.Buffer
	b, err := bundle.New(c, images, bundle.Options{All: true})
	if err == nil {
		err = b.Write(bg, &buf)
		b.Close()
	}
	if err != nil {
		panic(err)
	}
	return buf.Bytes()
})

// TestCrashAtEveryStep stops a cache at each of its changes of the directory, in
// three ways: the change fails, once; it fails and so does all that follows; and
// the process is gone, of which what is on disk at this moment is left. Whatever
// was promised holds at the next start, no byte is wrong and nothing is left over.
// N=1 for all steps, N for each N-th (default 8) from a random one on, which SEED
// repeats.
func TestCrashAtEveryStep(t *testing.T) {
	total, stride, seed := 0, number("N", 8), uint64(number("SEED", rand.IntN(1e9)))
	first := int(seed % uint64(stride))
	t.Logf("SEED=%d N=%d", seed, stride)
	for name, work := range crashSteps {
		n := countSteps(t, func(c *cache.Cache) { work(newLedger(), c, newClock()) })
		total += n
		for _, kind := range []string{"once", "from then on", "killed"} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				for at := first; at < n; at += stride {
					crashAt(t, at, kind, work)
				}
			})
		}
	}
	t.Logf("%d changes", total)
}

// number is a number from the environment.
func number(name string, without int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return without
}

func crashAt(t *testing.T, n int, kind string, work func(*ledger, *cache.Cache, *clock)) {
	t.Helper()
	dir, clk, l := t.TempDir(), newClock(), newLedger()
	var mu sync.Mutex
	var killed string
	var then *ledger
	at, what := 0, "nothing"
	disk := &cache.FaultyDisk{Quick: true, Before: func(op, path string) error {
		mu.Lock()
		defer mu.Unlock()
		i := at
		at++
		switch {
		case i < n, i > n && kind == "once":
			return nil
		case i == n:
			what = op + " " + path
			if kind == "killed" {
				killed, then = copyDir(t, dir), l.clone()
			}
		}
		return &os.PathError{Op: op, Path: path, Err: syscall.EIO}
	}}
	if c, err := cache.Open(cache.Options{Now: clk.now}.WithDisk(disk).In(dir).Quick()); err == nil {
		work(l, c, clk)
		_ = c.Close()
	}
	if killed != "" {
		dir, l = killed, then
	}
	defer func() {
		if t.Failed() {
			t.Logf("step %d: %s", n, what)
		}
	}()
	well := &cache.FaultyDisk{Quick: true, Before: func(string, string) error { return nil }}
	c, err := cache.Open(cache.Options{Now: clk.now}.WithDisk(well).In(dir).Quick())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	l.check(t, c)
	work(l, c, clk)
	_ = c.Close() // it may have given the directory to another one
	if c, err = cache.Open(cache.Options{Now: clk.now}.WithDisk(well).In(dir).Quick()); err != nil {
		t.Fatal(err)
	}
	l.check(t, c)
	l.clear(t, c)
}
