// Package words says a state in words, the same in the tray and in the window.
package words

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"pulley/internal/control"
	"pulley/ui/model"
)

// Headline is the state in one short line. now is wanted for its time zone and
// to tell today from another day.
func Headline(v model.View, now time.Time) string {
	switch v.Phase {
	case model.Starting:
		return "Starting…"
	case model.Down:
		return "Pulley is not running"
	}
	s := v.State
	switch {
	case Paused(s, now):
		return "Paused until " + Moment(*s.PausedUntil, now)
	case !s.Enabled:
		return "Off: engines go straight through"
	default:
		return "On · " + s.Listen
	}
}

// Title is the headline's first word or two, for where there is room for a
// second line.
func Title(v model.View, now time.Time) string {
	switch {
	case v.Phase != model.Running:
		return Headline(v, now)
	case Paused(v.State, now):
		return Headline(v, now)
	case !v.State.Enabled:
		return "Off"
	default:
		return "On"
	}
}

// Explanation is a sentence for below the title.
func Explanation(v model.View, now time.Time) string {
	switch {
	case v.Phase == model.Starting:
		return "Looking for the daemon"
	case v.Phase == model.Down && v.Reason != "":
		return v.Reason
	case v.Phase == model.Down:
		return "It stopped, or was never started"
	case !v.State.Enabled:
		return "Engines go straight through to their registries"
	default:
		return "Engines reach registries through Pulley"
	}
}

// Paused tells whether the state is off for a time.
func Paused(s control.State, now time.Time) bool {
	return !s.Enabled && s.PausedUntil != nil && s.PausedUntil.After(now)
}

// Moment is a time of day, with its date when that is another than now's.
func Moment(t, now time.Time) string {
	t = t.In(now.Location())
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04")
	}
	return t.Format("2 Jan 15:04")
}

// Route is a person's word for what config.toml calls auto, direct, offline or
// a mirror's name.
func Route(route string) string {
	switch route {
	case "", "auto":
		return "Automatic"
	case "direct":
		return "Direct"
	case "offline":
		return "Offline"
	default:
		return route
	}
}

// Bytes is an amount, as "1.2 GiB".
func Bytes(n int64) string {
	return humanize.IBytes(uint64(max(n, 0)))
}

// Ago is how long ago something was, roughly: "3 minutes ago"; "" for never.
func Ago(t *time.Time, now time.Time) string {
	switch {
	case t == nil || t.IsZero():
		return ""
	case now.Sub(*t) < time.Minute:
		return "just now"
	default:
		return humanize.RelTime(*t, now, "ago", "")
	}
}

// Left is what remains of a registry's pull limit, by its own word and for whom
// it spoke about last: "76 of 100 pulls left", "180 of 200 pulls left for alice",
// "no pulls left, again by 18:05"; "" where it said nothing, or so long ago that
// it holds no more.
func Left(limits []control.Limit, registry string, now time.Time) string {
	l := limitOf(limits, registry)
	if l == nil || over(*l, now) {
		return ""
	}
	text := fmt.Sprintf("%d of %d pulls left", l.Remaining, l.Limit)
	if l.Remaining == 0 {
		text = "no pulls left"
	}
	if l.Identity != "" && l.Identity != "anonymous" {
		text += " for " + l.Identity
	}
	if l.Remaining == 0 && l.Again != nil {
		text += ", again by " + Moment(*l.Again, now)
	}
	return text
}

// Spent tells whether none of a registry's pulls is left.
func Spent(limits []control.Limit, registry string, now time.Time) bool {
	l := limitOf(limits, registry)
	return l != nil && l.Remaining == 0 && !over(*l, now)
}

// limitOf is what a registry said last; nil for nothing.
func limitOf(limits []control.Limit, registry string) (last *control.Limit) {
	for i, l := range limits {
		if l.Registry == registry && l.Remaining >= 0 && (last == nil || l.At.After(last.At)) {
			last = &limits[i]
		}
	}
	return last
}

// over tells whether a limit has begun anew since it was heard of.
func over(l control.Limit, now time.Time) bool {
	if l.Again != nil {
		return !l.Again.After(now)
	}
	return l.Window > 0 && now.Sub(l.At) >= l.Window
}

// Gist is a problem in one short line: its first clause. What follows is for
// where there is room.
func Gist(p control.Problem) string {
	clause, _, _ := strings.Cut(p.Text, "; ")
	return Short(clause, 90)
}

// Short cuts a text to at most limit characters and keeps it to one line.
func Short(text string, limit int) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsControl(r) }), " ")
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return strings.TrimRight(string([]rune(text)[:limit-1]), " ") + "…"
}
