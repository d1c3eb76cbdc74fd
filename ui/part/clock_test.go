package part

import (
	"slices"
	"testing"
	"time"
)

// Clock has time stand still for a test, but for what it lets pass.
func Clock(t *testing.T) (pass func(time.Duration)) {
	t.Helper()
	type alarm struct {
		at time.Time
		f  func()
	}
	var alarms []*alarm
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	real := clock
	t.Cleanup(func() { clock = real })
	clock.now = func() time.Time { return now }
	clock.after = func(wait time.Duration, f func()) func() {
		a := &alarm{now.Add(wait), f}
		alarms = append(alarms, a)
		return func() { alarms = slices.DeleteFunc(alarms, func(b *alarm) bool { return a == b }) }
	}
	return func(d time.Duration) {
		end := now.Add(d)
		for {
			var next *alarm
			for _, a := range alarms {
				if !a.at.After(end) && (next == nil || a.at.Before(next.at)) {
					next = a
				}
			}
			if next == nil {
				break
			}
			now = next.at
			alarms = slices.DeleteFunc(alarms, func(a *alarm) bool { return a == next })
			next.f()
		}
		now = end
	}
}
