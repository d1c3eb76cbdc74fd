package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// measureWarm reads blobs that are in every cache: 1, 8 and 64 clients at once, by each door, and what the server's
// processors were busy with it. Each client keeps its connection.
func measureWarm(ctx context.Context, b *bench) error {
	for _, d := range []door{mirror, interception, socks} {
		for i, clients := range counts {
			blob := b.big[i]
			title := fmt.Sprintf("%s door, %s of %s", d, plural(clients, "client"), sized(b.sizes.warm[clients]))
			speed := b.row("warm blob", title, "MiB/s")
			cost := b.row("warm blob: server CPU", title, "CPU s/GB").less()
			own := b.row("warm blob: client CPU", title, "CPU s/GB").less().aside()
			err := b.warmTurns(ctx, d, func(s *server, w *way) error {
				loops := int(max(1, b.volume/(blob.size()*int64(clients))))
				all := family(s.pid())
				before, mine := cpu(all), ownCPU()
				took, err := together(clients, func(int) error {
					c := w.client()
					defer c.close()
					for range loops {
						if r, err := c.get(ctx, blob.path); err != nil || r.bytes != blob.size() {
							return errors.Join(err, short(r, blob))
						}
					}
					return nil
				})
				gigabytes := float64(loops) * float64(clients) * float64(blob.size()) / 1e9
				speed.add(s.product, gigabytes*1e9/mib/took.Seconds())
				cost.add(s.product, (cpu(all)-before).Seconds()/gigabytes)
				own.add(s.product, (ownCPU()-mine).Seconds()/gigabytes)
				return err
			})
			if err != nil {
				return err
			}
			b.show(speed, cost, own)
		}
	}
	return nil
}

// together has n clients do something at once, and says how long it took all of them.
func together(n int, do func(i int) error) (time.Duration, error) {
	var all sync.WaitGroup
	failed := make([]error, n)
	begin := time.Now()
	for i := range n {
		all.Go(func() { failed[i] = do(i) })
	}
	all.Wait()
	return time.Since(begin), errors.Join(failed...)
}

// short is the error of a body that is not as long as the blob, nil if it is.
func short(r read, of blob) error {
	if r.bytes == of.size() {
		return nil
	}
	return fmt.Errorf("%s: %d of %d bytes", of.path, r.bytes, of.size())
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func sized(n int64) string {
	if n >= 1024*mib {
		return fmt.Sprintf("%d GiB", n/(1024*mib))
	}
	if n < mib {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n/mib)
}
