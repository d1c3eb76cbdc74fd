package fetch_test

import (
	"fmt"
	"testing"

	"pulley/internal/hubtest"
	"pulley/proxy/fetch"
)

// BenchmarkLoopback is one large blob of a hub on this machine, over one
// connection and over several: the split must cost nothing where it brings
// nothing.
func BenchmarkLoopback(b *testing.B) {
	const size = 256 * mib
	h, ref := hub(b, &hubtest.Hub{})
	d := h.AddBlob(repo, blob(size))
	for _, n := range []int{1, 8} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				m := newMemory(blob(size))
				if err := fetch.Run(b.Context(), ref(d), m, fetch.Options{Connections: n, Hint: size}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
