// Package tray decides what the icon in the status area looks like and what its
// menu says. It is a pure function of what is known; drawing the result is
// somebody else's.
//
// It must not know Fyne, nor any tray library.
package tray

import (
	"fmt"
	"slices"
	"time"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/words"
)

// Menu is all there is to see. Items never move: what does not apply is hidden,
// so that a menu that is open while the state changes stays what it was.
type Menu struct {
	Form     Form
	Tooltip  string
	Sections []Section
}

// Section is a group of items between two lines.
type Section struct {
	Items []Item
	Grows bool   // items may be added to Items later
	Tail  []Item // come after those
}

// Item is one line. Key names it for ever: the same key always means the same
// thing, whatever the label says.
type Item struct {
	Key       string
	Label     string
	Action    model.Action
	Checkable bool
	Checked   bool
	Disabled  bool
	Hidden    bool
	Moves     bool // the label is a number that may change by itself
	Children  []Item
}

// Form is the shape of the icon, the name of its drawing.
type Form string

// The four forms.
const (
	On      Form = "on"
	Off     Form = "off"
	Busy    Form = "busy"
	Trouble Form = "trouble"
)

// recent is how long ago a registry may have been used to be in the menu
// itself, and few how many are there at most.
const (
	recent = 14 * 24 * time.Hour
	few    = 5
)

// pause is the one length that the tray offers; the command line knows others.
const pause = time.Hour

// Build makes the menu for a view.
func Build(v model.View, now time.Time) Menu {
	head := words.Headline(v, now)
	return Menu{
		Form:    FormOf(v),
		Tooltip: lang.Say("tray.tooltip", "Text", tooltip(v, head)),
		Sections: []Section{
			{Items: status(v, head)},
			{Items: switches(v, now)},
			registries(v, now),
			{Items: []Item{limit(v, now), cached(v)}},
			{Items: []Item{
				{Key: "open", Label: lang.Say("tray.open"), Action: model.Action{Verb: model.Open}},
				{Key: "quit", Label: quitLabel(v), Action: model.Action{Verb: model.Quit}},
			}},
		},
	}
}

// FormOf picks the icon.
func FormOf(v model.View) Form {
	switch {
	case v.Phase == model.Down:
		return Trouble
	case v.Phase == model.Starting || !v.State.Enabled:
		return Off
	case len(v.State.Problems) > 0:
		return Trouble
	case len(v.State.Active) > 0:
		return Busy
	default:
		return On
	}
}

func status(v model.View, head string) []Item {
	notice := v.Notice
	if v.Phase == model.Down && notice == "" {
		notice = v.Reason
	}
	items := []Item{
		{Key: "state", Label: head, Disabled: true},
		{Key: "notice", Label: words.Short(notice, 80), Disabled: true, Hidden: notice == ""},
	}
	return append(items, problems(v)...)
}

// most is how many problems have a line; the rest are counted.
const most = 3

// problems are what is wrong, worst first. A click leads to the window, which
// has room for what to do about it.
func problems(v model.View) []Item {
	var all []control.Problem
	if v.Phase == model.Running {
		all = v.State.Problems
	}
	var items []Item
	for i := range most {
		item := Item{Key: fmt.Sprintf("problem/%d", i), Action: model.Action{Verb: model.Open}, Hidden: i >= len(all)}
		if !item.Hidden {
			item.Label = lang.Say("tray.problem", "Text", words.Gist(all[i]))
		}
		items = append(items, item)
	}
	return append(items, Item{
		Key: "problem/more", Label: lang.Say("tray.rest", "Count", len(all)-most), Action: model.Action{Verb: model.Open},
		Hidden: len(all) <= most,
	})
}

// tooltip is the headline, or what is wrong.
func tooltip(v model.View, head string) string {
	if v.Phase == model.Running && v.State.Enabled && len(v.State.Problems) > 0 {
		return words.Gist(v.State.Problems[0])
	}
	return head
}

func switches(v model.View, now time.Time) []Item {
	running := v.Phase == model.Running
	paused := words.Paused(v.State, now)
	return []Item{
		{Key: "on", Label: lang.Say("tray.turn_on"), Action: model.Action{Verb: model.TurnOn}, Hidden: !running || v.State.Enabled},
		{Key: "off", Label: lang.Say("tray.turn_off"), Action: model.Action{Verb: model.TurnOff}, Hidden: !running || !v.State.Enabled},
		{Key: "pause", Label: lang.Say("tray.pause"), Action: model.Action{Verb: model.Pause, For: pause},
			Hidden: !running || paused || !v.State.Enabled},
		{Key: "start", Label: lang.Say("tray.start"), Action: model.Action{Verb: model.Retry}, Hidden: v.Phase != model.Down},
	}
}

// registries lists those used lately, and all others under More. Each is in
// both places and hidden in one, so that none ever moves.
func registries(v model.View, now time.Time) Section {
	near := lately(v.State.Registries, now)
	running := v.Phase == model.Running
	more := Item{Key: "more", Label: lang.Say("tray.more"), Hidden: true}
	section := Section{Grows: true}
	for _, r := range v.State.Registries {
		section.Items = append(section.Items, registry("registry/", r, !running || !near[r.Name]))
		more.Children = append(more.Children, registry("more/", r, near[r.Name]))
		if running && !near[r.Name] {
			more.Hidden = false
		}
	}
	section.Tail = []Item{more}
	return section
}

// lately names the registries that a person is likely to look for: the few used
// last, or the first of all when none was used yet.
func lately(all []control.Registry, now time.Time) map[string]bool {
	used := slices.DeleteFunc(slices.Clone(all), func(r control.Registry) bool {
		return r.LastUsed == nil || now.Sub(*r.LastUsed) > recent
	})
	slices.SortStableFunc(used, func(a, b control.Registry) int { return b.LastUsed.Compare(*a.LastUsed) })
	if len(used) == 0 {
		used = all[:min(1, len(all))]
	}
	near := map[string]bool{}
	for _, r := range used[:min(few, len(used))] {
		near[r.Name] = true
	}
	return near
}

func registry(prefix string, r control.Registry, hidden bool) Item {
	item := Item{Key: prefix + r.Name, Label: lang.Say("tray.registry", "Registry", r.Name, "Route", words.Route(r.Route)), Hidden: hidden}
	for _, route := range Routes(r) {
		item.Children = append(item.Children, Item{
			Key:       item.Key + "/" + route,
			Label:     words.Route(route),
			Checkable: true,
			Checked:   route == r.Route,
			Action:    model.Action{Verb: model.SetRoute, Registry: r.Name, Route: route},
		})
	}
	return item
}

// Routes are those that a registry may be switched to.
func Routes(r control.Registry) []string {
	if len(r.Routes) > 0 {
		return r.Routes
	}
	return []string{"auto", "direct", "offline"}
}

func cached(v model.View) Item {
	return Item{
		Key: "cached", Label: lang.Say("tray.cached", "Size", words.Bytes(v.State.Cache.Size)),
		Disabled: true, Hidden: v.Phase != model.Running, Moves: true,
	}
}

// limit is what Docker Hub said of the pulls that are left.
func limit(v model.View, now time.Time) Item {
	left := words.Left(v.State.Limits, "docker.io", now)
	return Item{
		Key: "limit", Label: lang.Say("tray.limit", "Text", left),
		Disabled: true, Hidden: v.Phase != model.Running || left == "", Moves: true,
	}
}

func quitLabel(v model.View) string {
	if v.Phase == model.Running && !v.Owned {
		return lang.Say("tray.quit_alone")
	}
	return lang.Say("tray.quit")
}
