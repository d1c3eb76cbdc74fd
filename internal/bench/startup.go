package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// measureStartup is from exec to the first answer: in a directory that was made ready as a person does it once (squid's
// cache directories and certificates), and over what the first start left there.
func measureStartup(ctx context.Context, b *bench) error {
	first := b.row("start-up", "first start", "ms").less()
	again := b.row("start-up", "later starts", "ms").less()
	err := b.restarts(ctx, "startup", func(s *server, took time.Duration, later bool) error {
		r := first
		if later {
			r = again
		}
		r.add(s.product, milliseconds(took))
		return nil
	})
	b.show(first, again)
	return err
}

// restarts starts each product twice a run, in a new directory and over it again, and looks at it when it answers.
func (b *bench) restarts(ctx context.Context, name string, look func(s *server, took time.Duration, again bool) error) error {
	for run := range b.runs {
		for i := range b.products {
			p := b.products[(i+run)%len(b.products)]
			if p.limit && p.upstream != "" {
				continue // the Hub
			}
			if err := b.startTwice(ctx, p, fmt.Sprintf("%s-%s-%d", name, p.name, run), look); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return nil
}

func (b *bench) startTwice(ctx context.Context, p *product, name string, look func(s *server, took time.Duration, again bool) error) error {
	dir, err := b.ready(ctx, p, name)
	if err != nil {
		return err
	}
	for _, again := range []bool{false, true} {
		begin := time.Now()
		s, err := p.launch(ctx, b, dir)
		if err != nil {
			return err
		}
		s.product, s.dir = p, dir
		if err := errors.Join(look(s, time.Since(begin), again), s.stop()); err != nil {
			return err
		}
	}
	return nil
}
