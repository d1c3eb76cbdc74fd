package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"pulley/internal/hubtest"
)

// counts are how many clients read at once.
var counts = []int{1, 8, 64}

// publishWarm puts the warm image into the Hub, and its blobs and manifests as files where a registry has them.
func (b *bench) publishWarm() error {
	var layers []hubtest.Content
	for i, n := range counts {
		layers = append(layers, hubtest.RandomImage(uint64(1+i), 1, b.sizes.warm[n]).Layers[0].Content) //nolint:gosec // small
	}
	image, err := hubtest.FromTar(layers...)
	if err != nil {
		return err
	}
	b.manifest = b.hub.Push(repository, "latest", image).String()
	for _, layer := range image.Layers {
		b.big = append(b.big, blob{blobPath(layer.Digest.String()), layer})
	}
	for _, blob := range b.big {
		if err := b.lay(blob.path, blob.Content); err != nil {
			return err
		}
	}
	return errors.Join(
		b.lay(blobPath(hubtest.DigestOf(hubtest.Bytes(image.Config)).String()), hubtest.Bytes(image.Config)),
		b.lay(manifestPath("latest"), hubtest.Bytes(image.Manifest)),
		b.lay(manifestPath(b.manifest), hubtest.Bytes(image.Manifest)))
}

// lay writes a file for the servers that are no registries.
func (b *bench) lay(path string, content hubtest.Content) error {
	name := filepath.Join(b.files, path)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // servers of other users read it
		return err
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644) //nolint:gosec // the same
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{file}, io.NewSectionReader(content, 0, content.Size()), make([]byte, mib))
	return errors.Join(err, file.Close())
}

// servers are all products, started once, with the warm image in their caches.
func (b *bench) servers(ctx context.Context) ([]*server, error) {
	if b.filled {
		return b.running, nil
	}
	if err := b.emptied(ctx); err != nil {
		return nil, err
	}
	for _, s := range b.running {
		if err := b.fill(ctx, s); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	b.filled = true
	return b.running, nil
}

// emptied starts all products anew, with nothing in their caches: what was measured before takes no room and no pages.
func (b *bench) emptied(ctx context.Context) error {
	var err error
	for _, s := range b.running {
		err = errors.Join(err, s.stop(), os.RemoveAll(s.dir))
	}
	b.running, b.filled = nil, false
	b.generation++
	for _, p := range b.products {
		if err != nil {
			return err
		}
		var s *server
		if s, err = b.open(ctx, p, fmt.Sprintf("%s-%d", p.name, b.generation)); err == nil {
			b.running = append(b.running, s)
		}
	}
	return err
}

// fill pulls the warm image until the server asks the Hub for no byte of its blobs any more. That it takes two pulls is no
// fault: the last reader has its bytes before the blob is in its place.
func (b *bench) fill(ctx context.Context, s *server) error {
	if len(s.doors) == 0 {
		return nil // the Hub
	}
	const tries = 20
	for range tries {
		b.hub.Reset()
		if _, err := b.read(ctx, s.ways[s.doors[0]], manifestPath("latest")); err != nil {
			return err
		}
		if _, err := b.read(ctx, s.ways[s.doors[0]], manifestPath(b.manifest)); err != nil {
			return err
		}
		asked := int64(0)
		for _, blob := range b.big {
			if _, err := b.read(ctx, s.ways[s.doors[0]], blob.path); err != nil {
				return err
			}
			asked += b.hub.BytesSent(blob.Digest)
		}
		if asked == 0 {
			return b.visit(ctx, s)
		}
	}
	return fmt.Errorf("asks the Hub for the whole image again after %d pulls: it keeps nothing", tries)
}

// visit reads every blob twice by each door. Pulley takes it for a complaint when a client asks again for a blob that it got
// whole, and hashes that once before it serves it: clients that pull once never see that.
func (b *bench) visit(ctx context.Context, s *server) error {
	for _, d := range s.doors {
		for range 2 {
			for _, blob := range b.big {
				if _, err := b.read(ctx, s.ways[d], blob.path); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// read is one GET by a client of its own.
func (b *bench) read(ctx context.Context, w *way, path string) (read, error) {
	c := w.client()
	defer c.close()
	return c.get(ctx, path)
}

// warmTurns has every server that has the warm image at a door measured in turn.
func (b *bench) warmTurns(ctx context.Context, d door, measure func(s *server, w *way) error) error {
	if _, err := b.servers(ctx); err != nil {
		return err
	}
	return b.turns(ctx, d, func(s *server) bool { return s.has(d) }, measure)
}

// coldTurns is the same with empty caches, for those that get from the Hub what they do not have, and for the Hub itself.
// Each finds the machine [ready].
func (b *bench) coldTurns(ctx context.Context, d door, measure func(s *server, w *way) error) error {
	if err := b.emptied(ctx); err != nil {
		return err
	}
	can := func(s *server) bool { return s.ways[d] != nil && s.upstream != "" }
	return b.turns(ctx, d, can, func(s *server, w *way) error {
		if err := ready(); err != nil {
			return err
		}
		return measure(s, w)
	})
}

// turns measures servers b.runs times, one after the other, each round by another one first. Tokens are new.
func (b *bench) turns(ctx context.Context, d door, can func(*server) bool, measure func(s *server, w *way) error) error {
	var able []*server
	for _, s := range b.running {
		if !can(s) {
			continue
		}
		if err := s.renew(ctx, b); err != nil {
			return err
		}
		able = append(able, s)
	}
	for run := range b.runs {
		for i := range able {
			s := able[(i+run)%len(able)]
			if err := measure(s, s.ways[d]); err != nil {
				return fmt.Errorf("%s: %s: %w", s.name, d, err)
			}
		}
	}
	return nil
}
