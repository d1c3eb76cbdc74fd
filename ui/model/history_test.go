package model_test

import (
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/ui/model"
)

// when is a Wednesday.
var when = time.Date(2026, 3, 4, 12, 5, 20, 0, time.UTC)

func served(at time.Time, cache, net int64) control.Point {
	return control.Point{At: at, Bytes: control.Bytes{Requests: 1, FromCache: cache, FromNet: net}}
}

func TestBinsOfRanges(t *testing.T) {
	var h model.History
	if h.Bins(model.Day, when) != nil || h.Known() {
		t.Error("it knows something before it was told")
	}
	midnight := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	h.Told(control.History{
		Minutes: []control.Point{
			served(when.Add(-25*time.Hour), 9000, 0), // before the day
			served(midnight.Add(11*time.Hour+4*time.Minute), 100, 10),
			served(midnight.Add(11*time.Hour+20*time.Minute), 200, 20),
			served(midnight.Add(12*time.Hour+5*time.Minute), 400, 40),
		},
		Days: []control.Point{
			served(midnight.AddDate(0, 0, -300), 1, 0),
			served(midnight.AddDate(0, 0, -2), 2, 0), // Monday
			served(midnight, 4, 0),
		},
	})
	for _, want := range []struct {
		r          model.Range
		bins       int
		step       time.Duration
		sum, final int64
	}{
		{model.Hour, 60, time.Minute, 600, 400}, // 11:04 is over
		{model.Day, 48, 30 * time.Minute, 700, 400},
		{model.Month, 30, 24 * time.Hour, 6, 4},
		{model.Year, 53, 7 * 24 * time.Hour, 7, 6},
	} {
		bins := h.Bins(want.r, when)
		if len(bins) != want.bins || bins[0].To.Sub(bins[0].From) != want.step {
			t.Errorf("%s: %d bins of %v", want.r, len(bins), bins[0].To.Sub(bins[0].From))
		}
		last := bins[len(bins)-1]
		if when.Before(last.From) || !when.Before(last.To) {
			t.Errorf("%s: the last bin is %v to %v", want.r, last.From, last.To)
		}
		for i, b := range bins[1:] {
			if !b.From.Equal(bins[i].To) {
				t.Errorf("%s: a gap after %v", want.r, bins[i].To)
			}
		}
		if got := model.Sum(bins).FromCache; got != want.sum || last.FromCache != want.final {
			t.Errorf("%s: %d in all, %d in the last; want %d, %d", want.r, got, last.FromCache, want.sum, want.final)
		}
	}
	if year := h.Bins(model.Year, when); year[52].From.Weekday() != time.Monday {
		t.Errorf("weeks begin on %v", year[52].From.Weekday())
	}
	if sunday := h.Bins(model.Year, when.AddDate(0, 0, 4)); !sunday[52].From.Equal(midnight.AddDate(0, 0, -2)) {
		t.Errorf("Sunday's week begins on %v", sunday[52].From)
	}
}

// Half an hour is half past where people live, and a day is as long as the clocks make it.
func TestBinsFollowTheTimeZone(t *testing.T) {
	var h model.History
	h.Told(control.History{})
	india := time.FixedZone("", 5*3600+45*60) // Kathmandu
	last := h.Bins(model.Day, when.In(india))[47].From
	if got := last.Format("15:04"); got != "17:30" {
		t.Errorf("the last half hour begins at %s", got)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	march := h.Bins(model.Month, time.Date(2026, 3, 30, 12, 0, 0, 0, berlin))
	short := march[28]
	if short.To.Sub(short.From) != 23*time.Hour || short.From.Day() != 29 {
		t.Errorf("the day of the change is %v", short.To.Sub(short.From))
	}
}

func TestHistoryGoesOnWithStates(t *testing.T) {
	var h model.History
	h.Heard(control.Bytes{Requests: 5, FromCache: 1000}, when) // what was before is in what the daemon tells
	h.Told(control.History{Minutes: []control.Point{served(when.Truncate(time.Minute), 7, 0)}})
	check := func(want, inMonth int64) {
		t.Helper()
		if got := model.Sum(h.Bins(model.Hour, when)).FromCache; got != want {
			t.Errorf("%d in the hour, want %d", got, want)
		}
		if got := model.Sum(h.Bins(model.Month, when)).FromCache; got != inMonth {
			t.Errorf("%d in the month, want %d", got, inMonth)
		}
	}
	check(7, 0)
	h.Heard(control.Bytes{Requests: 6, FromCache: 1020}, when)
	h.Heard(control.Bytes{Requests: 6, FromCache: 1020}, when)
	check(27, 20)
	h.Heard(control.Bytes{Requests: 1, FromCache: 3}, when) // another daemon: what it served before is not of this minute
	check(27, 20)
	h.Heard(control.Bytes{Requests: 2, FromCache: 4}, when)
	check(28, 21)
	h.Told(control.History{Minutes: []control.Point{served(when.Truncate(time.Minute), 28, 0)}})
	check(28, 0)
}

func TestHitRate(t *testing.T) {
	if _, known := model.HitRate(control.Bytes{Requests: 3}); known {
		t.Error("a rate of nothing")
	}
	if share, known := model.HitRate(control.Bytes{FromCache: 3, FromNet: 1}); !known || share != 0.75 {
		t.Errorf("%v, %v", share, known)
	}
}
