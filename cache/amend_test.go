package cache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// now makes a reader that never waits: it has what there is to have at once, and
// else says context.Canceled.
func now(t testing.TB, f *cache.Fill, off, n int64, whole bool) *cache.Reader {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r, err := f.Reader(ctx, off, n, whole)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// wantNow checks what there is to have, and with which error it stops.
func wantNow(t testing.TB, r *cache.Reader, want []byte, stop error) {
	t.Helper()
	got, err := io.ReadAll(r)
	if !bytes.Equal(got, want) {
		t.Fatalf("got %d bytes, want %d, or others: %v", len(got), len(want), err)
	}
	var de *cache.DigestError
	if wrong := errors.Is(stop, errWrong); wrong != errors.As(err, &de) || !wrong && !errors.Is(err, stop) {
		t.Fatalf("stopped with %v, want %v", err, stop)
	}
}

var errWrong = errors.New("any *DigestError")

func wantProvenance(t testing.TB, f *cache.Fill, want ...cache.Part) {
	t.Helper()
	if got := f.Provenance(); !slices.Equal(got, want) {
		t.Fatalf("provenance\n %v, want\n %v", got, want)
	}
}

// bring writes p as the next bytes of a claim.
func bring(t testing.TB, cl *cache.Claim, p []byte, source string, withhold bool) {
	t.Helper()
	cl.From(source, withhold)
	write(t, cl, p)
}

// wrongAt is body with the bytes at some places changed.
func wrongAt(body []byte, at ...int) []byte {
	body = bytes.Clone(body)
	for _, i := range at {
		body[i] ^= 1
	}
	return body
}

// begun is a fill of body with its size known and the whole wanted.
func begun(t testing.TB, c *cache.Cache, body []byte) *cache.Fill {
	t.Helper()
	f := join(t, c, digest.FromBytes(body))
	f.WantAll()
	if err := f.SetSize(int64(len(body))); err != nil {
		t.Fatal(err)
	}
	return f
}

func commitWrong(t testing.TB, f *cache.Fill) *cache.DigestError {
	t.Helper()
	var de *cache.DigestError
	if err := f.Commit(); !errors.As(err, &de) {
		t.Fatalf("commit of wrong bytes: %v", err)
	}
	return de
}

func amend(t testing.TB, f *cache.Fill, body []byte, off, end int, differs bool) {
	t.Helper()
	if d, err := f.Amend(body[off:end], int64(off), "origin"); err != nil || d != differs {
		t.Fatalf("amended [%d,%d): differs %v, want %v, %v", off, end, d, differs, err)
	}
}

func TestWithheldBytesWaitForTheDigest(t *testing.T) {
	for _, known := range []bool{true, false} {
		c := open(t, cache.Options{})
		body := bytesOf(400, 1<<20)
		f := join(t, c, digest.FromBytes(body))
		if known {
			if err := f.SetSize(int64(len(body))); err != nil {
				t.Fatal(err)
			}
		}
		whole, middle, tail := now(t, f, 0, -1, true), now(t, f, 350<<10, 100<<10, false), now(t, f, 600<<10, -1, false)
		cl := claim(t, f)
		bring(t, cl, body[:300<<10], "origin", false)
		bring(t, cl, body[300<<10:400<<10], "new", true)
		bring(t, cl, body[400<<10:], "origin", false)
		wantNow(t, whole, body[:300<<10], context.Canceled)
		wantNow(t, middle, nil, context.Canceled)
		if known {
			wantNow(t, tail, body[600<<10:], nil)
		} else {
			wantNow(t, tail, body[600<<10:], context.Canceled)
		}
		if err := cl.EOF(); err != nil {
			t.Fatal(err)
		}
		cl.Release()
		wantProvenance(t, f, cache.Part{0, 300 << 10, "origin", false}, cache.Part{300 << 10, 400 << 10, "new", true},
			cache.Part{400 << 10, 1 << 20, "origin", false})
		wantNow(t, whole, nil, context.Canceled)
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		wantNow(t, whole, body[300<<10:], nil)
		wantNow(t, middle, body[350<<10:450<<10], nil)
		wantNow(t, tail, nil, nil)
	}
}

// Only the digest of the whole releases a withheld byte: who wants one wants the
// whole, until it goes.
func TestWantingAWithheldByteIsWantingAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, cache.Options{})
		body := bytesOf(401, 8<<20)
		f := join(t, c, digest.FromBytes(body))
		if err := f.SetSize(int64(len(body))); err != nil {
			t.Fatal(err)
		}
		r := now(t, f, 4<<20, 4096, false)
		cl := claim(t, f)
		wantClaim(t, cl, 4<<20, 4<<20+4096)
		noClaim(t, f)
		next := make(chan *cache.Claim, 1)
		go func() {
			c, _ := f.Claim(context.Background())
			next <- c
		}()
		synctest.Wait()
		cl.From("new", true)
		write(t, cl, body[4<<20:4<<20+100])
		front := <-next // who waited for something to do has it
		wantClaim(t, front, 0, 4<<20)
		write(t, cl, body[4<<20+100:cl.End])
		back := claim(t, f)
		wantClaim(t, back, 4<<20+4096, 8<<20)

		other := now(t, f, 0, 10, false)
		_ = r.Close()
		<-back.Done() // nobody else wants it
		_ = other.Close()
		again := reader(t, f, 4<<20+4000, 10, false)
		write(t, front, body[:10]) // all that was left of it
		front, back = claim(t, f), claim(t, f)
		wantClaim(t, front, 10, 4<<20)
		wantClaim(t, back, 4<<20+4096, 8<<20)
		write(t, front, body[10:4<<20])
		write(t, back, body[back.Off:])
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		readN(t, again, body[4<<20+4000:4<<20+4010])
		if f.WasWhole() {
			t.Fatal("nobody asked for the whole")
		}
	})
}

func TestWrongDigestIsPutRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, cache.Options{})
		body := bytesOf(402, 1<<20)
		d := digest.FromBytes(body)
		f := begun(t, c, body)
		const lie = 500_000
		whole, hit, short, beside := now(t, f, 0, -1, true), now(t, f, 400_000, -1, true), now(t, f, 0, 1000, false), now(t, f, lie+1, 1000, false)
		held := now(t, f, 900_000, 1000, false)
		cl := claim(t, f)
		bad := wrongAt(body, lie)
		bring(t, cl, bad[:300_000], "origin", false)
		bring(t, cl, bad[300_000:800_000], "liar", false)
		bring(t, cl, bad[800_000:], "new", true)
		cl.Release()
		buf := make([]byte, 300_000)
		readN(t, whole, body[:lie]) // to just before the lie
		if _, err := io.ReadFull(hit, buf); err != nil {
			t.Fatal(err)
		}
		readN(t, short, body[:1000]) // all it wants, only the end is not told yet
		readN(t, beside, body[lie+1:lie+1001])

		de := commitWrong(t, f)
		if de.Want != d || de.Got != digest.FromBytes(bad) {
			t.Fatal(de)
		}
		if err := f.Commit(); !errors.Is(err, de) {
			t.Fatalf("the second time: %v", err)
		}
		if f.Err() != nil || f.EndIdle() {
			t.Fatal("it has ended")
		}
		late := now(t, f, lie-10, 20, false)
		for _, r := range []*cache.Reader{whole, hit, short, beside, held, late} {
			wantNow(t, r, nil, context.Canceled)
		}
		if _, err := f.Claim(context.Background()); !errors.Is(err, cache.ErrComplete) {
			t.Fatal(err)
		}
		if other, first, err := c.Join(d); other != f || first || err != nil {
			t.Fatal("another download began")
		}
		if f.Given(800_000, 1<<20) || !f.Given(lie, lie+1) || f.Given(700_000, 700_001) {
			t.Fatal("who was given what")
		}
		wantProvenance(t, f, cache.Part{0, 300_000, "origin", true}, cache.Part{300_000, 800_000, "liar", true}, cache.Part{800_000, 1 << 20, "new", true})

		waiting := reader(t, f, 400_000, -1, true)
		ended := make(chan error, 1)
		go func() { _, err := io.Copy(io.Discard, waiting); ended <- err }()
		amend(t, f, body, 800_000, 1<<20, false)
		amend(t, f, body, 300_000, lie, false)
		if err := f.Commit(); !errors.Is(err, de) {
			t.Fatalf("nothing has changed: %v", err)
		}
		wantNow(t, hit, nil, context.Canceled)
		amend(t, f, body, lie-1, lie+1, true)
		wantNow(t, hit, nil, errWrong)
		for _, r := range []*cache.Reader{whole, short, beside, held, late} {
			wantNow(t, r, nil, context.Canceled)
		}
		wantProvenance(t, f, cache.Part{0, lie + 1, "origin", true}, cache.Part{lie + 1, 800_000, "liar", true}, cache.Part{800_000, 1 << 20, "origin", true})
		synctest.Wait()
		if len(ended) > 0 {
			t.Fatal("went on before the digest fitted")
		}
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		wantNow(t, whole, body[lie:], nil)
		wantNow(t, short, nil, nil)
		wantNow(t, beside, nil, nil)
		wantNow(t, held, body[900_000:901_000], nil)
		wantNow(t, late, body[lie-10:lie+10], nil)
		wantNow(t, hit, nil, errWrong)
		if !bytes.Equal(get(t, c, d, cache.Verified()), body) {
			t.Fatal("stored other bytes")
		}
	})
}

// A range that was handed out completely ends neither well nor badly while the
// digest is broken, and a reader that was given wrong bytes is told when they are
// found, not at the end of the repair.
func TestBrokenReaderIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, cache.Options{})
		body := bytesOf(403, 1000)
		f := begun(t, c, body)
		r := reader(t, f, 0, 1000, false)
		cl := claim(t, f)
		write(t, cl, wrongAt(body, 999))
		cl.Release()
		readN(t, r, wrongAt(body, 999))
		commitWrong(t, f)
		ended := make(chan error, 1)
		go func() { _, err := r.Read(make([]byte, 1)); ended <- err }()
		synctest.Wait()
		if len(ended) > 0 {
			t.Fatalf("ended: %v", <-ended)
		}
		amend(t, f, body, 0, 1000, true)
		var de *cache.DigestError
		if err := <-ended; !errors.As(err, &de) {
			t.Fatal(err)
		}
		f.Fail(nil)
		if err := f.Err(); !errors.As(err, &de) {
			t.Fatal(err)
		}
	})
}

func TestAmendOutOfItsTime(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(404, 1000)
	refused := func(f *cache.Fill, want error) {
		t.Helper()
		if _, err := f.Amend(body[:1], 0, "origin"); !errors.Is(err, want) {
			t.Fatal(err)
		}
	}
	f := begun(t, c, body)
	refused(f, cache.ErrNotWrong)
	cl := claim(t, f)
	write(t, cl, wrongAt(body, 1))
	cl.Release()
	refused(f, cache.ErrNotWrong)
	commitWrong(t, f)
	for _, at := range [][2]int64{{-1, 1}, {1000, 1}, {999, 2}, {math.MaxInt64, 1}} {
		if _, err := f.Amend(body[:at[1]], at[0], "origin"); err == nil {
			t.Fatalf("%v was amended", at)
		}
	}
	amend(t, f, body, 1000, 1000, false)
	amend(t, f, body, 0, 1000, true)
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	refused(f, cache.ErrNotWrong)

	body = bytesOf(405, 1000)
	f = begun(t, c, body)
	cl = claim(t, f)
	write(t, cl, wrongAt(body, 1))
	cl.Release()
	commitWrong(t, f)
	cause := errors.New("the origin is gone")
	f.Fail(cause)
	var de *cache.DigestError
	if _, err := f.Amend(body, 0, "origin"); !errors.As(err, &de) {
		t.Fatal(err)
	}
	if _, err := os.Stat(partialPath(c, f.Digest())); err == nil {
		t.Fatal("wrong bytes were kept")
	}
	if st := c.Stat(); st.PartialSize != 0 {
		t.Fatalf("%+v", st)
	}
}

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

// What a run knew of its sources the next one knows, however it ended.
func TestProvenanceSurvives(t *testing.T) {
	body := bytesOf(407, 2<<20)
	d := digest.FromBytes(body)
	want := []cache.Part{
		{0, 100, "", false}, {100, 300_000, "origin", false}, {300_000, 600_000, "new", true},
		{600_000, 700_000, "new", false}, {1 << 20, 1<<20 + 500_000, "origin", false},
	}
	for name, restart := range map[string]func(*testing.T, *cache.Cache, *cache.Fill) *cache.Cache{
		"given up": func(_ *testing.T, c *cache.Cache, f *cache.Fill) *cache.Cache { f.Fail(nil); return c },
		"closed": func(t *testing.T, c *cache.Cache, _ *cache.Fill) *cache.Cache {
			_ = c.Close()
			return open(t, cache.Options{Dir: c.Dir()})
		},
		"killed": func(t *testing.T, c *cache.Cache, _ *cache.Fill) *cache.Cache {
			return open(t, cache.Options{Dir: copyDir(t, c.Dir())})
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, cache.Options{})
			f := begun(t, c, body)
			front, err := f.ClaimAtMost(t.Context(), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			back := claim(t, f)
			for i, p := range want[:4] {
				if i > 0 {
					front.From(p.Source, p.Withheld)
				}
				write(t, front, body[p.Off:p.End])
			}
			bring(t, back, body[want[4].Off:want[4].End], want[4].Source, want[4].Withheld)
			wantProvenance(t, f, want...)
			front.Release()
			back.Release()
			for range 3 { // a rewritten journal says the same
				c = restart(t, c, f)
				f = join(t, c, d)
				wantProvenance(t, f, want...)
				wantNow(t, now(t, f, 0, -1, true), body[:300_000], context.Canceled)
				wantNow(t, now(t, f, 400_000, 100, false), nil, context.Canceled)
				wantNow(t, now(t, f, 650_000, 100, false), body[650_000:650_100], nil)
			}
			f.WantAll()
			if err := drive(f, body); err != nil {
				t.Fatal(err)
			}
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

// A Commit does not judge what an Amend is still changing.
func TestCommitWaitsForAmends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		slow := &slowDisk{gate: make(chan struct{})}
		c := open(t, cache.Options{}.WithDisk(slow.disk(dir)).In(dir))
		body := bytesOf(411, 1<<20)
		f := begun(t, c, body)
		cl := claim(t, f)
		write(t, cl, wrongAt(body, 7))
		cl.Release()
		commitWrong(t, f)
		amend(t, f, body, 0, 1000, true) // right, but for what comes
		slow.slow.Store(true)
		amended, committed := make(chan error, 1), make(chan error, 1)
		go func() { _, err := f.Amend(wrongAt(body, 500_000)[500_000:], 500_000, "liar"); amended <- err }()
		synctest.Wait()
		go func() { committed <- f.Commit() }()
		synctest.Wait()
		slow.slow.Store(false)
		slow.gate <- struct{}{}
		var de *cache.DigestError
		if err := <-committed; !errors.As(err, &de) || <-amended != nil {
			t.Fatal(err)
		}
		f.Fail(nil)
	})
}

// Several connections put one blob right, while others ask for the verdict.
func TestAmendsAtOnce(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(410, 3<<20)
	bad := bytes.Clone(body)
	for i := 0; i < len(bad); i += 100_000 {
		bad[i] ^= 1
	}
	f := begun(t, c, body)
	cl := claim(t, f)
	bring(t, cl, bad, "liar", true)
	cl.Release()
	commitWrong(t, f)
	var all sync.WaitGroup
	var stop atomic.Bool
	for i := range 4 {
		all.Go(func() {
			for off := i * len(body) / 4; off < (i+1)*len(body)/4; {
				end := min(off+50_000, (i+1)*len(body)/4)
				_, err := f.Amend(body[off:end], int64(off), "origin")
				if err == nil {
					off = end
				} else if !errors.Is(err, cache.ErrNotWrong) { // a Commit is looking
					t.Error(err)
					return
				}
			}
		})
	}
	asking := make(chan struct{})
	go func() {
		defer close(asking)
		var de *cache.DigestError
		for !stop.Load() {
			if err := f.Commit(); err != nil && !errors.As(err, &de) {
				t.Error(err)
			}
		}
	}()
	all.Wait()
	stop.Store(true)
	<-asking
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(get(t, c, f.Digest(), cache.Verified()), body) {
		t.Fatal("stored other bytes")
	}
}
