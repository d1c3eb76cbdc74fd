package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"pulley/internal/hubtest"
)

// measureSlow holds every connection to the Hub to 1 MiB/s, and every one to its three mirrors, which only one of two
// Pulleys knows. All pull at the same time: nobody is short of processors, and each has connections of its own.
func measureSlow(ctx context.Context, b *bench) error {
	if err := b.emptied(ctx); err != nil {
		return err
	}
	slow := hubtest.Faults{Bandwidth: mib}
	var mirrors []*hubtest.Hub
	for range 3 {
		h := &hubtest.Hub{Of: b.hub, Style: hubtest.StyleHost, Auth: hubtest.Open}
		if err := h.Start(); err != nil {
			return err
		}
		defer h.Close()
		h.SetFaults(slow)
		mirrors = append(mirrors, h)
	}
	mirrored, err := b.open(ctx, withMirrors(mirrors), "mirrored")
	if err != nil {
		return err
	}
	speed := b.row("slow sources", fmt.Sprintf("a cold blob of %s, 1 MiB/s for each connection", sized(b.sizes.slow)), "MiB/s")
	b.hub.SetFaults(slow)
	defer b.hub.SetFaults()
	for range b.runs {
		err = errors.Join(err, b.slowTurn(ctx, append(slices.Clone(b.running), mirrored), speed))
	}
	b.show(speed)
	return errors.Join(err, mirrored.stop())
}

// slowTurn is one pull by everybody.
func (b *bench) slowTurn(ctx context.Context, servers []*server, speed *row) error {
	image := b.fresh(1, b.sizes.slow)
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed error
	speeds := map[*server]float64{}
	for _, s := range servers {
		if s.upstream == "" {
			continue
		}
		w := s.ways[mirror]
		if w == nil {
			w = s.ways[interception]
		}
		all.Go(func() {
			err := s.renew(ctx, b)
			if err == nil {
				_, err = b.read(ctx, w, image.path)
			}
			var r read
			if err == nil {
				r, err = b.read(ctx, w, image.blobs[0].path)
				err = errors.Join(err, short(r, image.blobs[0]))
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s: %w", s.name, err))
				return
			}
			speeds[s] = float64(r.bytes) / mib / r.took.Seconds()
		})
	}
	all.Wait()
	for _, s := range servers { // in their order, not in that of their end
		if figure, ok := speeds[s]; ok {
			speed.add(s.product, figure)
		}
	}
	return failed
}
