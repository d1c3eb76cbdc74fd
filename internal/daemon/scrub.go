package daemon

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"pulley/cache"
	"pulley/internal/control"
)

const (
	// scrubEvery is how often some blobs are read back in the background, and
	// scrubAfter how long it is enough for each.
	scrubEvery = time.Hour
	scrubAfter = 28 * 24 * time.Hour
	// scrubOver is in how many turns all of a cache is read that became due at
	// once: two weeks.
	scrubOver  = 14 * 24
	scrubLeast = 64 << 20 // bytes a turn
	scrubRate  = 16 << 20 // bytes a second: not noticed beside other work
)

// scrub reads every blob back once in some weeks, a little each hour and not while somebody pulls, so that what a disk
// loses is found while the network still has it.
type scrub struct {
	verify func(context.Context, cache.Verification, func(cache.Verifying)) (cache.Verifying, error)
	size   func() int64 // of the cache, in bytes
	busy   func() bool
	heal   func(context.Context, cache.Broken) error
	now    func() time.Time
	log    *slog.Logger
}

// errTurnOver ends a turn that has read its share.
var errTurnOver = errors.New("enough for this time")

// run takes a turn every hour until ctx ends.
func (s *scrub) run(ctx context.Context) error {
	ticks := time.NewTicker(scrubEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
		if !s.busy() {
			s.turn(ctx)
		}
	}
}

func (s *scrub) turn(ctx context.Context) {
	share := max(scrubLeast, s.size()/scrubOver)
	reading, enough := context.WithCancelCause(ctx)
	defer enough(nil)
	found, err := s.verify(reading, cache.Verification{Rate: scrubRate, Older: s.now().Add(-scrubAfter)}, func(v cache.Verifying) {
		if v.Bytes >= share || s.busy() {
			enough(errTurnOver)
		}
	})
	if err != nil && !errors.Is(err, errTurnOver) && ctx.Err() == nil {
		s.log.Warn("cache: reading blobs back in the background", "err", err)
	}
	for _, b := range found.Broken {
		err := s.heal(ctx, b)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Warn("cache: a damaged blob was thrown away; a pull fetches it again", "digest", b.Digest, "images", b.Images, "why", err)
		default:
			s.log.Info("cache: a damaged blob was fetched again", "digest", b.Digest, "images", b.Images)
		}
	}
}

// scrub looks after the cache's blobs until ctx ends.
func (d *Daemon) scrub(ctx context.Context) error {
	if d.cacheErr != nil {
		return nil //nolint:nilerr // there is nothing to read back
	}
	s := scrub{
		verify: d.cache.Verify,
		size:   func() int64 { return d.cache.Stat().Size },
		busy:   func() bool { return len(d.handler.Active()) > 0 },
		heal: func(ctx context.Context, b cache.Broken) error {
			d.moved()
			if b.Name == (cache.Name{}) {
				return errors.New("it is of no image")
			}
			var one control.Broken
			d.heal(ctx, b, &one, func(control.Pulling) {})
			if !one.Healed {
				return errors.New(one.Error)
			}
			return nil
		},
		now: d.opt.Now, log: d.opt.Log,
	}
	return s.run(ctx)
}
