//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// dreaded are what can be wrong with the disk. Pulls must not fail for any of it while the origin is well.
var dreaded = []string{"full", "nearly full", "read-only", "away"}

// ailments are what else can be, of one that can ail.
var ailments = []string{"slow", "failing"}

// shares: of a disk that fails, one operation in so many does. Nothing can be stored where it is many, and where it is few
// what is stored is so in part.
var shares = []int64{6, 40, 250}

// stepDisk has something be wrong with the disk for some steps, from the middle of pulls on.
func stepDisk(ctx context.Context, w *world, r *dice) {
	if !w.disk.mounted || w.flood > 0 {
		return
	}
	list := dreaded
	if w.disk.ailing != nil {
		list = slices.Concat(dreaded, ailments)
	}
	what, share := pick(r, list), pick(r, shares)
	w.story.tell("    the disk: %s", what)
	w.ill = time.Now()
	w.together(ctx, w.crowd(r, 4), func() {
		w.weather.set(sick, true, 0)
		w.held.drop(func(*holding) bool { return true })
		var err error
		switch what {
		case "full":
			err = w.disk.fill(0)
		case "nearly full":
			err = w.disk.fill(512 << 10)
		case "read-only":
			err = w.disk.readOnly(true)
		case "away":
			err = w.disk.vanish(true)
		case "slow":
			w.disk.ailing.slow.Store(true)
		case "failing":
			w.story.tell("    one operation in %d fails", share)
			w.disk.ailing.fails.Store(share)
		}
		if err != nil {
			w.breaks("torture itself: the disk: %s: %v", what, err)
		}
	})
	w.flood = 1 + r.IntN(3)
	w.drought = what
	w.together(ctx, w.crowd(r, 4), nil)
}

// dry ends it. A daemon that was started on a disk that it could not use is started again, as it asks for.
func (w *world) dry(ctx context.Context) {
	var err error
	again := w.daemon.started.After(w.ill) && slices.Contains([]string{"read-only", "away", "failing"}, w.drought)
	if again {
		w.weather.set(dying, true, 0)
		err = w.daemon.end(ctx)
	}
	switch w.drought {
	case "full", "nearly full":
		w.disk.free()
	case "read-only":
		err = errors.Join(err, w.disk.readOnly(false))
	case "away":
		err = errors.Join(err, w.disk.vanish(false))
	case "slow":
		w.disk.ailing.well()
	case "failing":
		w.disk.ailing.well()
		w.debris = nil
		w.debris = w.leftovers()
	}
	if again {
		err = errors.Join(err, w.start(ctx))
	}
	if err != nil {
		w.breaks("the disk is not %s any more, and: %v", w.drought, err)
	}
	w.drought = ""
	w.held.drop(func(*holding) bool { return true })
	w.weather.set(sick, false, 2*time.Second)
}

// stepDamage changes bytes of stored blobs, as a bad disk does; they must not be served.
func stepDamage(ctx context.Context, w *world, r *dice) {
	if w.flood > 0 {
		return
	}
	for range 1 + r.IntN(3) {
		list := w.held.list() // what is damaged may be gone from many of them
		if len(list) == 0 {
			return
		}
		h := pick(r, list)
		if h.repo.site == nil { // nobody has it again
			continue
		}
		d := pick(r, platform(h.image).Blobs())
		content, _ := contentOf(platform(h.image), d)
		file := filepath.Join(w.disk.cache(), "blobs", "sha256", d.Encoded())
		_ = until(ctx, 3*time.Second, func() bool { _, err := os.Stat(file); return err == nil }) // the last byte may be seen before that
		if err := damage(file, content, r); err != nil {
			w.breaks("a blob that was pulled is not where docs/design.md says: %s of %s: %v", d, h.name(), err)
			return
		}
		w.story.tell("    damaged %s of %s", short(d.String()), h.name())
		w.spoil(d)
		o := w.orderOf(r, h.repo, pick(r, []string{"latest", "1"}))
		if r.IntN(2) == 0 {
			w.lone(ctx, o.door, o.user, question{repo: h.repo, ref: d.String(), leave: -1})
		}
		w.pull(ctx, o)
	}
}

// spoil forgets whatever has a blob that is damaged.
func (w *world) spoil(d digest.Digest) {
	w.held.drop(func(h *holding) bool { return h.has(d) })
}

// damage changes one byte of a file.
func damage(file string, content hubtest.Content, r *dice) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	at := r.Int64N(content.Size())
	b := make([]byte, 1)
	if _, err := content.ReadAt(b, at); err != nil && len(b) == 0 {
		return err
	}
	b[0] ^= 1 << r.IntN(8)
	_, err = f.WriteAt(b, at)
	return err
}
