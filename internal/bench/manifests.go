package main

import (
	"context"
	"slices"
	"time"
)

// measureManifests asks for a manifest that is in every cache, by its tag and by its digest: eight clients, each with a
// connection that it keeps.
func measureManifests(ctx context.Context, b *bench) error {
	const clients = 8
	for _, d := range []door{mirror, interception} {
		for _, by := range []struct{ name, path string }{
			{"tag", manifestPath("latest")}, {"digest", manifestPath(b.manifest)},
		} {
			title := string(d) + " door, by " + by.name
			rate := b.row("warm manifest", title, "requests/s")
			half := b.row("warm manifest: median latency", title, "ms").less()
			tail := b.row("warm manifest: 99th percentile", title, "ms").less()
			err := b.warmTurns(ctx, d, func(s *server, w *way) error {
				times := make([][]time.Duration, clients)
				took, err := together(clients, func(i int) error {
					c := w.client()
					defer c.close()
					if _, err := c.get(ctx, by.path); err != nil { // the connection is open
						return err
					}
					for range b.requests / clients {
						r, err := c.get(ctx, by.path)
						if err != nil {
							return err
						}
						times[i] = append(times[i], r.took)
					}
					return nil
				})
				if err != nil {
					return err
				}
				sorted := slices.Sorted(slices.Values(slices.Concat(times...)))
				rate.add(s.product, float64(len(sorted))/took.Seconds())
				half.add(s.product, milliseconds(sorted[len(sorted)/2]))
				tail.add(s.product, milliseconds(sorted[len(sorted)*99/100]))
				return nil
			})
			if err != nil {
				return err
			}
			b.show(rate, half, tail)
		}
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
