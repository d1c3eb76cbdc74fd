package cache_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

// What the bookkeeping of a pull takes grows with the layers of the image, not with their square.
func TestServedOfManyLayers(t *testing.T) {
	took := func(layers int) uint64 {
		c := open(t, cache.Options{})
		var all []digest.Digest
		var list []string
		for i := range layers {
			d := digest.FromString(fmt.Sprint(i))
			all, list = append(all, d), append(list, fmt.Sprintf(`{"digest":%q}`, d))
		}
		m := put(t, c, []byte(`{"schemaVersion":2,"layers":[`+strings.Join(list, ",")+`]}`))
		setTag(t, c, debian, "latest", m)
		c.Served(debian, m, 0)
		if saved := imageOf(t, c, debian, "latest").Saved; saved != 0 {
			t.Fatal(saved)
		}
		for _, d := range all {
			c.Served(debian, d, 1)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		saved := imageOf(t, c, debian, "latest").Saved
		runtime.ReadMemStats(&after)
		if saved != int64(layers) {
			t.Errorf("saved %d of %d", saved, layers)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	took(10)
	few, many := took(500), took(2000)
	if many > 8*few {
		t.Errorf("%d bytes for 500 layers, %d for 2000", few, many)
	}
}
