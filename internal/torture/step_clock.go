//go:build linux

package main

import (
	"context"
	"time"

	"pulley/internal/control"
)

// maxJump is how far the clock is set at most: the certificates of upstreams hold that long before and after.
const maxJump = 20 * time.Hour

// stepClock sets the daemon's clock for some steps in the middle of pulls, forwards or back, by seconds or by most of a day.
func stepClock(ctx context.Context, w *world, r *dice) {
	if w.lag > 0 {
		return
	}
	most := pick(r, []time.Duration{time.Minute, time.Hour, maxJump})
	by := time.Duration(1+r.Int64N(int64(most/time.Second))) * time.Second
	if r.IntN(2) == 0 {
		by = -by
	}
	w.story.tell("    the clock: %s", by)
	w.together(ctx, w.crowd(r, 4), func() { w.setClock(by) })
	w.lag = 1 + r.IntN(3)
	w.together(ctx, w.crowd(r, 4), nil)
}

// setClock sets it. What was not used for longest is told by the clock: nothing that is not pinned need be there any more.
func (w *world) setClock(ahead time.Duration) {
	w.weather.set(jumpy, true, 0)
	w.held.drop(func(h *holding) bool { return !h.pinned })
	if err := w.clock.set(ahead); err != nil {
		w.breaks("torture itself: the clock: %v", err)
	}
}

// setRight ends it. What was used at a time that is yet to come would stay for longer than all others: it goes.
func (w *world) setRight(ctx context.Context) {
	w.setClock(0)
	none := int64(0)
	if _, err := w.control.GC(ctx, control.GC{Keep: &none}); err != nil && !w.weather.now(sick) {
		w.breaks("cache gc: %v", err)
	}
	w.weather.set(jumpy, false, time.Second)
}
