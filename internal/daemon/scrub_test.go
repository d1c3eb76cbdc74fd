package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pulley/cache"
)

// TestScrub: a cache that is due all at once is read back over two weeks, not while somebody pulls, and what is found to
// be broken is fetched again.
func TestScrub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1000 << 30
		var left atomic.Int64
		left.Store(size)
		var turns, healed atomic.Int64
		var busy atomic.Bool
		s := scrub{
			size: func() int64 { return size }, busy: busy.Load, now: time.Now, log: slog.New(slog.DiscardHandler),
			heal: func(context.Context, cache.Broken) error { healed.Add(1); return errors.New("no network") },
			verify: func(ctx context.Context, v cache.Verification, progress func(cache.Verifying)) (out cache.Verifying, err error) {
				if due := time.Now().Add(-28 * 24 * time.Hour); !v.Older.Equal(due) || v.Rate <= 0 || v.Rate > 64<<20 {
					t.Errorf("reads back what is older than %v at %d bytes/s, want %v", v.Older, v.Rate, due)
				}
				if turns.Add(1) == 3 {
					out.Broken = make([]cache.Broken, 2)
				}
				for ; left.Load() > 0 && ctx.Err() == nil; left.Add(-1 << 20) {
					out.Bytes += 1 << 20
					progress(out)
				}
				return out, context.Cause(ctx)
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		busy.Store(true)
		go func() { defer close(ended); _ = s.run(ctx) }()
		wait := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		wait(10*time.Hour + time.Minute)
		if n := turns.Load(); n != 0 {
			t.Errorf("%d turns while somebody pulled", n)
		}
		busy.Store(false)
		wait(7 * 24 * time.Hour)
		if read := size - left.Load(); read < size*45/100 || read > size*55/100 {
			t.Errorf("read %d of %d bytes in one of two weeks", read, int64(size))
		}
		wait(8 * 24 * time.Hour)
		if left.Load() > 0 || healed.Load() != 2 {
			t.Errorf("%d bytes were not read in two weeks; %d of 2 broken blobs were fetched again", left.Load(), healed.Load())
		}
		cancel()
		<-ended
	})
}
