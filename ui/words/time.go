package words

import (
	"strconv"
	"time"

	"pulley/ui/lang"
)

// Of a person's reckoning: months and years are rough.
const (
	day   = 24 * time.Hour
	week  = 7 * day
	month = 30 * day
	year  = 365 * day
)

// Ago is how long ago something was, roughly: "3 minutes ago"; "" for never.
func Ago(t *time.Time, now time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	switch since := now.Sub(*t); {
	case since < time.Minute:
		return lang.Say("ago.now")
	case since < time.Hour:
		return lang.Say("ago.minutes", "Count", int(since/time.Minute))
	case since < day:
		return lang.Say("ago.hours", "Count", int(since/time.Hour))
	case since < week:
		return lang.Say("ago.days", "Count", int(since/day))
	case since < month:
		return lang.Say("ago.weeks", "Count", int(since/week))
	case since < year:
		return lang.Say("ago.months", "Count", int(since/month))
	default:
		return lang.Say("ago.years", "Count", int(since/year))
	}
}

// Span is how long something takes, in one or two units: "340 ms", "1.2 s", "3 min 20 s".
func Span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d > 0 && d < time.Millisecond:
		return lang.Say("span.hardly")
	case d < time.Second:
		if ms := d.Round(time.Millisecond); ms < time.Second {
			return lang.Say("span.milliseconds", "Count", int(ms/time.Millisecond))
		}
		return lang.Say("span.seconds", "Number", lang.Number(1, 0))
	case d < 9950*time.Millisecond:
		return lang.Say("span.seconds", "Number", lang.Number(d.Seconds(), 1))
	case d < time.Minute-time.Second/2:
		return lang.Say("span.seconds", "Number", lang.Number(d.Seconds(), 0))
	case d < time.Hour-time.Second/2:
		return both("span.minutes", "span.minutes_seconds", d, time.Minute, time.Second)
	case d < day-time.Minute/2:
		return both("span.hours", "span.hours_minutes", d, time.Hour, time.Minute)
	default:
		return both("span.days", "span.days_hours", d, day, time.Hour)
	}
}

// both is a duration in a unit, with the rest in a smaller one where there is some.
func both(whole, withRest string, d, unit, smaller time.Duration) string {
	d = d.Round(smaller)
	count, rest := int(d/unit), int(d%unit/smaller)
	if rest == 0 {
		return lang.Say(whole, "Count", count)
	}
	return lang.Say(withRest, "Count", count, "Rest", rest)
}

// Moment is a time of day, with its date when that is another than now's: "15:04", "2 Jan 15:04". now gives the time zone.
func Moment(t, now time.Time) string {
	t = t.In(now.Location())
	switch {
	case t.Year() != now.Year():
		return date("date.year_clock", t, Clock(t, now))
	case t.YearDay() != now.YearDay():
		return date("date.day_clock", t, Clock(t, now))
	default:
		return Clock(t, now)
	}
}

// Clock is a time of day: "15:04".
func Clock(t, now time.Time) string { return t.In(now.Location()).Format("15:04") }

// Day is a date, with its year when that is another than now's: "2 Jan", "2 Jan 2027".
func Day(t, now time.Time) string {
	t = t.In(now.Location())
	if t.Year() == now.Year() {
		return date("date.day", t, "")
	}
	return date("date.year", t, "")
}

// Date is a date with its year: "2 Jan 2027".
func Date(t, now time.Time) string { return date("date.year", t.In(now.Location()), "") }

// Exact is the whole of a time, to the second, for where a rough one is hovered over: "2 Jan 2027, 15:04:05". now gives the
// time zone.
func Exact(t, now time.Time) string {
	t = t.In(now.Location())
	return date("date.year_clock", t, t.Format("15:04:05"))
}

func date(key string, t time.Time, clock string) string {
	return lang.Say(key, "Day", t.Day(), "Month", lang.Say("date.month.m"+strconv.Itoa(int(t.Month()))),
		"Year", t.Year(), "Clock", clock)
}
