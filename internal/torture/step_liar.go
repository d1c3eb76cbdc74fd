//go:build linux

package main

import (
	"context"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// stepLiar has a mirror say something else than the origin for some steps: of a tag, or of a blob's bytes. Its word about a tag
// counts for nothing, and no wrong byte is served as whole or kept.
func stepLiar(ctx context.Context, w *world, r *dice) {
	i := r.IntN(len(w.mirrors))
	m, to, tag := w.mirrors[i], w.model.repos[r.IntN(5)], pick(r, []string{"latest", "1"})
	img, ok := w.model.now(to, tag)
	if !ok {
		return
	}
	name := to.name
	if m.Style != hubtest.StyleHost {
		name = to.registry + "/" + name
	}
	w.together(ctx, w.crowd(r, 3), func() {
		if r.IntN(2) == 0 {
			w.story.tell("    %s: another %s:%s", m.RegistryHost, to, tag)
			m.Push(name, tag, hubtest.RandomImage(w.seed^0x11a5, 1, 20_000))
			return
		}
		d := pick(r, platform(img).Blobs())
		content, _ := contentOf(platform(img), d)
		w.story.tell("    %s: other bytes for %s of %s:%s", m.RegistryHost, short(d.String()), to, tag)
		w.weather.set(lying, true, 0)
		m.Site("").AddContentAs(name, d, wrongOf(content, d))
	})
	before := w.liar
	w.liar = func() {
		if m.Delete(name, ""); before != nil {
			before()
		}
	}
	w.storm = 1 + r.IntN(3)
	w.pull(ctx, w.orderOf(r, to, tag))
}

// wrongOf is something else of the same size.
func wrongOf(c hubtest.Content, d digest.Digest) hubtest.Content {
	return hubtest.Random(uint64(len(d))+uint64(d[10]), c.Size())
}
