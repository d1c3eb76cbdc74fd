package registry

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pulley/cache"
)

// However many parts there are, few are told: each byte once, and large parts as they are.
func TestPartsAreFew(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // for a test
	for range 200 {
		var list []Part
		at := int64(0)
		for range random.IntN(3000) {
			size := int64(1) << random.IntN(27)
			list = joinPart(list, Part{[]string{"a", "b", "c"}[random.IntN(3)], at, at + size})
			at += size
		}
		was := slices.Clone(list)
		got := coarse(slices.Clone(list))
		if len(got) > maxParts || len(was) <= maxParts && !slices.Equal(got, was) {
			t.Fatalf("%d of %d", len(got), len(was))
		}
		to := int64(0)
		for _, p := range got {
			if p.From != to {
				t.Fatalf("a hole at %d: %v", to, got)
			}
			to = p.To
		}
		if to != at {
			t.Fatalf("up to %d of %d", to, at)
		}
	}
	// holes stay holes, and what is told has an end
	var holes []Part
	for i := range int64(100) {
		holes = joinPart(holes, Part{"a", i * 10, i*10 + 5})
	}
	if got := coarse(slices.Clone(holes)); !slices.Equal(got, holes[:maxParts]) {
		t.Errorf("%v", got)
	}
	large := []Part{{"a", 0, 1 << 30}}
	for i := range int64(60) {
		large = append(large, Part{[]string{"b", "c"}[i%2], 1<<30 + i, 1<<30 + i + 1})
	}
	if got := coarse(large); len(got) > 2 || got[0].Source != "a" {
		t.Errorf("%v", got)
	}
}

func TestWhatWasThereIsTheCaches(t *testing.T) {
	had := []cache.Part{{Off: 0, End: 10, Source: "one"}, {Off: 20, End: 30}}
	var got []Part
	for _, p := range []cache.Part{{Off: 0, End: 5, Source: "one"}, {Off: 5, End: 25, Source: "two"}, {Off: 25, End: 40, Source: "three"}} {
		got = split(got, p, had)
	}
	if want := []Part{{"cache", 0, 10}, {"two", 10, 20}, {"cache", 20, 30}, {"three", 30, 40}}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
