package proxy

import (
	"container/list"
	"time"
)

// allowance is how many wrong guesses cost nothing, and what those after them do:
// first, then twice as long each time, up to most.
type allowance struct {
	free        int
	first, most time.Duration
}

// guesses counts wrong guesses by who made them, or at whom. It is not safe for
// concurrent use.
type guesses[K comparable] struct {
	allowance
	by    map[K]*list.Element
	order *list.List // of *guesser[K], who was wrong last at the front
}

type guesser[K comparable] struct {
	key   K
	n     int
	last  time.Time
	until time.Time
}

const (
	maxGuessers = 4096             // beyond them those who were wrong longest ago are forgotten
	forgetAfter = 30 * time.Minute // without a wrong guess
)

func newGuesses[K comparable](a allowance) guesses[K] {
	return guesses[K]{allowance: a, by: map[K]*list.Element{}, order: list.New()}
}

func (g *guesses[K]) get(k K) *guesser[K] {
	if e := g.by[k]; e != nil {
		return e.Value.(*guesser[K]) //nolint:errcheck,forcetypeassert // the list holds nothing else
	}
	return nil
}

// wait is how long until k may guess again.
func (g *guesses[K]) wait(k K, now time.Time) time.Duration {
	e := g.get(k)
	if e == nil || !e.until.After(now) {
		return 0
	}
	return min(e.until.Sub(now), g.most) // the clock may have been set back
}

// count takes a guess for a wrong one.
func (g *guesses[K]) count(k K, now time.Time) {
	e := g.get(k)
	switch {
	case e == nil:
		g.trim()
		e = &guesser[K]{key: k}
		g.by[k] = g.order.PushFront(e)
	default:
		g.order.MoveToFront(g.by[k])
		if now.Sub(e.last) > forgetAfter {
			e.n = 0
		}
	}
	e.n++
	e.last = now
	if over := e.n - g.free; over > 0 {
		e.until = now.Add(min(g.first<<min(over-1, 20), g.most))
	}
}

// forgive takes one back.
func (g *guesses[K]) forgive(k K) {
	if e := g.get(k); e != nil {
		e.n, e.until = max(e.n-1, 0), time.Time{}
	}
}

func (g *guesses[K]) trim() {
	for len(g.by) >= maxGuessers {
		last := g.order.Back()
		g.order.Remove(last)
		delete(g.by, last.Value.(*guesser[K]).key) //nolint:errcheck,forcetypeassert // as above
	}
}
