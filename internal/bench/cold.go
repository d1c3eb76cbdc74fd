package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"pulley/internal/hubtest"
)

func measureReady(ctx context.Context, b *bench) error {
	var first, later []float64
	for i := range b.runs {
		home := filepath.Join(b.dir, fmt.Sprintf("ready-%d", i))
		for turn := range 2 {
			if err := b.copyConfig(home); err != nil {
				return err
			}
			p, _, err := b.up(ctx, home)
			if err != nil {
				return err
			}
			took := float64(p.started.Microseconds()) / 1000
			if turn == 0 {
				first = append(first, took)
			} else {
				later = append(later, took)
			}
			if err := p.stop(); err != nil {
				return err
			}
		}
	}
	fmt.Printf("    first start %.1f ms, later %.1f ms (medians of %d; slowest %.1f and %.1f)\n",
		median(first), median(later), b.runs, slices.Max(first), slices.Max(later))
	return nil
}

func (b *bench) copyConfig(home string) error {
	text, err := os.ReadFile(filepath.Join(b.home, "config.toml"))
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(home, 0o700), os.WriteFile(filepath.Join(home, "config.toml"), text, 0o600))
}

func measureIdle(ctx context.Context, b *bench) error {
	home := filepath.Join(b.dir, "idle")
	if err := b.copyConfig(home); err != nil {
		return err
	}
	p, _, err := b.up(ctx, home)
	if err != nil {
		return err
	}
	select { // let what runs lazily after the ready line run
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
	}
	used, err := p.anonymous()
	fmt.Printf("    idle: %.1f MiB\n", used)
	return errors.Join(err, p.stop())
}

func measureCold(ctx context.Context, b *bench) error {
	const clients = 32
	image := hubtest.RandomImage(2, 1, coldSize)
	b.hub.Push("library/cold", "latest", image)
	layer := image.Layers[0]
	home := filepath.Join(b.dir, "cold")
	if err := b.copyConfig(home); err != nil {
		return err
	}
	p, address, err := b.up(ctx, home)
	if err != nil {
		return err
	}
	url := "http://" + address + "/v2/library/cold/blobs/" + layer.Digest.String()
	manifest, err := get(ctx, client("", nil), "http://"+address+"/v2/library/cold/manifests/latest", nil)
	if err != nil {
		return errors.Join(err, p.stop())
	}
	_ = manifest.Body.Close()

	begin := time.Now()
	firsts := make([]time.Duration, clients)
	failures := make([]error, clients)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			response, err := get(ctx, client("", nil), url, nil)
			if err != nil {
				failures[i] = err
				return
			}
			defer response.Body.Close()
			buffer := make([]byte, 256<<10)
			n, err := response.Body.Read(buffer)
			firsts[i] = time.Since(begin)
			total := int64(n)
			for err == nil {
				n, err = response.Body.Read(buffer)
				total += int64(n)
			}
			if total != layer.Content.Size() {
				failures[i] = fmt.Errorf("%d of %d bytes: %w", total, layer.Content.Size(), err)
			}
		})
	}
	peak := p.watchAnonymous()
	all.Wait()
	took := time.Since(begin)
	most := peak()
	sent := b.hub.BytesSent(layer.Digest)
	fmt.Printf("    upstream %.4f × the blob; first bytes %.1f to %.1f ms; all done after %.2f s; at most %.1f MiB\n",
		float64(sent)/float64(layer.Content.Size()), milliseconds(slices.Min(firsts)), milliseconds(slices.Max(firsts)), took.Seconds(), most)
	return errors.Join(errors.Join(failures...), p.stop())
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
