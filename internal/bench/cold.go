package main

import (
	"context"
	"errors"
	"fmt"

	"pulley/internal/hubtest"
)

// measureCold pulls a blob that nobody has yet: by one client beside going to the Hub itself, where nothing but the
// processors slows it down, and from a Hub that has 100 MiB/s for all. A blob is new to each product, and the same for
// all in a run.
func measureCold(ctx context.Context, b *bench) error {
	for _, d := range []door{mirror, interception} {
		if err := b.coldRow(ctx, d, b.cold, "as fast as it goes"); err != nil {
			return err
		}
	}
	b.hub.SetFaults(hubtest.Faults{Total: 100 * mib})
	defer b.hub.SetFaults()
	return b.coldRow(ctx, mirror, b.capped, "from 100 MiB/s")
}

func (b *bench) coldRow(ctx context.Context, d door, size int64, how string) error {
	title := fmt.Sprintf("%s door, %s, %s", d, sized(size), how)
	speed := b.row("cold blob", title, "MiB/s")
	first := b.row("cold blob: first byte", title, "ms").less()
	cost := b.row("cold blob: server CPU", title, "CPU s/GB").less()
	seen := map[*server]int{}
	var fresh []published
	err := b.coldTurns(ctx, d, func(s *server, w *way) error {
		run := seen[s]
		seen[s]++
		if run == len(fresh) {
			fresh = append(fresh, b.fresh(1, size))
		}
		image := fresh[run]
		c := w.client()
		defer c.close()
		if _, err := c.get(ctx, image.path); err != nil {
			return err
		}
		all := family(s.pid())
		before := cpu(all)
		r, err := c.get(ctx, image.blobs[0].path)
		if err := errors.Join(err, short(r, image.blobs[0])); err != nil {
			return err
		}
		speed.add(s.product, float64(r.bytes)/mib/r.took.Seconds())
		first.add(s.product, milliseconds(r.first))
		if s.process != nil {
			cost.add(s.product, (cpu(all)-before).Seconds()/(float64(r.bytes)/1e9))
		}
		return nil
	})
	b.show(speed, first, cost)
	return err
}

// published is an image that is in the Hub alone.
type published struct {
	path  string // of its manifest
	blobs []blob
}

func (b *bench) fresh(layers int, size int64) published {
	manifest, blobs := b.publish(layers, size)
	return published{manifestPath(manifest), blobs}
}
