package fetch

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// pace waits until n more bytes, at most the limiter's burst, are due. A limiter
// wakes nobody when its limit is set anew, so it is looked at every tick: what is
// left to wait is what is owed by then, at the new limit.
func pace(ctx context.Context, limiter *rate.Limiter, n int) {
	limit := limiter.Limit()
	due := limiter.ReserveN(time.Now(), n)
	if !due.OK() { // the burst was made smaller since
		return
	}
	left := due.Delay()
	if left <= 0 {
		return
	}
	t := time.NewTimer(min(left, tick))
	defer t.Stop()
	for since := time.Now(); ; {
		select {
		case <-t.C:
		case <-ctx.Done():
			due.Cancel()
			return
		}
		now := time.Now()
		left -= now.Sub(since)
		since = now
		if other := limiter.Limit(); other != limit && other > 0 {
			left = time.Duration(float64(left) * float64(limit/other))
			limit = other
		}
		if left <= 0 {
			return
		}
		t.Reset(min(left, tick))
	}
}
