package main

import "context"

// measureConnections is what dockerd does: a new connection for each request, with a full handshake where there is TLS.
// Eight clients ask for a manifest by its digest.
func measureConnections(ctx context.Context, b *bench) error {
	const clients = 8
	path := manifestPath(b.manifest)
	for _, d := range []door{mirror, interception, socks} {
		rate := b.row("a new connection per request", string(d)+" door", "requests/s")
		err := b.warmTurns(ctx, d, func(s *server, w *way) error {
			took, err := together(clients, func(int) error {
				for range b.dials / clients {
					if _, err := b.read(ctx, w, path); err != nil {
						return err
					}
				}
				return nil
			})
			rate.add(s.product, float64(b.dials/clients*clients)/took.Seconds())
			return err
		})
		if err != nil {
			return err
		}
		b.show(rate)
	}
	return nil
}
