//go:build linux

package main

import (
	"context"
	"sync"

	"github.com/opencontainers/go-digest"
)

// target is a random blob that somebody may have now, and by which door.
func (w *world) target(r *dice) (order, question, int64) {
	for range 20 {
		o := w.draw(r)
		img, ok := w.model.now(o.repo, o.tag)
		if !ok {
			continue
		}
		d := pick(r, platform(img).Blobs())
		if content, ok := w.model.blob(o.repo, d); ok && content.Size() > 0 {
			return o, question{repo: o.repo, ref: d.String(), leave: -1}, content.Size()
		}
	}
	return order{}, question{}, 0
}

// stepRange asks for ranges of one blob at once, by several doors.
func stepRange(ctx context.Context, w *world, r *dice) {
	o, q, size := w.target(r)
	if size == 0 {
		return
	}
	var work sync.WaitGroup
	for range 2 + r.IntN(5) {
		one := q
		one.off = r.Int64N(size)
		one.n = 1 + r.Int64N(size-one.off)
		d := doorFor(r, o.repo, o.user)
		work.Go(func() { w.lone(ctx, d, o.user, one) })
	}
	work.Wait()
}

// lone is one request with the login that it takes.
func (w *world) lone(ctx context.Context, d door, user string, q question) {
	c := w.engine(d, user)
	defer c.hangUp()
	if w.enter(ctx, c, q) == nil {
		w.asked(ctx, c, q)
	}
}

// stepLeave hangs up in the middle, beside somebody who stays.
func stepLeave(ctx context.Context, w *world, r *dice) {
	o, q, size := w.target(r)
	if size == 0 {
		return
	}
	var work sync.WaitGroup
	for i := range 1 + r.IntN(4) {
		one := q
		if i > 0 || r.IntN(2) == 0 {
			one.leave = r.Int64N(size)
		}
		d := doorFor(r, o.repo, o.user)
		work.Go(func() { w.lone(ctx, d, o.user, one) })
	}
	work.Wait()
	if r.IntN(2) == 0 { // what was begun goes on
		w.lone(ctx, doorFor(r, o.repo, o.user), o.user, q)
	}
	w.held.used(digest.Digest(q.ref), size)
}
