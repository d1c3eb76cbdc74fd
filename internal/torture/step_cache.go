//go:build linux

package main

import (
	"context"
	"time"

	"pulley/internal/control"
)

// maxPinned is how much of the cache is pinned at most.
const maxPinned = 6 << 20

// stepPin pins an image that is there, or lets go of one.
func stepPin(ctx context.Context, w *world, r *dice) {
	list := w.held.list()
	pinned := int64(0)
	for _, h := range list {
		if h.pinned {
			pinned += sizeOf(h.image)
		}
	}
	for range min(3, len(list)) {
		h := pick(r, list)
		if h.repo.site == nil || !h.pinned && (pinned+sizeOf(h.image) > maxPinned || !w.current(ctx, h)) {
			continue
		}
		if _, err := w.control.PinImage(ctx, h.name(), !h.pinned); err != nil {
			if !w.weather.now(sick) {
				w.breaks("an image that must be there cannot be pinned: %s: %v", h.name(), err)
			}
			return
		}
		w.held.pin(h, !h.pinned)
		w.story.tell("    pinned %v: %s", h.pinned, h.name())
		return
	}
}

// current says that the tag stands for this in the cache just now.
func (w *world) current(ctx context.Context, h *holding) bool {
	list, err := w.control.Images(ctx)
	if err != nil {
		w.breaks("images: %v", err)
	}
	for _, i := range list {
		for _, tag := range i.Tags {
			if i.Registry == h.repo.registry && i.Repository == h.repo.name && tag == h.tag {
				return i.Digest == h.image.Digest().String()
			}
		}
	}
	return false
}

// stepCollect throws out what is not pinned, beyond some size.
func stepCollect(ctx context.Context, w *world, r *dice) {
	keep := int64(r.IntN(maxSize))
	w.held.drop(func(h *holding) bool { return !h.pinned })
	if _, err := w.control.GC(ctx, control.GC{Keep: &keep}); err != nil && !w.weather.now(sick) {
		w.breaks("cache gc: %v", err)
		return
	}
	w.offlinePulls(ctx, r, 2)
}

// stepVerify has every blob read back beside pulls.
func stepVerify(ctx context.Context, w *world, r *dice) {
	w.together(ctx, w.crowd(r, 3), func() {
		v, err := w.control.Verify(ctx, control.Verify{Heal: r.IntN(2) == 0}, nil)
		if err != nil && !w.weather.now(sick) {
			w.breaks("cache verify: %v", err)
		}
		for _, b := range v.Damaged {
			w.story.tell("    verify: %s is damaged", short(b.Digest))
		}
	})
}

// stepRemove removes an image from the cache.
func stepRemove(ctx context.Context, w *world, r *dice) {
	list := w.held.list()
	if len(list) == 0 {
		return
	}
	h := pick(r, list)
	if h.pinned || h.repo.site == nil || !w.current(ctx, h) {
		return
	}
	w.story.tell("    remove %s", h.name())
	w.held.drop(func(o *holding) bool { // what it shares with others stays with them
		return o.repo == h.repo && (o.tag == h.tag || o.has(h.image.Digest()))
	})
	if _, err := w.control.RemoveImage(ctx, h.name()); err != nil && !w.weather.now(sick) {
		w.breaks("cache rm %s: %v", h.name(), err)
	}
	stepPull(ctx, w, r)
}

// stepPrefetch is `pulley pull`.
func stepPrefetch(ctx context.Context, w *world, r *dice) {
	to, tag := pick(r, w.model.repos[:7]), pick(r, []string{"latest", "1"})
	img, ok := w.model.now(to, tag)
	if !ok || !w.runsHere(to, tag) {
		return
	}
	_, err := w.run(ctx, "pull", to.String()+":"+tag, "--platform", "linux/amd64")
	if err != nil && !w.weather.now(failing) && !w.weather.now(lying) && !w.weather.now(sick) {
		w.breaks("%v", err)
	}
	for _, d := range platform(img).Blobs() {
		content, _ := contentOf(platform(img), d)
		w.held.used(d, content.Size())
	}
	w.pull(ctx, w.orderOf(r, to, tag))
}

// runsHere says that whatever a tag may be taken to stand for now is for linux/amd64: an index's other part may have got a tag.
func (w *world) runsHere(of *repo, tag string) bool {
	now := time.Now()
	from := now.Add(-w.tagsFor - time.Second)
	if w.weather.during(stale, from, now) {
		from = time.Time{}
	}
	for _, d := range w.model.meant(of, tag, from, now) {
		if img, ok := w.model.image(of, d); ok && platform(img).Platform.Architecture != "amd64" {
			return false
		}
	}
	return true
}
