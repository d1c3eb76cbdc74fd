package page

import (
	"fmt"
	"slices"
	"strings"

	"fyne.io/fyne/v2"

	"pulley/ui/lang"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// Source is a person's word for who brings bytes: a mirror's is its name.
func Source(name string) string {
	switch name {
	case "cache", "origin", "shared", "joined", "push", "import":
		return lang.Say("source." + name)
	case "":
		return lang.Say("source.unknown")
	default:
		return name
	}
}

// Sources says who brought something: "daocloud + origin".
func Sources(from string) string {
	if from == "" {
		return "–"
	}
	names := strings.Split(from, "+")
	for n, name := range names {
		names[n] = Source(name)
	}
	return strings.Join(names, " + ")
}

// Mostly is the same as Sources in little room: "daocloud +1".
func Mostly(from string) string {
	first, rest, more := strings.Cut(from, "+")
	if !more {
		return Sources(from)
	}
	return fmt.Sprintf("%s +%d", Source(first), 1+strings.Count(rest, "+"))
}

// Share is one source's part of something, and the colour it has there.
type Share struct {
	Name  string
	Bytes int64
	Color fyne.ThemeColorName
}

// Hues gives each source a colour: bytes from disk and from the origin have theirs, mirrors those that are left, in order.
func Hues(names []string) map[string]fyne.ThemeColorName {
	rest := []fyne.ThemeColorName{theme.Blue, theme.Violet, theme.Rose}
	found := map[string]fyne.ThemeColorName{}
	for _, name := range names {
		switch {
		case name == "cache":
			found[name] = theme.Cached
		case name == "origin":
			found[name] = theme.Fetched
		case name == "" || found[name] == "" && len(rest) == 0:
			found[name] = theme.Muted
		case found[name] == "":
			found[name], rest = rest[0], rest[1:]
		}
	}
	return found
}

// ShareList names shares with their amounts, a line for each.
func ShareList(shares []Share, amount func(Share) string) fyne.CanvasObject {
	list := part.VBox(4)
	for _, s := range shares {
		list.Add(part.Between(part.HBox(8, part.Middle(part.NewDot(s.Color)), part.Middle(part.NewText(Source(s.Name)))), part.NewMuted(amount(s))))
	}
	return list
}

// Joined is several short texts in one line.
func Joined(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), " · ")
}
