// Package words says a state, amounts and times in words, the same in the tray and in the window, in the language in force.
package words

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
)

// Headline is the state in one short line. now is wanted for its time zone and
// to tell today from another day.
func Headline(v model.View, now time.Time) string {
	switch v.Phase {
	case model.Starting:
		return lang.Say("state.starting")
	case model.Down:
		return lang.Say("state.down")
	}
	s := v.State
	switch {
	case Paused(s, now):
		return lang.Say("state.paused", "Time", Moment(*s.PausedUntil, now))
	case !s.Enabled:
		return lang.Say("state.off_through")
	default:
		return lang.Say("state.on_at", "Address", s.Listen)
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
		return lang.Say("state.off")
	default:
		return lang.Say("state.on")
	}
}

// Explanation is a sentence for below the title.
func Explanation(v model.View, _ time.Time) string {
	switch {
	case v.Phase == model.Starting:
		return lang.Say("state.searching")
	case v.Phase == model.Down && v.Reason != "":
		return v.Reason
	case v.Phase == model.Down:
		return lang.Say("state.stopped")
	case !v.State.Enabled:
		return lang.Say("state.through")
	default:
		return lang.Say("state.served")
	}
}

// Paused tells whether the state is off for a time.
func Paused(s control.State, now time.Time) bool {
	return !s.Enabled && s.PausedUntil != nil && s.PausedUntil.After(now)
}

// Route is a person's word for what config.toml calls auto, direct, offline or
// a mirror's name.
func Route(route string) string {
	switch route {
	case "", "auto":
		return lang.Say("route.auto")
	case "direct":
		return lang.Say("route.direct")
	case "offline":
		return lang.Say("route.offline")
	default:
		return route
	}
}

// Left is what remains of a registry's pull limit, by its own word and for whom
// it spoke about last: "76 of 100 pulls left", "180 of 200 pulls left for alice",
// "no pulls left, again by 18:05"; "" where it said nothing, or so long ago that
// it holds no more.
func Left(limits []control.Limit, registry string, now time.Time) string {
	l, holds := model.LimitOf(limits, registry, now)
	if !holds {
		return ""
	}
	text := lang.Say("limit.left", "Left", lang.Number(l.Remaining, 0), "Limit", lang.Number(l.Limit, 0))
	if l.Remaining == 0 {
		text = lang.Say("limit.none")
	}
	if l.Identity != "" && l.Identity != "anonymous" {
		text = lang.Say("limit.whose", "Text", text, "User", l.Identity)
	}
	if l.Remaining == 0 && l.Again != nil {
		text = lang.Say("limit.again", "Text", text, "Time", Moment(*l.Again, now))
	}
	return text
}

// Spent tells whether none of a registry's pulls is left.
func Spent(limits []control.Limit, registry string, now time.Time) bool {
	l, holds := model.LimitOf(limits, registry, now)
	return holds && l.Remaining == 0
}

// Problem is what is wrong, in the language in force where it is known there, else in the daemon's own words.
func Problem(p control.Problem) string {
	if key := "problem." + p.Key; p.Key != "" && lang.Has(key) {
		return lang.Say(key, "Thing", p.Thing, "About", Because(p.Cause, p.About))
	}
	return p.Text
}

// Fix is what to do about a problem: a command that can be copied as it is, or advice, in the language in force where it is
// known there. Both may be empty.
func Fix(p control.Problem) (advice, command string) {
	switch key := "fix." + p.Key; {
	case strings.HasPrefix(p.Fix, "pulley ") && !strings.ContainsAny(p.Fix, ",…;"):
		return "", p.Fix
	case p.Key != "" && lang.Has(key):
		return lang.Say(key), ""
	default:
		return p.Fix, ""
	}
}

// Gist is a problem in one short line: its first clause. What follows is for
// where there is room.
func Gist(p control.Problem) string {
	text := Problem(p)
	for _, end := range []string{"; ", "；"} {
		text, _, _ = strings.Cut(text, end)
	}
	return Short(text, 90)
}

// List is things one after the other: "a, b and c".
func List(things ...string) string {
	text := ""
	for i, thing := range things {
		switch {
		case i == 0:
			text = thing
		case i == len(things)-1:
			text = lang.Say("list.last", "Before", text, "Item", thing)
		default:
			text = lang.Say("list.next", "Before", text, "Item", thing)
		}
	}
	return text
}

// Short cuts a text to at most limit characters and keeps it to one line.
func Short(text string, limit int) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsControl(r) }), " ")
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return strings.TrimRight(string([]rune(text)[:limit-1]), " ") + "…"
}
