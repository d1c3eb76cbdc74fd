package cache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
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
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
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

// A fill that is given up in the moment in which its claim is released forgets nothing of what that claim brought.
func TestGivenUpWhileReleased(t *testing.T) {
	c := open(t, cache.Options{})
	for i := range 200 {
		body := bytesOf(uint64(i+1), 8192)
		d := digest.FromBytes(body)
		f := join(t, c, d)
		r := reader(t, f, 0, 4096, false)
		if err := f.SetSize(int64(len(body))); err != nil {
			t.Fatal(err)
		}
		cl := claim(t, f)
		write(t, cl, body[:4096])
		_ = r.Close()
		var both sync.WaitGroup
		var ready atomic.Int32
		at := func(do func()) { // as near to one moment as two cores can
			both.Go(func() {
				for ready.Add(1); ready.Load() < 2; {
				}
				do()
			})
		}
		at(func() { f.EndIdle() })
		at(cl.Release)
		both.Wait()
		again := join(t, c, d)
		if n := again.Resumed(); n != 4096 {
			t.Fatalf("round %d: %d bytes are left of 4096", i, n)
		}
		again.Fail(nil)
	}
}
