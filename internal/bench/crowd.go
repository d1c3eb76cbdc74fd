package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// measureCrowd has 32 clients ask for one blob at once that nobody has yet: how long until the last one has it, how often
// the Hub sent it, and the most memory that was used.
func measureCrowd(ctx context.Context, b *bench) error {
	const clients = 32
	for _, d := range []door{mirror, interception} {
		title := fmt.Sprintf("%s door, %s of %s", d, plural(clients, "client"), sized(b.cold))
		wait := b.row("a crowd on a cold blob: the last has it", title, "s").less()
		first := b.row("a crowd on a cold blob: the last one's first byte", title, "ms").less()
		sent := b.row("a crowd on a cold blob: from the Hub", title, "× the blob").less()
		peak := b.row("memory: at most, a crowd on a cold blob", title, "MiB").less()
		err := b.coldTurns(ctx, d, func(s *server, w *way) error {
			image := b.fresh(1, b.cold)
			blob := image.blobs[0]
			if _, err := b.read(ctx, w, image.path); err != nil {
				return err
			}
			most := watchMemory(s)
			var mu sync.Mutex
			var latest time.Duration
			took, err := together(clients, func(int) error {
				r, err := b.read(ctx, w, blob.path)
				mu.Lock()
				defer mu.Unlock()
				latest = max(latest, r.first)
				return errors.Join(err, short(r, blob))
			})
			held := most()
			if err != nil {
				return err
			}
			wait.add(s.product, took.Seconds())
			first.add(s.product, milliseconds(latest))
			sent.add(s.product, float64(b.hub.BytesSent(blob.Digest))/float64(blob.size()))
			if s.process != nil {
				peak.add(s.product, held)
			}
			b.hub.Delete(repository, blob.Digest.String())
			return nil
		})
		if err != nil {
			return err
		}
		b.show(wait, first, sent, peak)
	}
	return nil
}

// watchMemory looks at a server many times a second until the result is called, which returns the most it saw in MiB.
func watchMemory(s *server) (most func() float64) {
	if s.process == nil {
		return func() float64 { return 0 }
	}
	end, done := make(chan struct{}), make(chan float64)
	all := family(s.pid())
	go func() {
		peak := 0.0
		ticks := time.NewTicker(20 * time.Millisecond)
		defer ticks.Stop()
		for {
			if now, err := memory(all); err == nil {
				peak = max(peak, now)
			}
			select {
			case <-ticks.C:
			case <-end:
				done <- peak
				return
			}
		}
	}()
	return func() float64 {
		close(end)
		return <-done
	}
}
