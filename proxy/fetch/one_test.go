package fetch_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"pulley/proxy/fetch"
	"pulley/proxy/source"
)

// one is an origin that is all there is.
func one(data []byte) *fake {
	return &fake{name: "origin", truth: data, origin: true}
}

// from is when its n-th connection was asked for.
func (f *fake) from(n int, began time.Time) time.Duration { return f.at[n].Sub(began) }

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := one(blob(1000))
		f.refuse = func(n int, _ int64) error {
			if n == 0 {
				return &source.StatusError{Status: 429, RetryAfter: 7 * time.Second}
			}
			return nil
		}
		m, began := newMemory(f.truth), time.Now()
		if err := fetch.Run(t.Context(), these(f), m, fetch.Options{}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		if d := f.from(1, began); d != 7*time.Second {
			t.Errorf("asked again after %v", d)
		}
	})
}

func TestBackoffIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := one(blob(1000))
		f.refuse = func(int, int64) error { return &source.StatusError{Status: 503} }
		began := time.Now()
		m := newMemory(f.truth)
		err := fetch.Run(t.Context(), these(f), m, fetch.Options{})
		var se *source.StatusError
		if !errors.As(err, &se) || f.opened != 4 || f.from(3, began) > 2*time.Second {
			t.Errorf("%v after %d, %v", err, f.opened, time.Since(began))
		}
		m.verify(t, nothing)
	})
}

// What worked a moment ago is worth more patience.
func TestMoreAttemptsAfterSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := one(blob(1000))
		f.die = func(int, int64) int64 { return 300 }
		f.refuse = func(n int, _ int64) error {
			if n > 0 {
				return errReset
			}
			return nil
		}
		m := newMemory(f.truth)
		if err := fetch.Run(t.Context(), these(f), m, fetch.Options{}); !errors.Is(err, errReset) || f.opened != 1+10 {
			t.Errorf("%v after %d", err, f.opened)
		}
		m.verify(t, [2]int64{0, 300})
	})
}

func TestStallIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := one(blob(1000))
		f.hang = func(n int, _ int64) int64 {
			if n < 2 {
				return 300
			}
			return -1
		}
		s, m, began := these(f), newMemory(f.truth), time.Now()
		if err := fetch.Run(t.Context(), s, m, fetch.Options{}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		if f.from(1, began) != 30*time.Second || f.from(2, began) != 60*time.Second {
			t.Errorf("opened at %v", f.at)
		}
		if s.failed["origin"] != 2 || !errors.Is(s.errs[0], fetch.ErrStalled) {
			t.Errorf("told of %v", s.errs)
		}
	})
}

// What a sink takes long to write is no stall of the source.
func TestSlowSinkIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := one(blob(1000))
		other := &fake{name: "a", truth: f.truth, proven: true}
		m := newMemory(f.truth)
		m.wrote = func(*claim) { <-time.After(time.Hour) }
		if err := fetch.Run(t.Context(), these(f, other), m, fetch.Options{}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		if f.opened != 1 || other.opened != 0 {
			t.Errorf("%d and %d connections", f.opened, other.opened)
		}
	})
}

// The end of a blob whose size nobody tells, lost in a cut: the 416 that a
// request beyond it gets says how long it was.
func TestEndLearnedFrom416(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := one(blob(1000))
		f.hidden = true
		f.die = func(int, int64) int64 { return 1000 }
		m := newMemory(f.truth)
		f.refuse = func(n int, off int64) error { return nil }
		s := these(chopped{f})
		if err := fetch.Run(t.Context(), s, m, fetch.Options{}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		if len(f.asked) != 2 || f.asked[1] != [2]int64{1000, -1} {
			t.Errorf("asked for %v", f.asked)
		}
	})
}

// chopped loses the news that its body has ended.
type chopped struct{ *fake }

func (c chopped) Open(ctx context.Context, off, end int64) (*source.Body, error) {
	b, err := c.fake.Open(ctx, off, end)
	if err == nil {
		b.ReadCloser = noEnd{b.ReadCloser.(*flow)} //nolint:errcheck,forcetypeassert // it is one
	}
	return b, err
}

type noEnd struct{ *flow }

func (n noEnd) Read(p []byte) (int, error) {
	k, err := n.flow.Read(p)
	if k > 0 {
		err = nil
	}
	return k, err
}

// A small blob costs one plain request, however many sources and connections
// there could be; so does a large one with one connection.
func TestSmallBlobIsOnePlainRequest(t *testing.T) {
	for name, o := range map[string]fetch.Options{
		"small":           {Connections: 8, RangeMin: 2 * mib},
		"small, by hint":  {Connections: 8, RangeMin: 2 * mib, Hint: mib},
		"one":             {Connections: 1, RangeMin: 1},
		"one, by hint":    {Connections: 1, RangeMin: 1, Hint: mib},
		"wrong hint":      {Connections: 8, RangeMin: 2 * mib, Hint: 10},
		"default, and so": {Hint: mib},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all, src := fours(blob(mib), mib)
				m := newMemory(blob(mib))
				if err := fetch.Run(t.Context(), these(src...), m, o); err != nil {
					t.Fatal(err)
				}
				m.verify(t)
				if all[0].opened != 1 || all[0].asked[0] != [2]int64{0, -1} || sent(all...) != mib {
					t.Errorf("asked for %v, sent %d", all[0].asked, sent(all...))
				}
			})
		})
	}
}

// A large one with a hint is asked for in bounded ranges, which cover it once.
func TestLargeBlobIsAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := one(blob(20 * mib))
		f.speed, f.latency = mib, 50*time.Millisecond
		m := newMemory(f.truth)
		if err := fetch.Run(t.Context(), these(f), m, fetch.Options{Connections: 4, Hint: 20 * mib}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		if f.asked[0][0] != 0 || f.asked[0][1] <= 0 || f.asked[0][1] > 4*mib || f.peak != 4 {
			t.Errorf("asked for %v, %d at once", f.asked, f.peak)
		}
		frugal(t, 20*mib, 1.05, f)
	})
}

// What a fast source is given ends where the blob does by the hint: a claim behind that would contradict the size.
func TestFastSourceAndNoSizeYet(t *testing.T) {
	for _, speed := range []float64{50 * mib, 100 * mib, 1000 * mib} {
		synctest.Test(t, func(t *testing.T) {
			f := one(blob(17 * mib))
			f.rate, f.speed, f.latency = speed, speed, 20*time.Millisecond
			m := newMemory(f.truth)
			if err := fetch.Run(t.Context(), these(f), m, fetch.Options{Connections: 8, Hint: 17 * mib}); err != nil {
				t.Errorf("%.0f bytes/s: %v", speed, err)
			}
			m.verify(t)
		})
	}
}

// A hint that is wrong decides nothing.
func TestWrongHint(t *testing.T) {
	for _, hint := range []int64{20*mib - 1, 20*mib + 1, 100 * mib, 17 * mib} {
		synctest.Test(t, func(t *testing.T) {
			f := one(blob(20 * mib))
			m := newMemory(f.truth)
			if err := fetch.Run(t.Context(), these(f), m, fetch.Options{Connections: 4, Hint: hint}); err != nil {
				t.Fatal(err)
			}
			m.verify(t)
		})
	}
}

func TestEmptyBlob(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		f := one(nil)
		f.hidden = hidden
		m := newMemory(nil)
		if err := fetch.Run(t.Context(), these(f), m, fetch.Options{}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
	}
}

// A blob whose size nobody tells comes over one connection, large as it is.
func TestUnknownSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := one(blob(20 * mib))
		f.hidden = true
		f.die = func(n int, _ int64) int64 {
			if n < 3 {
				return 5 * mib
			}
			return -1
		}
		m := newMemory(f.truth)
		if err := fetch.Run(t.Context(), these(f), m, fetch.Options{Connections: 8}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		if f.peak != 1 || f.opened != 4 {
			t.Errorf("%d connections, %d at once", f.opened, f.peak)
		}
		frugal(t, 20*mib, 1, f)
	})
}

// max_rate holds for all connections together.
func TestRateIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, src := fours(blob(20*mib), 0)
		m, began := newMemory(blob(20*mib)), time.Now()
		limit := rate.NewLimiter(2*mib, 64<<10)
		if err := fetch.Run(t.Context(), these(src...), m, fetch.Options{Connections: 8, Hint: 20 * mib, Rate: limit}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		if d := time.Since(began); d < 9900*time.Millisecond || d > 10500*time.Millisecond {
			t.Errorf("took %v", d)
		}
		frugal(t, 20*mib, 1.05, all...)
	})
}

// Somebody waits for the end of a large blob that is just begun.
func TestFarRangeIsServedSoon(t *testing.T) {
	for _, connections := range []int{1, 8} {
		synctest.Test(t, func(t *testing.T) {
			f := one(blob(64 * mib))
			f.speed, f.latency = mib, 20*time.Millisecond
			m := newMemory(f.truth)
			m.wants = [][2]int64{{0, -1}}
			result := make(chan error, 1)
			go func() {
				result <- fetch.Run(t.Context(), these(f), m, fetch.Options{Connections: connections, Hint: 64 * mib})
			}()
			<-time.After(2 * time.Second)
			m.want(60*mib, 60*mib+1000)
			<-time.After(5 * time.Second)
			m.mu.Lock()
			there := !m.missing(60*mib, 60*mib+1000)
			m.mu.Unlock()
			if !there {
				t.Error("still waiting after 5 s")
			}
			if err := <-result; err != nil {
				t.Fatal(err)
			}
			m.verify(t)
			if f.peak > connections {
				t.Errorf("%d connections", f.peak)
			}
		})
	}
}
