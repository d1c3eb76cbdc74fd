package cache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

func write(t testing.TB, c *cache.Claim, p []byte) {
	t.Helper()
	if n, err := c.Write(p); err != nil || n != len(p) {
		t.Fatalf("wrote %d of %d: %v", n, len(p), err)
	}
}

func wantClaim(t testing.TB, c *cache.Claim, off, end int64) {
	t.Helper()
	if c.Off != off || c.End != end {
		t.Fatalf("claimed [%d,%d), want [%d,%d)", c.Off, c.End, off, end)
	}
}

func readN(t testing.TB, r io.Reader, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("other bytes were read")
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

func TestReadersJoinAndGetBytesAtOnce(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(2, 1<<20)
	d := digest.FromBytes(body)
	f := join(t, c, d)
	first := reader(t, f, 0, -1, true)
	if err := f.SetSize(int64(len(body))); err != nil {
		t.Fatal(err)
	}
	cl := claim(t, f)
	wantClaim(t, cl, 0, int64(len(body)))
	write(t, cl, body[:1000])
	readN(t, first, body[:1000])

	joined, isFirst, err := c.Join(d)
	if err != nil || isFirst || joined != f {
		t.Fatalf("second client: first %v, %v", isFirst, err)
	}
	second := reader(t, f, 0, -1, true)
	third := reader(t, f, 500, 200, false)
	readN(t, second, body[:1000])
	if got, err := io.ReadAll(third); err != nil || !bytes.Equal(got, body[500:700]) {
		t.Fatalf("range while filling: %d bytes, %v", len(got), err)
	}
	noClaim(t, f) // nobody fetches a byte twice
	write(t, cl, body[1000:])
	cl.Release()
	if _, err := f.Claim(context.Background()); !errors.Is(err, cache.ErrComplete) {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	readN(t, first, body[1000:])
	readN(t, second, body[1000:])
	if !bytes.Equal(get(t, c, d), body) {
		t.Fatal("stored other bytes")
	}
}

func TestEndIsHeldBackUntilTheDigestFits(t *testing.T) {
	for _, size := range []int{1, 1000, cache.HoldBack, cache.HoldBack + 1, 3*cache.HoldBack + 5} {
		for _, known := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) { holdBack(t, size, known) })
		}
	}
}

func holdBack(t *testing.T, size int, known bool) {
	c := open(t, cache.Options{})
	body := bytesOf(3, size)
	f := join(t, c, digest.FromBytes(body))
	whole, part := reader(t, f, 0, -1, true), reader(t, f, 0, int64(size), false)
	if known {
		if err := f.SetSize(int64(size)); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1)
	go func() {
		got, err := io.ReadAll(whole)
		if err == nil && !bytes.Equal(got, body) {
			err = errors.New("other bytes")
		}
		ended <- err
	}()
	free := int64(max(0, size-cache.HoldBack))
	held := func(when string) {
		t.Helper()
		synctest.Wait()
		if whole.Offset() != free {
			t.Fatalf("size %d, known %v, %s: %d bytes went out, want %d", size, known, when, whole.Offset(), free)
		}
		select {
		case err := <-ended:
			t.Fatalf("size %d, known %v, %s: ended: %v", size, known, when, err)
		default:
		}
	}
	cl := claim(t, f)
	write(t, cl, body)
	readN(t, part, body) // carries no promise about the whole
	held("all written")
	if err := cl.EOF(); err != nil {
		t.Fatal(err)
	}
	cl.Release()
	held("source ended")
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestWrongBlobIsABrokenTransferForEveryReader(t *testing.T) {
	for _, size := range []int{1, 1000, 300 << 10} {
		synctest.Test(t, func(t *testing.T) { wrongBlob(t, size) })
	}
}

func wrongBlob(t *testing.T, size int) {
	c := open(t, cache.Options{})
	body := bytesOf(4, size)
	d := digest.FromBytes(body)
	bad := bytes.Clone(body)
	bad[len(bad)-1] ^= 1
	f := join(t, c, d)
	results := make(chan error, 8)
	for i := range 8 {
		r := reader(t, f, int64(min(i*1000, size-1)), -1, true)
		go func() {
			_, err := io.Copy(io.Discard, r)
			if err == nil {
				err = errors.New("a complete transfer")
			}
			if r.Offset() >= int64(len(bad)) {
				err = errors.New("every byte went out")
			}
			results <- err
		}()
	}
	cl := claim(t, f)
	write(t, cl, bad)
	if err := cl.EOF(); err != nil {
		t.Fatal(err)
	}
	cl.Release()
	synctest.Wait() // everybody has what there is to have
	var de *cache.DigestError
	if err := f.Commit(); !errors.As(err, &de) || de.Want != d || de.Got != digest.FromBytes(bad) {
		t.Fatal(err)
	}
	for range 8 {
		if err := <-results; !errors.As(err, &de) {
			t.Fatal(err)
		}
	}
	<-f.Done()
	wantMiss(t, c, d, cache.Absent)
	if _, err := os.Stat(partialPath(c, d)); err == nil {
		t.Fatal("wrong bytes were kept")
	}
	// The next one starts clean and succeeds.
	f = join(t, c, d)
	r := reader(t, f, 0, -1, true)
	go func() { results <- drive(f, body) }()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
		t.Fatal(err)
	}
	if err := <-results; err != nil {
		t.Fatal(err)
	}
}

// slowDisk blocks writes to downloads until told to go on.
type slowDisk struct {
	slow atomic.Bool
	gate chan struct{}
}

func (d *slowDisk) disk(dir string) *cache.FaultyDisk {
	return &cache.FaultyDisk{Before: func(op, path string) error {
		if op == "write" && d.slow.Load() && strings.HasPrefix(path, filepath.Join(dir, "partial")) {
			<-d.gate
		}
		return nil
	}}
}

// A write that is under way when a fill fails must not land in the file of the
// next download of the same blob.
func TestFailWaitsForWritesUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		slow := &slowDisk{gate: make(chan struct{})}
		c := open(t, cache.Options{}.WithDisk(slow.disk(dir)).In(dir))
		body := bytesOf(40, 1<<20)
		d := digest.FromBytes(body)
		f := join(t, c, d)
		r := reader(t, f, 0, -1, true)
		if err := f.SetSize(int64(len(body))); err != nil {
			t.Fatal(err)
		}
		cl := claim(t, f)
		slow.slow.Store(true)
		wrote := make(chan int, 1)
		go func() { n, _ := cl.Write(body[:1000]); wrote <- n }()
		synctest.Wait()
		cause := errors.New("gave up")
		joined := make(chan *cache.Fill, 1)
		go f.Fail(cause)
		synctest.Wait()
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, cause) { // readers need not wait
			t.Fatal(err)
		}
		go func() { f, _, _ := c.Join(d); joined <- f }()
		synctest.Wait()
		select {
		case <-joined:
			t.Fatal("a second download began under a write of the first")
		default:
		}
		slow.slow.Store(false)
		slow.gate <- struct{}{}
		if n := <-wrote; n != 1000 {
			t.Fatalf("wrote %d", n)
		}
		f = <-joined
		if f.Have() != 1000 {
			t.Fatalf("%d bytes were kept", f.Have())
		}
		f.Fail(nil)
	})
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

func TestUnknownSize(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(5, 2*cache.HoldBack+123)
	f := join(t, c, digest.FromBytes(body))
	r := reader(t, f, 0, -1, true)
	sizes := make(chan int64, 1)
	go func() {
		n, _ := f.WaitSize(context.Background())
		sizes <- n
	}()
	cl := claim(t, f)
	wantClaim(t, cl, 0, -1)
	if f.Size() != -1 || cl.Remaining() != -1 {
		t.Fatal("a size from nowhere")
	}
	write(t, cl, body)
	readN(t, r, body[:len(body)-cache.HoldBack]) // any byte may be the last
	noClaim(t, f)
	if err := cl.EOF(); err != nil {
		t.Fatal(err)
	}
	cl.Release()
	if n := <-sizes; n != int64(len(body)) {
		t.Fatalf("size %d", n)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	readN(t, r, body[len(body)-cache.HoldBack:])
	if _, err := r.Read(make([]byte, 1)); err != io.EOF {
		t.Fatal(err)
	}
}

func TestEmptyBlob(t *testing.T) {
	c := open(t, cache.Options{})
	d := digest.FromBytes(nil)
	f := join(t, c, d)
	r := reader(t, f, 0, -1, true)
	cl := claim(t, f)
	if err := cl.EOF(); err != nil {
		t.Fatal(err)
	}
	cl.Release()
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || len(got) != 0 {
		t.Fatal(got, err)
	}
	if len(get(t, c, d)) != 0 {
		t.Fatal("bytes from nowhere")
	}
}

func TestSizesThatContradict(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(6, 1000)
	d := digest.FromBytes(body)
	f := join(t, c, d)
	reader(t, f, 0, -1, true)
	if err := f.SetSize(1000); err != nil {
		t.Fatal(err)
	}
	if err := f.SetSize(1000); err != nil {
		t.Fatal(err)
	}
	cl := claim(t, f)
	write(t, cl, body[:400])
	var se *cache.SizeError
	if err := f.SetSize(999); !errors.As(err, &se) {
		t.Fatal(err)
	}
	if err := cl.EOF(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("end at 400 of 1000: %v", err)
	}
	cl.Release()
	f.Fail(se)
	// Whichever size was the lie, the next download does not inherit it.
	f = join(t, c, d)
	if f.Size() != -1 || f.Have() != 0 {
		t.Fatalf("size %d and %d bytes were kept", f.Size(), f.Have())
	}
	reader(t, f, 0, -1, true)
	cl = claim(t, f)
	write(t, cl, body)
	if err := f.SetSize(10); !errors.As(err, &se) {
		t.Fatalf("smaller than what is there: %v", err)
	}
	cl.Release()
	f.Fail(nil)
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

// A reader that comes while the driver makes up its mind is not dropped.
func TestEndIdleLosesAgainstAReader(t *testing.T) {
	c := open(t, cache.Options{})
	f := join(t, c, digest.FromString("x"))
	select {
	case <-f.Idle():
	default:
		t.Fatal("not idle without a reader")
	}
	r := reader(t, f, 0, -1, true)
	if f.EndIdle() || f.Readers() != 1 {
		t.Fatal("ended under a reader")
	}
	select {
	case <-f.Idle():
		t.Fatal("idle with a reader")
	default:
	}
	_ = r.Close()
	_ = r.Close()
	<-f.Idle()
	if !f.EndIdle() || !errors.Is(f.Err(), cache.ErrEnded) {
		t.Fatal("not ended")
	}
}

func TestFailDrainsThenTells(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(13, 1<<20)
	d := digest.FromBytes(body)
	f := join(t, c, d)
	whole, part := reader(t, f, 0, -1, true), reader(t, f, 1000, 1<<19, false)
	if err := f.SetSize(int64(len(body))); err != nil {
		t.Fatal(err)
	}
	cl := claim(t, f)
	write(t, cl, body[:700<<10])
	cause := errors.New("the source has gone")
	f.Fail(cause)
	if got, err := io.ReadAll(whole); !errors.Is(err, cause) || !bytes.Equal(got, body[:700<<10]) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if got, err := io.ReadAll(part); err != nil || !bytes.Equal(got, body[1000:1000+1<<19]) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if _, err := cl.Write(body[700<<10:]); !errors.Is(err, cause) {
		t.Fatal(err)
	}
	cl.Release()
	if f := join(t, c, d); f.Have() != 700<<10 {
		t.Fatalf("%d bytes were kept", f.Have())
	} else {
		f.Fail(nil)
	}
}

func TestContextEndsWaiting(t *testing.T) {
	c := open(t, cache.Options{})
	f := join(t, c, digest.FromString("y"))
	ctx, cancel := context.WithCancelCause(context.Background())
	r, err := f.Reader(ctx, 0, -1, false)
	if err != nil {
		t.Fatal(err)
	}
	cl := claim(t, f)
	defer cl.Release()
	cause := errors.New("the client hung up")
	errs := make(chan error, 3)
	go func() { _, err := r.Read(make([]byte, 1)); errs <- err }()
	go func() { _, err := f.WaitSize(ctx); errs <- err }()
	go func() { _, err := f.Claim(ctx); errs <- err }()
	cancel(cause)
	for range 3 {
		if err := <-errs; !errors.Is(err, cause) {
			t.Fatal(err)
		}
	}
	go func() { _, err := r.WriteTo(io.Discard); errs <- err }()
	_ = r.Close()
	if err := <-errs; err == nil {
		t.Fatal("a closed reader ended well")
	}
	f.Fail(nil)
}

func TestResumedBytesAreSuspectWhenTheDigestFails(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(14, 1<<20)
	d := digest.FromBytes(body)
	f := join(t, c, d)
	reader(t, f, 0, -1, true)
	if err := f.SetSize(int64(len(body))); err != nil {
		t.Fatal(err)
	}
	cl := claim(t, f)
	wrong := bytes.Clone(body[:600<<10])
	wrong[77] ^= 1
	write(t, cl, wrong)
	cl.Release()
	f.Fail(nil)

	f = join(t, c, d)
	if f.Resumed() != 600<<10 {
		t.Fatalf("resumed %d", f.Resumed())
	}
	reader(t, f, 0, -1, true)
	var de *cache.DigestError
	if err := drive(f, body); !errors.As(err, &de) || de.Resumed != 600<<10 {
		t.Fatal(err)
	}
	f = join(t, c, d)
	if f.Have() != 0 {
		t.Fatalf("%d suspect bytes were kept", f.Have())
	}
	reader(t, f, 0, -1, true)
	if err := drive(f, body); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(get(t, c, d), body) {
		t.Fatal("other bytes")
	}
}

func TestCommitTooEarlyAndTwice(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(15, 1000)
	f := join(t, c, digest.FromBytes(body))
	reader(t, f, 0, -1, true)
	if err := f.Commit(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	done := make(chan error, 3)
	if err := f.SetSize(1000); err != nil {
		t.Fatal(err)
	}
	cl := claim(t, f)
	write(t, cl, body)
	cl.Release()
	for range 3 {
		go func() { done <- f.Commit() }()
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	f.Fail(errors.New("too late"))
	if f.Err() != nil {
		t.Fatal(f.Err())
	}
}

// What a disk-full client needs to go on from elsewhere: where it is, and the
// hash of what it has.
func TestReaderTellsOffsetAndHash(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(16, 1<<20)
	f := join(t, c, digest.FromBytes(body))
	r, late := reader(t, f, 0, -1, true), reader(t, f, 1<<19, -1, true)
	if err := f.SetSize(int64(len(body))); err != nil {
		t.Fatal(err)
	}
	cl := claim(t, f)
	write(t, cl, body[:300<<10])
	f.Fail(&cache.NoSpaceError{})
	got, err := io.ReadAll(r)
	var ns *cache.NoSpaceError
	if !errors.As(err, &ns) || !cache.IsLocal(err) || r.Offset() != int64(len(got)) {
		t.Fatal(err)
	}
	h, ok := r.Hash()
	if !ok {
		t.Fatal("no hash")
	}
	_, _ = h.Write(body[r.Offset():])
	if digest.NewDigest(digest.SHA256, h) != f.Digest() {
		t.Fatal("another hash")
	}
	if _, ok := late.Hash(); ok {
		t.Fatal("a hash of bytes that are not there")
	}
	if _, err := os.Stat(partialPath(c, f.Digest())); err == nil {
		t.Fatal("a full disk keeps half a download")
	}
}

// flushWriter notes in which order things happen.
type flushWriter struct {
	bytes.Buffer
	flushed chan int
}

func (w *flushWriter) Flush() { w.flushed <- w.Len() }

func TestWriteToFlushesBeforeItWaits(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(17, 400<<10)
	f := join(t, c, digest.FromBytes(body))
	r := reader(t, f, 0, -1, true)
	if err := f.SetSize(int64(len(body))); err != nil {
		t.Fatal(err)
	}
	w := &flushWriter{flushed: make(chan int, 16)}
	done := make(chan error, 1)
	go func() {
		n, err := r.WriteTo(w)
		if err == nil && n != int64(len(body)) {
			err = io.ErrShortWrite
		}
		done <- err
	}()
	cl := claim(t, f)
	write(t, cl, body[:1000])
	if n := <-w.flushed; n != 1000 {
		t.Fatalf("flushed at %d", n)
	}
	write(t, cl, body[1000:])
	cl.Release()
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || !bytes.Equal(w.Bytes(), body) {
		t.Fatal(err)
	}
}

// fileTaker is a writer that reads from files itself, as a TCP connection does.
type fileTaker struct {
	bytes.Buffer
	files int
}

func (w *fileTaker) ReadFrom(r io.Reader) (int64, error) {
	if lr, ok := r.(*io.LimitedReader); ok {
		if _, ok := lr.R.(*os.File); ok {
			w.files++
		}
	}
	return w.Buffer.ReadFrom(r)
}

func TestWriteToHandsOverAFile(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(18, 5<<20)
	f := join(t, c, digest.FromBytes(body))
	before, after := reader(t, f, 3, -1, true), reader(t, f, 7, -1, true)
	w := &fileTaker{}
	done := make(chan error, 1)
	go func() { _, err := before.WriteTo(w); done <- err }()
	if err := drive(f, body); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil || !bytes.Equal(w.Bytes(), body[3:]) || w.files == 0 {
		t.Fatalf("%d bytes, %d files, %v", w.Len(), w.files, err)
	}
	w2 := &fileTaker{} // the file has been renamed meanwhile
	if _, err := after.WriteTo(w2); err != nil || !bytes.Equal(w2.Bytes(), body[7:]) || w2.files == 0 {
		t.Fatalf("%d bytes, %d files, %v", w2.Len(), w2.files, err)
	}
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
