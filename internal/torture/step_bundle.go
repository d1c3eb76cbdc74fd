//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"

	"pulley/internal/control"
)

// stepBundle takes an image out of the cache as a tar in the middle of pulls, and brings it again, whole or cut off, when it was
// removed in between. It is the image, and what is cut off leaves nothing.
func stepBundle(ctx context.Context, w *world, r *dice) {
	if w.weather.now(sick) {
		return
	}
	var list []*holding
	for _, h := range w.held.list() {
		amd64 := platform(h.image).Platform.Architecture == "amd64" // else an index's other part got a tag
		if h.repo.site != nil && !h.repo.private() && !h.pinned && h.tag != "" && amd64 {
			list = append(list, h)
		}
	}
	if len(list) == 0 {
		return
	}
	h := pick(r, list)
	if !w.current(ctx, h) {
		return
	}
	w.story.tell("    export %s", h.name())
	var bundle bytes.Buffer
	w.together(ctx, w.crowd(r, 4), func() {
		if err := w.control.Export(ctx, control.Export{Images: []string{h.name()}, Platforms: []string{"linux/amd64"}}, &bundle); err != nil {
			bundle.Reset()
			if w.current(ctx, h) { // else a pull beside it has seen the tag move
				w.breaks("what is in the cache cannot be exported: %s: %v", h.name(), err)
			}
		}
	})
	if bundle.Len() == 0 || w.verdict() != nil {
		return
	}
	if err := holds(bundle.Bytes(), h); err != nil {
		w.breaks("the bundle of %s: %v", h.name(), err)
		return
	}
	w.bringAgain(ctx, r, h, bundle.Bytes())
}

// bringAgain imports a bundle in the place of what is removed for it.
func (w *world) bringAgain(ctx context.Context, r *dice, h *holding, bundle []byte) {
	w.held.drop(func(o *holding) bool { return o.repo == h.repo })
	if !w.current(ctx, h) {
		return
	}
	if _, err := w.control.RemoveImage(ctx, h.name()); err != nil {
		w.breaks("cache rm %s: %v", h.name(), err)
		return
	}
	if r.IntN(3) == 0 {
		cut := bundle[:r.IntN(len(bundle)/2)]
		if _, err := w.control.Import(ctx, bytes.NewReader(cut), nil); err == nil {
			w.breaks("a bundle of which %d of %d bytes came is said to be imported", len(cut), len(bundle))
		}
	}
	w.together(ctx, w.crowd(r, 4), func() {
		if _, err := w.control.Import(ctx, bytes.NewReader(bundle), nil); err != nil {
			w.breaks("the bundle of %s cannot be imported: %v", h.name(), err)
		}
	})
	w.pull(ctx, w.orderOf(r, h.repo, h.tag))
}

var errMissing = errors.New("it lacks something")

// holds says what is wrong with a bundle.
func holds(bundle []byte, h *holding) error {
	found := map[digest.Digest]bool{}
	for in := tar.NewReader(bytes.NewReader(bundle)); ; {
		e, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		hex, ok := strings.CutPrefix(e.Name, "blobs/sha256/")
		if !ok || e.Typeflag != tar.TypeReg {
			continue
		}
		got, err := digest.FromReader(in)
		if err != nil || got.Encoded() != hex {
			return fmt.Errorf("%s has other bytes: %s, %w", e.Name, got, err)
		}
		found[got] = true
	}
	one := platform(h.image)
	for _, d := range append(one.Blobs(), one.Digest()) {
		if !found[d] {
			return fmt.Errorf("%w: %s", errMissing, d)
		}
	}
	return nil
}
