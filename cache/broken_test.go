package cache_test

import (
	"context"
	"errors"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// Whoever ends a fill whose digest is broken, nothing wrong is left behind.
func TestEndedWhileBroken(t *testing.T) {
	for name, end := range map[string]func(*cache.Cache, *cache.Fill){
		"idle":  func(_ *cache.Cache, f *cache.Fill) { f.EndIdle() },
		"close": func(c *cache.Cache, _ *cache.Fill) { _ = c.Close() },
		"fail":  func(_ *cache.Cache, f *cache.Fill) { f.Fail(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, cache.Options{})
			body := bytesOf(406, 1000)
			f := begun(t, c, body)
			cl := claim(t, f)
			bring(t, cl, wrongAt(body, 1), "liar", true)
			cl.Release()
			commitWrong(t, f)
			end(c, f)
			<-f.Done()
			_ = c.Close()
			f = join(t, open(t, cache.Options{Dir: c.Dir()}), digest.FromBytes(body))
			if f.Have() != 0 || len(f.Provenance()) != 0 {
				t.Fatalf("%d bytes were kept", f.Have())
			}
			f.Fail(nil)
		})
	}
}

// A kill in the middle of a repair: the next run shows nobody a byte before the
// digest fits, though some had been shown before, and can go on with the repair.
func TestKilledWhileBroken(t *testing.T) {
	body := bytesOf(408, 1<<20)
	c := open(t, cache.Options{})
	f := begun(t, c, body)
	cl := claim(t, f)
	bring(t, cl, wrongAt(body[:600_000], 5, 590_000), "liar", false)
	bring(t, cl, body[600_000:], "origin", false)
	commitWrong(t, f) // the claim is still held, and much of it not in the journal
	amend(t, f, body, 0, 100_000, true)
	cl.Release()
	again := open(t, cache.Options{Dir: copyDir(t, c.Dir())})
	f.Fail(nil)

	f = join(t, again, digest.FromBytes(body))
	wantProvenance(t, f, cache.Part{0, 100_000, "origin", true}, cache.Part{100_000, 600_000, "liar", true}, cache.Part{600_000, 1 << 20, "origin", true})
	r, part := now(t, f, 0, -1, true), now(t, f, 700_000, 100, false)
	wantNow(t, r, nil, context.Canceled)
	wantNow(t, part, nil, context.Canceled)
	if de := commitWrong(t, f); de.Resumed != 1<<20 {
		t.Fatal(de.Resumed)
	}
	amend(t, f, body, 100_000, 600_000, true)
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	wantNow(t, r, body, nil)
	wantNow(t, part, body[700_000:700_100], nil)
}

// The disk fills up during a repair: the driver is told, and so is who was given
// nothing and can have the blob from elsewhere. Who was given bytes of which some
// are wrong must not go on after them.
func TestDiskFullDuringARepair(t *testing.T) {
	var disk full
	c := open(t, cache.Options{}.WithDisk(disk.disk()).In(t.TempDir()))
	body := bytesOf(409, 1<<20)
	f := begun(t, c, body)
	begunOn, fresh := now(t, f, 0, -1, true), now(t, f, 600_000, -1, true)
	cl := claim(t, f)
	bring(t, cl, wrongAt(body[:500_000], 400_000), "liar", false)
	bring(t, cl, body[500_000:], "new", true)
	cl.Release()
	readN(t, begunOn, body[:1000])
	commitWrong(t, f)
	disk.Store(true)
	var ns *cache.NoSpaceError
	if d, err := f.Amend(body[:500_000], 0, "origin"); !d || !errors.As(err, &ns) {
		t.Fatal(d, err)
	}
	wantNow(t, begunOn, nil, errWrong)
	if n, err := fresh.Read(make([]byte, 1)); n != 0 || !errors.As(err, &ns) {
		t.Fatal(err)
	}
	if err := f.Commit(); !errors.As(err, &ns) {
		t.Fatal(err)
	}
	f.Fail(nil)
	if st := c.Stat(); st.Size != 0 {
		t.Fatalf("%+v", st)
	}
	disk.Store(false)
	f = begun(t, c, body)
	if err := drive(f, body); err != nil {
		t.Fatal(err)
	}
}
