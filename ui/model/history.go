package model

import (
	"time"

	"pulley/internal/control"
)

// Range is how much of the past a chart of traffic shows.
type Range string

// The ranges, in their order.
const (
	Hour  Range = "hour"
	Day   Range = "day"
	Month Range = "month"
	Year  Range = "year"
)

// Ranges are all of them.
var Ranges = []Range{Hour, Day, Month, Year}

// Bin is what was served in one step of a range.
type Bin struct {
	From, To time.Time // To is not included
	control.Bytes
}

// History is what was served over time: what the daemon told of it, and what the states since then add. Not safe for use by
// several goroutines.
type History struct {
	told  control.History
	known bool
	since map[time.Time]control.Bytes // by minute: served after the daemon told
	ever  *control.Bytes              // as last heard
}

// Told takes the daemon's own history.
func (h *History) Told(told control.History) {
	h.told, h.known, h.since = told, true, nil
}

// Known tells whether the daemon told anything yet.
func (h *History) Known() bool { return h.known }

// Heard takes what was served ever, as of now: what is more than before was served in this minute. Less than before: another
// daemon counts.
func (h *History) Heard(ever control.Bytes, now time.Time) {
	before := h.ever
	h.ever = &ever
	if before == nil || ever.Requests < before.Requests || ever.FromCache < before.FromCache || ever.FromNet < before.FromNet {
		return
	}
	more := control.Bytes{
		Requests:  ever.Requests - before.Requests,
		FromCache: ever.FromCache - before.FromCache, FromNet: ever.FromNet - before.FromNet,
	}
	if more == (control.Bytes{}) {
		return
	}
	if h.since == nil {
		h.since = map[time.Time]control.Bytes{}
	}
	minute := now.Truncate(time.Minute).UTC()
	h.since[minute] = plus(h.since[minute], more)
}

func plus(a, b control.Bytes) control.Bytes {
	return control.Bytes{Requests: a.Requests + b.Requests, FromCache: a.FromCache + b.FromCache, FromNet: a.FromNet + b.FromNet}
}

// Bins divides the past of a range, up to the step that now is in, oldest first: an hour in minutes, a day in half hours, a
// month in days, a year in weeks that begin on Monday. now gives the time zone. nil: the daemon has not told yet.
func (h *History) Bins(r Range, now time.Time) []Bin {
	if !h.known {
		return nil
	}
	bins := steps(r, now)
	points := h.told.Minutes
	if r == Month || r == Year {
		points = h.told.Days
	}
	at := 0
	for _, p := range points {
		at = fill(bins, at, p.At, p.Bytes)
	}
	for minute, b := range h.since {
		fill(bins, 0, minute, b)
	}
	return bins
}

// Empty are the bins of a range without anything in them.
func Empty(r Range, now time.Time) []Bin { return steps(r, now) }

// fill adds bytes to the bin that holds a time, looked for from the bin at on, and tells where that was.
func fill(bins []Bin, at int, when time.Time, b control.Bytes) int {
	if when.Before(bins[at].From) {
		at = 0 // they are not in order after all
	}
	for i := at; i < len(bins); i++ {
		if when.Before(bins[i].To) {
			if !when.Before(bins[i].From) {
				bins[i].Bytes = plus(bins[i].Bytes, b)
			}
			return i
		}
	}
	return at
}

// steps are the empty bins of a range. Days are as long as the time zone has them.
func steps(r Range, now time.Time) []Bin {
	year, month, day := now.Date()
	midnight := func(days int) time.Time { return time.Date(year, month, day+days, 0, 0, 0, 0, now.Location()) }
	var bins []Bin
	switch r {
	case Hour, Day:
		count, long := 60, time.Minute
		if r == Day {
			count, long = 48, 30*time.Minute
		}
		_, zone := now.Zone()
		ahead := time.Duration(zone) * time.Second
		end := now.Add(ahead).Truncate(long).Add(long - ahead) // zones are whole half hours apart, or not
		for i := count; i > 0; i-- {
			bins = append(bins, Bin{From: end.Add(-time.Duration(i) * long), To: end.Add(-time.Duration(i-1) * long)})
		}
	case Month:
		for i := -29; i <= 0; i++ {
			bins = append(bins, Bin{From: midnight(i), To: midnight(i + 1)})
		}
	case Year:
		monday := -(int(now.Weekday()) + 6) % 7
		for i := -52; i <= 0; i++ {
			bins = append(bins, Bin{From: midnight(monday + 7*i), To: midnight(monday + 7*i + 7)})
		}
	}
	return bins
}

// Sum is what all bins hold.
func Sum(bins []Bin) (sum control.Bytes) {
	for _, b := range bins {
		sum = plus(sum, b.Bytes)
	}
	return sum
}

// HitRate is how much of what was served came from the cache, 0 … 1; false: nothing was served.
func HitRate(b control.Bytes) (share float64, known bool) {
	all := b.FromCache + b.FromNet
	if all <= 0 {
		return 0, false
	}
	return float64(b.FromCache) / float64(all), true
}
