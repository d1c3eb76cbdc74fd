package fetch_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"pulley/proxy/fetch"
	"pulley/proxy/source"
)

// One source of four dies at a random byte of each of its connections, again and
// again, or of one of them.
func TestOneOfFourDies(t *testing.T) {
	const size = 96 * mib
	n, seed := rounds(t, 6)
	for i := range n {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			all, src := fours(blob(size), 10*mib)
			sick := all[rng.IntN(4)]
			always := rng.IntN(2) == 0
			down := false
			sick.die = func(int, int64) int64 {
				if !down || always {
					down = true
					return rng.Int64N(16 * mib)
				}
				return -1
			}
			if !always {
				sick.refuse = func(int, int64) error {
					if down {
						return errReset
					}
					return nil
				}
			}
			m, began := newMemory(blob(size)), time.Now()
			if err := fetch.Run(t.Context(), these(src...), m, fetch.Options{Connections: 8, Hint: size}); err != nil {
				t.Fatalf("round %d: %v", i, err)
			}
			m.verify(t)
			frugal(t, size, 1.05, all...)
			took(t, began, 2200*time.Millisecond)
		})
	}
}

// At the byte, to the next one, when a small blob's source dies; the one that
// died is not asked again while there are others.
func TestFailoverAtTheByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, src := fours(blob(mib), mib)
		for i := range 3 {
			all[i].die = func(int, int64) int64 { return 1000 }
		}
		s, m := these(src...), newMemory(blob(mib))
		if err := fetch.Run(t.Context(), s, m, fetch.Options{}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		for i, f := range all {
			want := [2]int64{int64(i) * 1000, mib}
			if i == 0 {
				want[1] = -1
			}
			if f.opened != 1 || f.asked[0] != want {
				t.Errorf("%s was asked for %v", f.name, f.asked)
			}
		}
		if sent(all...) != mib || s.failed["origin"] != 1 || s.failed["c"] != 0 {
			t.Errorf("sent %d, failed %v", sent(all...), s.failed)
		}
	})
}

// Who says no is asked once.
func TestMirrorsWithoutTheBlob(t *testing.T) {
	for _, status := range []int{401, 403, 404, 400} {
		synctest.Test(t, func(t *testing.T) {
			all, src := fours(blob(20*mib), mib)
			no := &source.StatusError{Status: status}
			all[1].refuse = func(int, int64) error { return no }
			all[2].refuse = all[1].refuse
			s, m := these(src[1], src[2], src[3], src[0]), newMemory(blob(20*mib))
			if err := fetch.Run(t.Context(), s, m, fetch.Options{Connections: 8}); err != nil {
				t.Fatal(err)
			}
			m.verify(t)
			if all[1].opened > 1 || all[2].opened > 1 || m.by("origin")+m.by("c") != 20*mib {
				t.Errorf("asked %d and %d times", all[1].opened, all[2].opened)
			}
		})
	}
}

// The origin's no is final only when no mirror has the blob.
func TestOriginSaysNo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, src := fours(blob(mib), mib)
		all[0].refuse = func(int, int64) error { return &source.StatusError{Registry: "origin", Status: 404} }
		m := newMemory(blob(mib))
		if err := fetch.Run(t.Context(), these(src...), m, fetch.Options{}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		for _, f := range all[1:] {
			f.refuse = func(int, int64) error { return &source.StatusError{Registry: f.name, Status: 403} }
		}
		m, began := newMemory(blob(mib)), time.Now()
		err := fetch.Run(t.Context(), these(src...), m, fetch.Options{})
		var s *source.StatusError
		if !errors.As(err, &s) || s.Registry != "origin" || s.Status != 404 {
			t.Errorf("got %v", err)
		}
		m.verify(t, nothing)
		took(t, began, time.Second)
	})
}

// 429 and 5xx: the next source, and back when nothing else is left.
func TestBusySourcesComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &fake{name: "a", truth: blob(mib), proven: true}
		o := one(blob(mib))
		a.refuse = func(n int, _ int64) error {
			if n == 0 {
				return &source.StatusError{Status: 429, RetryAfter: 20 * time.Second}
			}
			return nil
		}
		o.die = func(int, int64) int64 { return 1000 }
		o.refuse = func(n int, _ int64) error {
			if n > 0 {
				return &source.StatusError{Status: 429, RetryAfter: time.Hour}
			}
			return nil
		}
		m, began := newMemory(blob(mib)), time.Now()
		if err := fetch.Run(t.Context(), these(a, o), m, fetch.Options{}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		if a.from(1, began) != 20*time.Second || o.opened != 2 || m.by("a") != mib-1000 {
			t.Errorf("asked at %v and %v", a.at, o.at)
		}
	})
}

// Sources that must be left alone are waited for, not for ever.
func TestNobodyToAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := one(blob(mib))
		o.closed.Store(true)
		began := time.Now()
		m := newMemory(blob(mib))
		if err := fetch.Run(t.Context(), these(o), m, fetch.Options{}); !errors.Is(err, fetch.ErrNoSource) {
			t.Errorf("got %v", err)
		}
		if d := time.Since(began); d < 29*time.Second || d > 31*time.Second {
			t.Errorf("after %v", d)
		}
		if err := fetch.Run(t.Context(), these(), m, fetch.Options{}); !errors.Is(err, fetch.ErrNoSource) {
			t.Errorf("with no source: %v", err)
		}
		began = time.Now()
		time.AfterFunc(10*time.Second, func() { o.closed.Store(false) })
		if err := fetch.Run(t.Context(), these(o), m, fetch.Options{}); err != nil {
			t.Error(err)
		}
		m.verify(t)
		took(t, began, 11*time.Second)
	})
}

// Tiers: the second only while the first cannot be used.
func TestTiers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, src := fours(blob(20*mib), mib)
		for _, f := range []*fake{all[0], all[2], all[3]} {
			f.tier = 1
		}
		m := newMemory(blob(20 * mib))
		if err := fetch.Run(t.Context(), these(src...), m, fetch.Options{Connections: 8}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		if m.by("a") != 20*mib {
			t.Errorf("a brought %d", m.by("a"))
		}
		all[1].refuse = func(int, int64) error { return errReset }
		m = newMemory(blob(20 * mib))
		began := time.Now()
		if err := fetch.Run(t.Context(), these(src...), m, fetch.Options{Connections: 8}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		took(t, began, 4*time.Second)
	})
}

// A source that sends no ranges is left out while others do, and serves alone,
// over one connection, where it is all there is.
func TestSourceWithoutRanges(t *testing.T) {
	const size = 32 * mib
	for _, hint := range []int64{0, size} {
		synctest.Test(t, func(t *testing.T) {
			all, src := fours(blob(size), mib)
			all[1].plain = true
			m, began := newMemory(blob(size)), time.Now()
			if err := fetch.Run(t.Context(), these(src[1], src[0], src[2], src[3]), m, fetch.Options{Connections: 8, Hint: hint}); err != nil {
				t.Fatal(err)
			}
			m.verify(t)
			frugal(t, size, 1.05, all...)
			took(t, began, 6*time.Second)
			if all[1].opened > 2 {
				t.Errorf("asked for %v", all[1].asked)
			}

			f := one(blob(size))
			f.plain, f.speed = true, mib
			m, began = newMemory(blob(size)), time.Now()
			if err := fetch.Run(t.Context(), these(f), m, fetch.Options{Connections: 8, Hint: hint}); err != nil {
				t.Fatal(err)
			}
			m.verify(t)
			took(t, began, 33*time.Second)
			if f.opened > 2 || f.sent > size+size/20 {
				t.Errorf("asked for %v, sent %d", f.asked, f.sent)
			}
		})
	}
}

// Cut in the middle, it sends the front again, which is thrown away.
func TestSourceWithoutRangesIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := one(blob(32 * mib))
		f.plain = true
		f.die = func(n int, _ int64) int64 { return []int64{10 * mib, 20 * mib, -1}[n] }
		m := newMemory(f.truth)
		if err := fetch.Run(t.Context(), these(f), m, fetch.Options{Connections: 8, Hint: 32 * mib}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		if f.opened != 3 || f.peak != 1 {
			t.Errorf("asked for %v", f.asked)
		}
	})
}

// One connection hangs at the front of the blob, before its first byte or after:
// another one brings the rest of what it should.
func TestSilentConnectionIsReplaced(t *testing.T) {
	for _, after := range []int64{0, 1000} {
		for _, single := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				all, src := fours(blob(32*mib), mib)
				if single {
					all, src = all[:1], src[:1]
				}
				all[0].hang = func(n int, _ int64) int64 {
					if n == 0 {
						return after
					}
					return -1
				}
				s, m, began := these(src...), newMemory(blob(32*mib)), time.Now()
				if err := fetch.Run(t.Context(), s, m, fetch.Options{Connections: 8}); err != nil {
					t.Fatal(err)
				}
				m.verify(t)
				took(t, began, 12*time.Second)
				frugal(t, 32*mib, 1.05, all...)
			})
		}
	}
}

// A source that takes for ever to answer does not keep the others waiting.
func TestSourceThatDoesNotAnswer(t *testing.T) {
	for _, size := range []int{mib, 32 * mib} {
		synctest.Test(t, func(t *testing.T) {
			all, src := fours(blob(size), mib)
			all[0].latency = time.Hour
			s, m, began := these(src...), newMemory(blob(size)), time.Now()
			if err := fetch.Run(t.Context(), s, m, fetch.Options{Connections: 8, Hint: int64(size)}); err != nil {
				t.Fatal(err)
			}
			m.verify(t)
			took(t, began, time.Duration(size/mib/7)*time.Second+8*time.Second)
			if all[0].opened > 2 || s.failed["origin"] == 0 {
				t.Errorf("asked %d times, failed %v", all[0].opened, s.failed)
			}
		})
	}
}

// A source turns slow in the middle of a long claim, at the end of the blob: its
// rest goes to another one.
func TestStragglerIsHelped(t *testing.T) {
	const size = 64 * mib
	synctest.Test(t, func(t *testing.T) {
		all, src := fours(blob(size), 4*mib)
		began := time.Now()
		m := newMemory(blob(size))
		m.wrote = func(*claim) {
			if time.Since(began) > 1300*time.Millisecond {
				all[2].slow(mib / 100)
			}
		}
		if err := fetch.Run(t.Context(), these(src...), m, fetch.Options{Connections: 8, Hint: size}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		took(t, began, 8*time.Second)
		frugal(t, size, 1.05, all...)
	})
}

// Fast ones get more.
func TestFasterBringsMore(t *testing.T) {
	const size = 64 * mib
	synctest.Test(t, func(t *testing.T) {
		all, src := fours(blob(size), mib)
		all[3].speed = 4 * mib
		m, began := newMemory(blob(size)), time.Now()
		if err := fetch.Run(t.Context(), these(src...), m, fetch.Options{Connections: 8, Hint: size}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		t.Log(time.Since(began))
		for _, f := range all[:3] {
			if m.by(f.name) == 0 || m.by("c") < 2*m.by(f.name) {
				t.Errorf("c brought %d, %s %d", m.by("c"), f.name, m.by(f.name))
			}
		}
	})
}

// Polite limits hold, also when all sources have some.
func TestConnectionsAreLimited(t *testing.T) {
	const size = 32 * mib
	synctest.Test(t, func(t *testing.T) {
		all, src := fours(blob(size), mib)
		for i, f := range all {
			f.most = i + 1
		}
		m := newMemory(blob(size))
		if err := fetch.Run(t.Context(), these(src...), m, fetch.Options{Connections: 16, Hint: size}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		for i, f := range all {
			if f.peak != i+1 {
				t.Errorf("%s had %d connections", f.name, f.peak)
			}
		}
	})
}

// A mirror with another blob of that name is left out, the origin's word is not
// doubted.
func TestSizeIsTheOrigins(t *testing.T) {
	const size = 20 * mib
	for name, hint := range map[string]int64{"hint": size, "no hint": 0} {
		for _, delta := range []int64{-1000, 1000} {
			t.Run(fmt.Sprint(name, delta), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					all, src := fours(blob(size), mib)
					all[1].delta, all[2].delta = delta, delta
					all[1].proven = false
					list := src
					if hint > 0 {
						list = []fetch.Source{src[1], src[2], src[0], src[3]}
					}
					s, m := these(list...), newMemory(blob(size))
					if err := fetch.Run(t.Context(), s, unhurried{m}, fetch.Options{Connections: 8, Hint: hint}); err != nil {
						t.Fatal(err)
					}
					m.verify(t)
					if s.failed["a"] != 1 || s.failed["b"] != 1 || all[1].opened != 1 || all[2].opened != 1 {
						t.Errorf("failed %v", s.failed)
					}
				})
			})
		}
	}
}

// unhurried lets others go first whenever it is asked for its size.
type unhurried struct{ *memory }

func (u unhurried) Size() int64 {
	for range 100 {
		runtime.Gosched()
	}
	return u.memory.Size()
}

// A mirror tells a size, sends as much of something else, and the digest breaks:
// the same.
func TestSizeOfAnotherBlob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, a := one(blob(mib)), &fake{name: "a", truth: blob(mib)[:1000], tier: -1}
		s, m := these(a, o), newMemory(blob(mib))
		err := fetch.Run(t.Context(), s, m, fetch.Options{})
		var size *fetch.SizeError
		if !errors.As(err, &size) || !errors.Is(err, fetch.ErrDigest) || s.liars["a"] != [2]int64{0, 1000} {
			t.Errorf("got %v, liars %v", err, s.liars)
		}
	})
}

// A mirror told the size, the origin tells another: the mirror lied, and what it
// brought is of no use.
func TestSizeOfALiar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, a := one(blob(mib)), &fake{name: "a", truth: blob(mib), proven: true, delta: 1000}
		a.die = func(int, int64) int64 { return 1000 }
		s, m := these(a, o), newMemory(blob(mib))
		err := fetch.Run(t.Context(), s, m, fetch.Options{})
		var size *fetch.SizeError
		if !errors.As(err, &size) || size.Size != mib || s.liars["a"] != [2]int64{0, mib + 1000} {
			t.Errorf("got %v, liars %v", err, s.liars)
		}
	})
}

// A source that a small blob is asked of crawls, and another one is known to be
// fast.
func TestCrawlingSourceIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, src := fours(blob(8*mib), mib)
		all[0].speed, all[1].rate = mib/50, mib
		m, began := newMemory(blob(8*mib)), time.Now()
		if err := fetch.Run(t.Context(), these(src[:2]...), m, fetch.Options{Hint: 8 * mib}); err != nil {
			t.Fatal(err)
		}
		m.verify(t)
		took(t, began, 18*time.Second)
		frugal(t, 8*mib, 1.05, all...)
	})
}

// A small blob comes from who is preferred, proven or not; the front of a large one
// from who may be shown.
func TestFrontOfALargeBlobIsShown(t *testing.T) {
	for _, size := range []int{mib, 32 * mib} {
		synctest.Test(t, func(t *testing.T) {
			all, src := fours(blob(size), mib)
			all[1].proven = false
			m := newMemory(blob(size))
			if err := fetch.Run(t.Context(), these(src[1], src[0]), m, fetch.Options{Hint: int64(size)}); err != nil {
				t.Fatal(err)
			}
			m.verify(t)
			if p := m.Provenance()[0]; p.Withheld != (size == mib) || (p.Source == "a") != (size == mib) {
				t.Errorf("%d: the front is %v", size, p)
			}
		})
	}
}
