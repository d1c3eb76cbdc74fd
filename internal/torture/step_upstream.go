//go:build linux

package main

import (
	"context"
	"slices"
)

// upstream are the repositories that are not our own.
func (w *world) upstream() []*repo {
	return slices.DeleteFunc(slices.Clone(w.model.repos), func(r *repo) bool { return r.site == nil })
}

// stepMove has a tag stand for something else: a new image, or one that was there before.
func stepMove(ctx context.Context, w *world, r *dice) {
	to, tag := pick(r, w.upstream()), pick(r, []string{"latest", "1"})
	img := w.fresh(r)
	if r.IntN(3) == 0 && len(to.images) > 0 {
		if old := pick(r, to.images); w.model.there(to, old.Digest()) {
			img = old
		}
	}
	during := func() { w.model.push(to, tag, img) }
	if r.IntN(2) == 0 {
		w.together(ctx, w.crowd(r, 4), during)
	} else {
		during()
	}
	w.pull(ctx, w.orderOf(r, to, tag))
}

// stepCopy puts an image of one repository into another, as layers are shared in the world.
func stepCopy(ctx context.Context, w *world, r *dice) {
	from, to, tag := pick(r, w.upstream()), pick(r, w.upstream()), pick(r, []string{"latest", "1"})
	if img, ok := w.model.now(from, pick(r, []string{"latest", "1"})); ok {
		w.model.push(to, tag, img)
	}
	w.pull(ctx, w.orderOf(r, to, tag))
}

// stepDelete takes a tag or an image away upstream, and brings something back now and then.
func stepDelete(ctx context.Context, w *world, r *dice) {
	to, tag := pick(r, w.upstream()), pick(r, []string{"latest", "1"})
	img, ok := w.model.now(to, tag)
	if !ok || r.IntN(3) == 0 {
		w.model.push(to, tag, w.fresh(r))
		return
	}
	ref := tag
	if r.IntN(2) == 0 {
		ref = img.Digest().String()
	}
	w.held.drop(func(h *holding) bool { return h.repo == to })
	w.model.drop(to, ref)
	w.pull(ctx, w.orderOf(r, to, tag))
	if w.weather.now(failing) || r.IntN(2) == 0 {
		w.model.push(to, tag, w.fresh(r))
	}
}

// orderOf is a pull of a tag by somebody who may.
func (w *world) orderOf(r *dice, to *repo, tag string) order {
	o := order{repo: to, tag: tag, byDigest: r.IntN(2) == 0}
	if to.private() {
		o.user = pick(r, to.members)
	}
	o.door = doorFor(r, to, o.user)
	return o
}
