package cache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

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

// wrongOnASlowDisk is a fill whose digest did not fit: byte 7 is wrong.
func wrongOnASlowDisk(t *testing.T, body []byte) (*cache.Fill, *slowDisk) {
	t.Helper()
	dir := t.TempDir()
	slow := &slowDisk{gate: make(chan struct{})}
	c := open(t, cache.Options{}.WithDisk(slow.disk(dir)).In(dir))
	f := begun(t, c, body)
	cl := claim(t, f)
	write(t, cl, wrongAt(body, 7))
	cl.Release()
	commitWrong(t, f)
	return f, slow
}

// A Commit does not judge what an Amend is still changing.
func TestCommitWaitsForAmends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := bytesOf(411, 1<<20)
		f, slow := wrongOnASlowDisk(t, body)
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

// What somebody is putting right at that moment, and has said so, is not yet right or wrong.
func TestCommitSeesAnAmendUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := bytesOf(412, 1<<20)
		f, slow := wrongOnASlowDisk(t, body)
		slow.slow.Store(true)
		amended, committed := make(chan error, 1), make(chan error, 1)
		go func() { _, err := f.Amend(body[:1000], 0, "origin"); amended <- err }()
		synctest.Wait()
		go func() { committed <- f.Commit() }()
		synctest.Wait()
		slow.slow.Store(false)
		slow.gate <- struct{}{}
		if err := errors.Join(<-amended, <-committed); err != nil {
			t.Fatal(err)
		}
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
				switch {
				case err == nil:
					off = end
					continue
				case !errors.Is(err, cache.ErrNotWrong):
					t.Error(err)
					return
				}
				select {
				case <-f.Done(): // what is left was right all along, and a Commit saw it
					return
				default: // a Commit is looking
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
