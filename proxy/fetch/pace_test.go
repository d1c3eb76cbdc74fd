package fetch_test

import (
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"pulley/proxy/fetch"
)

// Another limit is for those too who wait already: with the old one they would wait for an hour.
func TestAnotherRateWakes(t *testing.T) {
	for _, to := range []rate.Limit{rate.Inf, 4 * mib} {
		synctest.Test(t, func(t *testing.T) {
			const size = 16 * mib
			all, src := fours(blob(size), 0)
			m, pace := newMemory(blob(size)), rate.NewLimiter(1<<10, 1<<20)
			time.AfterFunc(10*time.Second, func() { pace.SetLimit(to) })
			began := time.Now()
			if err := fetch.Run(t.Context(), these(src...), m, fetch.Options{Connections: 8, RangeMin: mib, Hint: size, Rate: pace}); err != nil {
				t.Fatal(err)
			}
			m.verify(t)
			took(t, began, 15*time.Second)
			frugal(t, size, 1.02, all...)
		})
	}
}

// A lower limit is kept to at once as well.
func TestLowerRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 8 * mib
		_, src := fours(blob(size), 0)
		m, pace := newMemory(blob(size)), rate.NewLimiter(4*mib, 256<<10)
		time.AfterFunc(time.Second, func() { pace.SetLimit(mib) })
		began := time.Now()
		if err := fetch.Run(t.Context(), these(src[0]), m, fetch.Options{Hint: size, Rate: pace}); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d < 4500*time.Millisecond || d > 6*time.Second {
			t.Errorf("took %v", d)
		}
	})
}
