// Package tray decides what the icon in the status area looks like and what its
// menu says. It is a pure function of what is known; drawing the result is
// somebody else's.
//
// It must not know Fyne, nor any tray library.
package tray

import (
	"time"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/words"
)

// Menu is all there is to see. Items never move: what does not apply is hidden,
// so that a menu that is open while the state changes stays what it was.
type Menu struct {
	Language string // one of lang.Languages
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
	Moves     bool // the label has a number, or a winner, that may change by itself
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

// most is how many entries the menu has at most, submenus not counted.
const most = 12

// pause is the one length that the tray offers; the command line knows others.
const pause = time.Hour

// Build makes the menu for a view.
func Build(v model.View, now time.Time) Menu {
	head := words.Headline(v, now)
	m := Menu{
		Language: lang.Tag(),
		Form:     FormOf(v),
		Tooltip:  lang.Say("tray.tooltip", "Text", tooltip(v, head)),
		Sections: []Section{
			{Items: status(v, head)},
			{Items: switches(v, now)},
			{}, // registries take the room that is left
			{Items: []Item{contexts(v), limit(v, now), space(v)}},
			{Items: []Item{
				{Key: "open", Label: lang.Say("tray.open"), Action: model.Action{Verb: model.Open}},
				{Key: "settings", Label: lang.Say("tray.settings"), Action: model.Action{Verb: model.Open, Page: "settings"}},
				{Key: "quit", Label: quitLabel(v), Action: model.Action{Verb: model.Quit}},
			}},
		},
	}
	m.Sections[2] = registries(v, now, most-1-shown(m)) // without the one that leads to all others
	return m
}

// shown counts the entries that can be seen.
func shown(m Menu) (n int) {
	for _, s := range m.Sections {
		for _, item := range s.Items {
			if !item.Hidden {
				n++
			}
		}
	}
	return n
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
	return append(items, problem(v)...)
}

// place is the page that a problem leads to, by its kind: where it can be mended.
func place(kind string) string {
	switch kind {
	case control.ProblemMirror, control.ProblemLimit:
		return "mirrors"
	case control.ProblemDisk:
		return "images"
	case control.ProblemConfig, control.ProblemCache, control.ProblemNetwork, control.ProblemEgress, control.ProblemRejected:
		return "settings"
	default:
		return "overview"
	}
}

// problem is the worst of what is wrong. There is an entry for each page that one may lead to, so that each means the same
// for ever.
func problem(v model.View) (items []Item) {
	var worst control.Problem
	more := 0
	if v.Phase == model.Running && len(v.State.Problems) > 0 {
		worst, more = v.State.Problems[0], len(v.State.Problems)-1
	}
	for _, page := range []string{"overview", "images", "mirrors", "settings"} {
		item := Item{
			Key: "problem/" + page, Action: model.Action{Verb: model.Open, Page: page},
			Hidden: worst.Text == "" || place(worst.Kind) != page, Moves: true,
		}
		switch gist := words.Gist(worst); {
		case item.Hidden:
		case more > 0:
			item.Label = lang.Say("tray.problems", "Text", gist, "Count", more)
		default:
			item.Label = lang.Say("tray.problem", "Text", gist)
		}
		items = append(items, item)
	}
	return items
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
func registries(v model.View, now time.Time, room int) Section {
	near := lately(v.State.Registries, now, room)
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

// lately names the registries that a person is likely to look for, as many as there is room for.
func lately(all []control.Registry, now time.Time, room int) map[string]bool {
	near := map[string]bool{}
	used, _ := model.Shelve(all, now)
	for _, r := range used[:min(max(room, 0), len(used))] {
		near[r.Name] = true
	}
	return near
}

func registry(prefix string, r control.Registry, hidden bool) Item {
	item := Item{Key: prefix + r.Name, Label: lang.Say("tray.registry", "Registry", r.Name, "Route", words.Route(r.Route)), Hidden: hidden}
	for _, route := range Routes(r) {
		item.Children = append(item.Children, Item{
			Key:       item.Key + "/" + route,
			Label:     routeLabel(r, route),
			Checkable: true,
			Checked:   route == r.Route,
			Moves:     route == "auto",
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

// routeLabel names a route; the automatic one with who is asked first by it now.
func routeLabel(r control.Registry, route string) string {
	switch {
	case route != "auto" || r.Best == "":
		return words.Route(route)
	case r.Best == "origin":
		return lang.Say("tray.auto_origin", "Route", words.Route(route))
	default:
		return lang.Say("tray.auto", "Route", words.Route(route), "Source", r.Best)
	}
}

// contexts are docker's. With one alone there is nothing to choose.
func contexts(v model.View) Item {
	item := Item{Key: "contexts", Hidden: len(v.Contexts) < 2}
	for _, c := range v.Contexts {
		label := c.Name
		if c.Mark != nil && c.Mark.Word != "" {
			label = lang.Say("tray.marked", "Name", c.Name, "Mark", c.Mark.Word)
		}
		if r, asked := v.Reports[c.Name]; asked && !r.Reachable {
			label = lang.Say("tray.unreachable", "Name", label)
		}
		if c.Wins {
			item.Label = lang.Say("tray.context", "Name", label)
		}
		item.Children = append(item.Children, Item{
			Key: "context/" + c.Name, Label: label, Checkable: true, Checked: c.Wins,
			Action: model.Action{Verb: model.UseContext, Thing: c.Name},
		})
	}
	return item
}

// space says how much is cached, and leads to where that can be made less.
func space(v model.View) Item {
	return Item{
		Key: "space", Label: lang.Say("tray.space", "Size", words.Bytes(v.State.Cache.Size)),
		Action: model.Action{Verb: model.Open, Page: "images", Thing: "space"}, Hidden: v.Phase != model.Running, Moves: true,
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
