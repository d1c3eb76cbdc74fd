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

// bring writes p as the next bytes of a claim.
func bring(t testing.TB, cl *cache.Claim, p []byte, source string, withhold bool) {
	t.Helper()
	cl.From(source, withhold)
	write(t, cl, p)
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
