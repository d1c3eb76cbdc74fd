package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// layerSize is small: what counts is the request, not its bytes.
const layerSize = 16 << 10

// measureLayers pulls an image of a thousand small layers, eight at a time over connections that are kept: first when
// nobody has it, then again.
func measureLayers(ctx context.Context, b *bench) error {
	for _, d := range []door{mirror, interception} {
		title := fmt.Sprintf("%s door, %s of %s", d, plural(b.layers, "layer"), sized(layerSize))
		cold := b.row("an image of small layers: cold", title, "s").less()
		warm := b.row("an image of small layers: warm", title, "s").less()
		seen := map[*server]int{}
		var fresh []published
		err := b.coldTurns(ctx, d, func(s *server, w *way) error {
			run := seen[s]
			seen[s]++
			if run == len(fresh) {
				fresh = append(fresh, b.fresh(b.layers, layerSize))
			}
			took, err := b.pullLayers(ctx, w, fresh[run])
			if err != nil {
				return err
			}
			cold.add(s.product, took)
			if s.process == nil {
				return nil // the Hub has it either way
			}
			if err := b.settle(ctx, w, fresh[run]); err != nil {
				return err
			}
			took, err = b.pullLayers(ctx, w, fresh[run])
			warm.add(s.product, took)
			return err
		})
		if err != nil {
			return err
		}
		b.show(cold, warm)
		b.hub.Reset()
	}
	return nil
}

// pullLayers is one pull, in seconds.
func (b *bench) pullLayers(ctx context.Context, w *way, image published) (float64, error) {
	const clients = 8
	var next atomic.Int64
	took, err := together(clients, func(i int) error {
		c := w.client()
		defer c.close()
		if i == 0 {
			if _, err := c.get(ctx, image.path); err != nil {
				return err
			}
		}
		for {
			n := int(next.Add(1)) - 1
			if n >= len(image.blobs) {
				return nil
			}
			if r, err := c.get(ctx, image.blobs[n].path); err != nil || r.bytes != image.blobs[n].size() {
				return errors.Join(err, short(r, image.blobs[n]))
			}
		}
	})
	return took.Seconds(), err
}

// settle pulls once more without a clock: the last reader has its bytes before they are in their place.
func (b *bench) settle(ctx context.Context, w *way, image published) error {
	_, err := b.pullLayers(ctx, w, image)
	return err
}
