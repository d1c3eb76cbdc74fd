package cache_test

import (
	"context"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

func wantProvenance(t testing.TB, f *cache.Fill, want ...cache.Part) {
	t.Helper()
	if got := f.Provenance(); !slices.Equal(got, want) {
		t.Fatalf("provenance\n %v, want\n %v", got, want)
	}
}

// What a run knew of its sources the next one knows, however it ended.
func TestProvenanceSurvives(t *testing.T) {
	body := bytesOf(407, 2<<20)
	d := digest.FromBytes(body)
	want := []cache.Part{
		{0, 100, "", false}, {100, 300_000, "origin", false}, {300_000, 600_000, "new", true},
		{600_000, 700_000, "new", false}, {1 << 20, 1<<20 + 500_000, "origin", false},
	}
	for name, restart := range map[string]func(*testing.T, *cache.Cache, *cache.Fill) *cache.Cache{
		"given up": func(_ *testing.T, c *cache.Cache, f *cache.Fill) *cache.Cache { f.Fail(nil); return c },
		"closed": func(t *testing.T, c *cache.Cache, _ *cache.Fill) *cache.Cache {
			_ = c.Close()
			return open(t, cache.Options{Dir: c.Dir()})
		},
		"killed": func(t *testing.T, c *cache.Cache, _ *cache.Fill) *cache.Cache {
			return open(t, cache.Options{Dir: copyDir(t, c.Dir())})
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, cache.Options{})
			f := begun(t, c, body)
			front, err := f.ClaimAtMost(t.Context(), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			back := claim(t, f)
			for i, p := range want[:4] {
				if i > 0 {
					front.From(p.Source, p.Withheld)
				}
				write(t, front, body[p.Off:p.End])
			}
			bring(t, back, body[want[4].Off:want[4].End], want[4].Source, want[4].Withheld)
			wantProvenance(t, f, want...)
			front.Release()
			back.Release()
			for range 3 { // a rewritten journal says the same
				c = restart(t, c, f)
				f = join(t, c, d)
				wantProvenance(t, f, want...)
				wantNow(t, now(t, f, 0, -1, true), body[:300_000], context.Canceled)
				wantNow(t, now(t, f, 400_000, 100, false), nil, context.Canceled)
				wantNow(t, now(t, f, 650_000, 100, false), body[650_000:650_100], nil)
			}
			f.WantAll()
			if err := drive(f, body); err != nil {
				t.Fatal(err)
			}
		})
	}
}
