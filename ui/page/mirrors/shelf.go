package mirrors

import (
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/words"
)

// shelf is the list of registries, those used lately first.
type shelf struct {
	choose  func(string)
	tabs    map[string]*tab
	lately  []*tab
	others  []*tab
	heading []fyne.CanvasObject // of the two groups
	nothing fyne.CanvasObject   // before a state is known
}

func newShelf(choose func(string)) *shelf {
	s := &shelf{choose: choose, tabs: map[string]*tab{}, nothing: part.NewSkeleton(6)}
	for _, key := range []string{lang.Say("mirrors.lately"), lang.Say("mirrors.others")} {
		s.heading = append(s.heading, container.New(layout.NewCustomPaddedLayout(4, 2, 10, 0), part.NewMuted(key)))
	}
	return s
}

func (s *shelf) show(v model.View, chosen string, now time.Time) {
	lately, others := model.Shelve(v.State.Registries, now)
	s.lately, s.others = s.group(lately, chosen, now), s.group(others, chosen, now)
}

func (s *shelf) group(list []control.Registry, chosen string, now time.Time) (tabs []*tab) {
	for _, r := range list {
		tab := s.tabs[r.Name]
		if tab == nil {
			tab = newTab(r.Name, s)
			s.tabs[r.Name] = tab
		}
		tab.show(r, r.Name == chosen, now)
		tabs = append(tabs, tab)
	}
	return tabs
}

// rows are what there is to see, from the top.
func (s *shelf) rows() (rows []fyne.CanvasObject) {
	if len(s.lately) == 0 {
		return []fyne.CanvasObject{s.nothing}
	}
	for i, group := range [][]*tab{s.lately, s.others} {
		if len(group) > 0 {
			rows = append(rows, s.heading[i])
		}
		for _, tab := range group {
			rows = append(rows, tab.Plate)
		}
	}
	return rows
}

// next is the registry by places further down, or up.
func (s *shelf) next(tab *tab, by int) *tab {
	all := slices.Concat(s.lately, s.others)
	at := slices.Index(all, tab) + by
	if at < 0 || at >= len(all) {
		return nil
	}
	return all[at]
}

// tab is one registry in the list: its name, its route, and when it was used.
type tab struct {
	*part.Plate
	name  string
	title *part.Text
	route *part.Text
	used  *part.Text
	exact string // when it was used
}

func newTab(name string, shelf *shelf) *tab {
	t := &tab{name: name, title: part.NewText(name).Giving(), route: part.NewMuted("").Giving(), used: part.NewMuted("")}
	below := part.Border(nil, nil, nil, part.NewTip(t.used, func() string { return t.exact }), t.route)
	t.Plate = part.NewPlate(part.VBox(1, t.title, below), name, func() { shelf.choose(name) })
	t.Moved = func(by int) { // what has the focus is shown
		if next := shelf.next(t, by); next != nil {
			shelf.choose(next.name)
			fyne.CurrentApp().Driver().CanvasForObject(t.Plate).Focus(next.Plate)
		}
	}
	return t
}

func (t *tab) show(r control.Registry, chosen bool, now time.Time) {
	route := words.Route(r.Route)
	if r.Route == "auto" && r.Best != "" {
		route += " · " + source(r.Best)
	}
	t.route.Set(route)
	t.used.Set(words.Ago(r.LastUsed, now))
	t.exact = ""
	if r.LastUsed != nil {
		t.exact = words.Exact(*r.LastUsed, now)
	}
	said := slices.DeleteFunc([]string{t.name, t.route.Words(), t.used.Words()}, func(s string) bool { return s == "" })
	t.Label = strings.Join(said, ", ")
	if t.title.Style.Bold != chosen {
		t.title.Style.Bold = chosen
		t.title.Refresh()
	}
	t.Choose(chosen)
}

// source is what a source is called for a person.
func source(name string) string {
	if name == "origin" {
		return lang.Say("mirrors.origin")
	}
	return name
}
