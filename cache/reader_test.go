package cache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

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
	err := f.Commit()
	if !errors.As(err, &de) || de.Want != d || de.Got != digest.FromBytes(bad) {
		t.Fatal(err)
	}
	synctest.Wait()
	if len(results) != 0 || f.Err() != nil {
		t.Fatal("ended before the driver gave it up")
	}
	f.Fail(err)
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
