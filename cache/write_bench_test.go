package cache_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// BenchmarkWrite is what a claim's Write costs with one and with eight
// connections on one blob, in pieces as small as a TLS record: the smaller, the
// more the bookkeeping counts.
func BenchmarkWrite(b *testing.B) {
	body := bytesOf(700, 64<<20)
	d := digest.FromBytes(body)
	for _, writers := range []int{1, 8} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			o := cache.Options{}
			if shm, err := os.MkdirTemp("/dev/shm", "pulley"); err == nil { // the disk's own speed is no concern here
				b.Cleanup(func() { _ = os.RemoveAll(shm) })
				o.Dir = shm
			}
			c := open(b, o)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				f := join(b, c, d)
				f.WantAll()
				if err := f.SetSize(int64(len(body))); err != nil {
					b.Fatal(err)
				}
				var all sync.WaitGroup
				for range writers {
					all.Go(func() { writeClaims(b, f, body) })
				}
				all.Wait()
				if err := f.Commit(); err != nil {
					b.Fatal(err)
				}
				if err := c.Delete(d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func writeClaims(b *testing.B, f *cache.Fill, body []byte) {
	for {
		cl, err := f.ClaimAtMost(context.Background(), 4<<20)
		if err != nil {
			return
		}
		for at := cl.Off; at < cl.End; at += 16 << 10 {
			if _, err := cl.Write(body[at:min(cl.End, at+16<<10)]); err != nil {
				b.Error(err)
				return
			}
		}
		cl.Release()
	}
}
