package cache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

func wantClaim(t testing.TB, c *cache.Claim, off, end int64) {
	t.Helper()
	if c.Off != off || c.End != end {
		t.Fatalf("claimed [%d,%d), want [%d,%d)", c.Off, c.End, off, end)
	}
}

// noClaim checks that there is nothing to claim at the moment.
func noClaim(t testing.TB, f *cache.Fill) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	c, err := f.Claim(ctx)
	if err == nil {
		t.Fatalf("claimed [%d,%d), want nothing", c.Off, c.End)
	}
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestColdRangeIsThatRangeAndIsKept(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(7, 8<<20)
	d := digest.FromBytes(body)
	f := join(t, c, d)
	r := reader(t, f, 5<<20, 4096, false)
	if err := f.SetSize(int64(len(body))); err != nil {
		t.Fatal(err)
	}
	cl := claim(t, f)
	wantClaim(t, cl, 5<<20, 5<<20+4096)
	noClaim(t, f)
	write(t, cl, body[cl.Off:cl.End])
	if n, err := cl.Write([]byte{1}); n != 0 || !errors.Is(err, cache.ErrStop) {
		t.Fatalf("wrote %d behind the claim: %v", n, err)
	}
	cl.Release()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body[5<<20:5<<20+4096]) {
		t.Fatal(err)
	}
	if f.WasWhole() {
		t.Fatal("nobody asked for the whole")
	}
	_ = r.Close()
	<-f.Idle()
	if _, err := f.Claim(context.Background()); !errors.Is(err, cache.ErrIdle) {
		t.Fatal(err)
	}
	if !f.EndIdle() {
		t.Fatal("not idle")
	}
	if _, err := f.Reader(context.Background(), 0, -1, true); !errors.Is(err, cache.ErrEnded) {
		t.Fatal(err)
	}

	f = join(t, c, d)
	if f.Have() != 4096 || f.Resumed() != 4096 || f.Size() != int64(len(body)) {
		t.Fatalf("kept %d bytes, size %d", f.Have(), f.Size())
	}
	again := reader(t, f, 5<<20+100, 3000, false)
	readN(t, again, body[5<<20+100:5<<20+3100]) // no claim was needed
	whole := reader(t, f, 0, -1, true)
	cl = claim(t, f)
	wantClaim(t, cl, 0, 5<<20)
	behind := claim(t, f)
	wantClaim(t, behind, 5<<20+4096, int64(len(body)))
	noClaim(t, f)
	write(t, behind, body[behind.Off:])
	write(t, cl, body[:5<<20])
	cl.Release()
	behind.Release()
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	readN(t, whole, body)
}

// A client that wants bytes far from where the one connection is does not wait
// for it; one that is near does.
func TestFarReaderGetsAClaimOfItsOwn(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(8, 8<<20)
	f := join(t, c, digest.FromBytes(body))
	reader(t, f, 0, -1, true)
	if err := f.SetSize(int64(len(body))); err != nil {
		t.Fatal(err)
	}
	front := claim(t, f)
	write(t, front, body[:100])
	reader(t, f, 64<<10, 100, false)
	noClaim(t, f)
	foot := reader(t, f, 8<<20-4096, 4096, false)
	far := claim(t, f)
	wantClaim(t, far, 8<<20-4096, 8<<20)
	noClaim(t, f)
	write(t, far, body[far.Off:])
	readN(t, foot, body[far.Off:])
	n, err := front.Write(body[100:])
	if n != int(far.Off)-100 || !errors.Is(err, cache.ErrStop) {
		t.Fatalf("wrote %d, %v: the front did not stop where others had been", n, err)
	}
	front.Release()
	far.Release()
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestLongestWaitingFirst(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(9, 8<<20)
	f := join(t, c, digest.FromBytes(body))
	if err := f.SetSize(int64(len(body))); err != nil {
		t.Fatal(err)
	}
	for _, off := range []int64{6 << 20, 2 << 20, 4 << 20} {
		reader(t, f, off, 1000, false)
	}
	for _, off := range []int64{6 << 20, 2 << 20, 4 << 20} {
		wantClaim(t, claim(t, f), off, off+1000)
	}
	noClaim(t, f)
	f.Fail(nil)
}

func TestClaimAtMostSharesABlob(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(10, 1<<20)
	f := join(t, c, digest.FromBytes(body))
	r := reader(t, f, 0, -1, true)
	if err := f.SetSize(int64(len(body))); err != nil {
		t.Fatal(err)
	}
	var claims []*cache.Claim
	for off := int64(0); off < 1<<20; off += 300 << 10 {
		cl, err := f.ClaimAtMost(context.Background(), 300<<10)
		if err != nil {
			t.Fatal(err)
		}
		wantClaim(t, cl, off, min(off+300<<10, 1<<20))
		claims = append(claims, cl)
	}
	noClaim(t, f)
	for i := len(claims) - 1; i >= 0; i-- { // the front last
		write(t, claims[i], body[claims[i].Off:claims[i].End])
		claims[i].Release()
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	readN(t, r, body)
}

func TestReleasedClaimIsHandedOutAgain(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(11, 1000)
	f := join(t, c, digest.FromBytes(body))
	reader(t, f, 0, -1, true)
	if err := f.SetSize(1000); err != nil {
		t.Fatal(err)
	}
	cl := claim(t, f)
	write(t, cl, body[:10])
	next := make(chan *cache.Claim)
	go func() {
		c, _ := f.Claim(context.Background())
		next <- c
	}()
	cl.Release()
	cl.Release()
	wantClaim(t, <-next, 10, 1000)
	if _, err := cl.Write(body[10:]); !errors.Is(err, cache.ErrStop) {
		t.Fatalf("wrote to a claim that was given back: %v", err)
	}
	f.Fail(nil)
}

// When the one reader that wanted a range goes, its source can be left, unless
// nobody is there at all: then the driver decides.
func TestUnwantedClaimIsStopped(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(12, 8<<20)
	f := join(t, c, digest.FromBytes(body))
	if err := f.SetSize(int64(len(body))); err != nil {
		t.Fatal(err)
	}
	a, b := reader(t, f, 0, 1000, false), reader(t, f, 4<<20, 1000, false)
	ca, cb := claim(t, f), claim(t, f)
	_ = a.Close()
	<-ca.Done()
	if _, err := ca.Write(body[:1]); !errors.Is(err, cache.ErrStop) {
		t.Fatal(err)
	}
	_ = b.Close()
	select {
	case <-cb.Done():
		t.Fatal("stopped before the driver decided")
	default:
	}
	f.WantAll()
	ca.Release()
	cl := claim(t, f)
	wantClaim(t, cl, 0, 4<<20)
	f.Fail(nil)
	<-cb.Done()
	<-cl.Done()
}

// What is given back while a write is under way begins behind that write.
func TestLimitLeavesTheWriteUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		slow := &slowDisk{gate: make(chan struct{})}
		c := open(t, cache.Options{}.WithDisk(slow.disk(dir)).In(dir))
		body := bytesOf(41, 1<<20)
		f := join(t, c, digest.FromBytes(body))
		reader(t, f, 0, -1, true)
		if err := f.SetSize(int64(len(body))); err != nil {
			t.Fatal(err)
		}
		cl := claim(t, f)
		slow.slow.Store(true)
		go func() { _, _ = cl.Write(body[:1000]) }()
		synctest.Wait()
		cl.Limit(10)
		wantClaim(t, claim(t, f), 1000, 1<<20)
		slow.slow.Store(false)
		slow.gate <- struct{}{}
		synctest.Wait()
		if cl.Remaining() != 0 || f.Have() != 1000 {
			t.Fatal(cl.Remaining(), f.Have())
		}
		f.Fail(nil)
	})
}

func TestWritesDoNotAllocate(t *testing.T) {
	c := open(t, cache.Options{})
	f := join(t, c, digest.FromString("z"))
	reader(t, f, 0, -1, true)
	if err := f.SetSize(1 << 30); err != nil {
		t.Fatal(err)
	}
	cl := claim(t, f)
	p := bytesOf(19, 32<<10)
	if n := testing.AllocsPerRun(100, func() { _, _ = cl.Write(p) }); n >= 1 {
		t.Fatalf("%v allocations per write", n)
	}
	cl.Release()
	f.Fail(nil)
}
