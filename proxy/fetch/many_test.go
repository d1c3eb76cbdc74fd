package fetch_test

import (
	"testing"
	"testing/synctest"
	"time"

	"pulley/proxy/fetch"
)

// Four sources, a mebibyte a second on each connection, eight connections: at
// least seven and a half times as fast as one.
func TestManyConnectionsAddUp(t *testing.T) {
	const size = 64 * mib
	for name, hint := range map[string]int64{"with a hint": size, "without": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all, src := fours(blob(size), mib)
				m := newMemory(blob(size))
				began := time.Now()
				if err := fetch.Run(t.Context(), these(src...), m, fetch.Options{Connections: 8, Hint: hint}); err != nil {
					t.Fatal(err)
				}
				m.verify(t)
				took(t, began, 64*time.Second*10/75)
				t.Log(time.Since(began), m.handed, sent(all...))
				frugal(t, size, 1.05, all...)
				for _, f := range all {
					if f.peak == 0 || f.peak > 6 {
						t.Errorf("%s had %d connections", f.name, f.peak)
					}
				}
			})
		})
	}
}

// One source of four is far slower than the others.
func TestSlowSourceCostsLittle(t *testing.T) {
	const size = 64 * mib
	for _, speed := range []float64{mib / 50, mib / 5} {
		synctest.Test(t, func(t *testing.T) {
			all, src := fours(blob(size), mib)
			all[1].speed = speed
			m := newMemory(blob(size))
			began := time.Now()
			if err := fetch.Run(t.Context(), these(src...), m, fetch.Options{Connections: 8, Hint: size}); err != nil {
				t.Fatal(err)
			}
			m.verify(t)
			t.Log(time.Since(began), m.handed, sent(all...))
			took(t, began, 10500*time.Millisecond)
			frugal(t, size, 1.05, all...)
		})
	}
}

// Where requests are counted, what may be asked in a minute brings much.
func TestFewRequestsWhereTheyAreCounted(t *testing.T) {
	const size = 256 * mib
	synctest.Test(t, func(t *testing.T) {
		f := &fake{name: "daocloud", proven: true, truth: blob(size), speed: mib, latency: 50 * time.Millisecond, most: 10, minute: 20}
		m := newMemory(blob(size))
		began := time.Now()
		if err := fetch.Run(t.Context(), these(f), m, fetch.Options{Connections: 8, Hint: size, MaxWait: 2 * time.Minute}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		t.Log(time.Since(began), len(f.asked), f.asked)
		took(t, began, 45*time.Second) // 32 with nobody counting
		for i := 20; i < len(f.at); i++ {
			if f.at[i].Sub(f.at[i-20]) < time.Minute {
				t.Errorf("request %d came %v after the one 20 before it", i, f.at[i].Sub(f.at[i-20]))
			}
		}
		frugal(t, size, 1.05, f)
	})
}

// A fast source is asked for a little at a time, so that the front of the blob, which alone can be passed on and hashed, is
// never far behind; for more where each request has to wait.
func TestTheFrontOfAFastSourceIsNear(t *testing.T) {
	const size = 256 * mib
	for _, c := range []struct {
		latency     time.Duration
		least, most int64         // of the longest request
		all         time.Duration // a second if nothing is lost
	}{
		{time.Millisecond, 2 * mib, 4 * mib, 1100 * time.Millisecond},
		{100 * time.Millisecond, 16 * mib, 51 * mib, 1900 * time.Millisecond},
	} {
		t.Run(c.latency.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{name: "cdn", origin: true, proven: true, truth: blob(size), speed: 32 * mib, latency: c.latency}
				m, began := newMemory(blob(size)), time.Now()
				if err := fetch.Run(t.Context(), these(f), m, fetch.Options{Connections: 8, Hint: size}); err != nil {
					t.Fatal(err)
				}
				m.verify(t)
				took(t, began, c.all)
				longest := int64(0)
				for _, a := range f.asked {
					longest = max(longest, a[1]-a[0])
				}
				t.Log(time.Since(began), len(f.asked), longest)
				if longest < c.least || longest > c.most {
					t.Errorf("%d bytes were asked for at once: %v", longest, f.asked)
				}
			})
		})
	}
}
