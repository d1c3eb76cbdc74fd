package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// measureMemory is what a server holds: just started, with nothing to do, and with 64 warm transfers that have begun and do
// not go on. What it holds at most in a crowd is in that measure.
func measureMemory(ctx context.Context, b *bench) error {
	idle := b.row("memory: idle", "2 seconds after its start", "MiB").less()
	err := b.restarts(ctx, "idle", func(s *server, _ time.Duration, again bool) error {
		if again {
			return nil
		}
		select { // what is done lazily once it serves
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
		}
		held, err := memory(family(s.pid()))
		idle.add(s.product, held)
		return err
	})
	if err != nil {
		return err
	}
	b.show(idle)
	for _, d := range []door{mirror, interception} {
		const clients = 64
		held := b.row("memory: with transfers open", fmt.Sprintf("%s door, %d warm transfers", d, clients), "MiB").less()
		err := b.warmTurns(ctx, d, func(s *server, w *way) error {
			most := watchMemory(s)
			var open []*client
			defer func() {
				for _, c := range open {
					c.close()
				}
			}()
			for range clients {
				c := w.client()
				open = append(open, c)
				body, err := c.open(ctx, b.big[0].path)
				if err != nil {
					return err
				}
				if _, err := io.ReadFull(body, make([]byte, mib)); err != nil {
					return err
				}
			}
			held.add(s.product, most())
			return nil
		})
		if err != nil {
			return err
		}
		b.show(held)
	}
	return nil
}
