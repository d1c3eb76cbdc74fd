package lapse_test

import (
	"math/rand/v2"
	"testing"

	"pulley/internal/lapse"
)

// at is a value that counts for so long after it was put in.
type at struct{ begun, life int }

func TestMapIsAMapWithoutWhatLapsed(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	now, model := 0, map[int]at{}
	lapsed := func(v at) bool { return now-v.begun >= v.life }
	m := lapse.New[int](1<<20, lapsed)
	for step := range 50000 {
		k := r.IntN(2000)
		want, there := model[k]
		there = there && !lapsed(want)
		switch r.IntN(10) {
		case 0:
			m.Delete(k)
			delete(model, k)
		case 1:
			now += r.IntN(20)
		case 2:
			odd := func(k int, _ at) bool { return k%100 == step%100 }
			m.DeleteFunc(odd)
			for k, v := range model {
				if odd(k, v) {
					delete(model, k)
				}
			}
		case 3, 4, 5:
			v := at{now, r.IntN(5000)}
			m.Put(k, v)
			model[k] = v
		default:
			if got, ok := m.Get(k); ok != there || ok && got != want {
				t.Fatalf("step %d: %d is %v, %t instead of %v, %t", step, k, got, ok, want, there)
			}
		}
	}
}

// TestMapStaysAsLargeAsWhatCounts: whatever went by before.
func TestMapStaysAsLargeAsWhatCounts(t *testing.T) {
	now := 0
	m := lapse.New[int](1<<20, func(v at) bool { return now-v.begun >= v.life })
	for now = range 100000 {
		m.Put(now, at{now, 100})
		if m.Len() > 200 {
			t.Fatalf("%d entries, 100 of which count", m.Len())
		}
	}
}

// TestMapHasABound also where nothing lapses, and keeps most of what it has.
func TestMapHasABound(t *testing.T) {
	const most = 1000
	m := lapse.New[int](most, func(at) bool { return false })
	for i := range 20 * most {
		m.Put(i, at{begun: i})
		if v, ok := m.Get(i); !ok || v.begun != i {
			t.Fatalf("%d is not there", i)
		}
		if m.Len() > most || i > most && m.Len() < most*3/4 {
			t.Fatalf("%d entries of at most %d", m.Len(), most)
		}
	}
	m = lapse.New[int](1, func(at) bool { return false })
	m.Put(1, at{})
	m.Put(2, at{})
	if _, ok := m.Get(2); !ok || m.Len() != 1 {
		t.Errorf("%d entries of at most one", m.Len())
	}
}
