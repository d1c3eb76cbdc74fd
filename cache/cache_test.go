package cache_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// open opens a cache in dir (or a new one) that is closed with the test.
func open(t testing.TB, o cache.Options) *cache.Cache {
	t.Helper()
	if o.Dir == "" {
		o.Dir = filepath.Join(t.TempDir(), "cache")
	}
	c, err := cache.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

// bytesOf returns n bytes that look random, the same for each seed.
func bytesOf(seed uint64, n int) []byte {
	b := make([]byte, n)
	var s [32]byte
	s[0], s[1], s[2] = byte(seed), byte(seed>>8), byte(n)
	_, _ = rand.NewChaCha8(s).Read(b)
	return b
}

func blobPath(c *cache.Cache, d digest.Digest) string {
	return filepath.Join(c.Dir(), "blobs", "sha256", d.Encoded())
}

func partialPath(c *cache.Cache, d digest.Digest) string {
	return filepath.Join(c.Dir(), "partial", "sha256", d.Encoded())
}

func put(t testing.TB, c *cache.Cache, body []byte) digest.Digest {
	t.Helper()
	d := digest.FromBytes(body)
	if err := c.Put(d, body); err != nil {
		t.Fatal(err)
	}
	return d
}

// get reads a stored blob.
func get(t testing.TB, c *cache.Cache, d digest.Digest, opt ...cache.GetOption) []byte {
	t.Helper()
	b, err := c.Get(d, opt...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	body, err := io.ReadAll(b.File())
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(body)) != b.Size() {
		t.Fatalf("%d bytes of a blob of %d", len(body), b.Size())
	}
	return body
}

func wantMiss(t testing.TB, c *cache.Cache, d digest.Digest, why cache.Reason, opt ...cache.GetOption) {
	t.Helper()
	b, err := c.Get(d, opt...)
	if err == nil {
		_ = b.Close()
		t.Fatalf("%s: served, want a miss: %s", d, why)
	}
	var miss *cache.MissError
	if !errors.As(err, &miss) || miss.Reason != why {
		t.Fatalf("%s: %v, want a miss: %s", d, err, why)
	}
}

// join begins a download and fails if another one had.
func join(t testing.TB, c *cache.Cache, d digest.Digest) *cache.Fill {
	t.Helper()
	f, first, err := c.Join(d)
	if err != nil {
		t.Fatal(err)
	}
	if !first {
		t.Fatal("somebody else drives the fill")
	}
	return f
}

func reader(t testing.TB, f *cache.Fill, off, n int64, whole bool) *cache.Reader {
	t.Helper()
	r, err := f.Reader(context.Background(), off, n, whole)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func claim(t testing.TB, f *cache.Fill) *cache.Claim {
	t.Helper()
	c, err := f.Claim(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// drive is the plainest driver: one claim after the other from body.
func drive(f *cache.Fill, body []byte) error {
	if err := f.SetSize(int64(len(body))); err != nil {
		f.Fail(err)
		return err
	}
	for {
		c, err := f.Claim(context.Background())
		switch {
		case errors.Is(err, cache.ErrComplete):
			err := f.Commit()
			if err != nil {
				f.Fail(err)
			}
			return err
		case errors.Is(err, cache.ErrIdle):
			if f.EndIdle() {
				return nil
			}
			continue
		case err != nil:
			f.Fail(err)
			return err
		}
		_, err = c.Write(body[c.Off:c.End])
		c.Release()
		if err != nil && !errors.Is(err, cache.ErrStop) {
			f.Fail(err)
			return err
		}
	}
}

func TestFillStreamsAndStores(t *testing.T) {
	c := open(t, cache.Options{})
	body := bytesOf(1, 3<<20+17)
	d := digest.FromBytes(body)
	wantMiss(t, c, d, cache.Absent)
	f := join(t, c, d)
	r := reader(t, f, 0, -1, true)
	done := make(chan error, 1)
	go func() { done <- drive(f, body) }()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(got) != sha256.Sum256(body) {
		t.Fatal("the reader got other bytes")
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(get(t, c, d), body) {
		t.Fatal("the cache has other bytes")
	}
	if _, _, err := c.Join(d); !errors.Is(err, cache.ErrStored) {
		t.Fatalf("join of a stored blob: %v", err)
	}
	if _, err := os.Stat(partialPath(c, d)); err == nil {
		t.Fatal("the download is still there")
	}
	st, err := os.Stat(blobPath(c, d))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", st, err)
	}
}
