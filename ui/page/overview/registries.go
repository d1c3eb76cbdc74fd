package overview

import (
	"time"

	"fyne.io/fyne/v2"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/tray"
	"pulley/ui/words"
)

// registries is a row for each that was used lately: its name, when that was, and its route.
type registries struct {
	do   func(model.Action)
	made map[string]*registry
	list *rows
	root *fyne.Container
}

type registry struct {
	used  *part.Text
	at    *time.Time
	now   time.Time
	route *part.Choice
	root  fyne.CanvasObject
}

// maxRegistries is how many have a row; the others are on the page of mirrors.
const maxRegistries = 6

func newRegistries(d page.Desk) *registries {
	r := &registries{do: d.Do, made: map[string]*registry{}, list: &rows{gap: 9, least: 2}}
	all := part.NewLink(lang.Say("overview.registries.all"), func() { d.Visit(page.MirrorsPage, "") })
	head := part.Between(part.Middle(part.NewText(lang.Say("overview.registries.title")).Bold()), part.Flush(4, all))
	r.root = rowOf(r.list, part.VBox(13, part.NewRule(), head))
	return r
}

func (r *registries) show(v model.View, now time.Time) {
	used, _ := model.Shelve(v.State.Registries, now)
	wanted := []fyne.CanvasObject{r.root.Objects[0]}
	for _, state := range used[:min(len(used), maxRegistries)] {
		row := r.made[state.Name]
		if row == nil {
			row = r.row(state.Name)
			r.made[state.Name] = row
		}
		row.show(state, now)
		wanted = append(wanted, row.root)
	}
	r.list.wanted = len(wanted) - 1
	part.Fill(r.root, wanted...)
}

func (r *registries) row(name string) *registry {
	row := &registry{used: part.NewMuted("").Giving()}
	row.route = part.NewChoice(func(route string) {
		r.do(model.Action{Verb: model.SetRoute, Registry: name, Route: route})
	})
	row.route.Label = lang.Say("overview.registries.route", "Registry", name)
	tip := part.NewTip(row.used, func() string {
		if row.at == nil {
			return ""
		}
		return words.Exact(*row.at, row.now)
	})
	row.root = part.Between(part.VBox(0, part.NewWhole(part.NewText(name).Giving()), tip), part.Flush(8, part.Middle(row.route)))
	return row
}

func (r *registry) show(state control.Registry, now time.Time) {
	r.at, r.now = state.LastUsed, now
	said := words.Ago(state.LastUsed, now)
	switch {
	case (state.Route == "" || state.Route == "auto") && state.Best != "" && state.Best != "origin":
		said = lang.Say("overview.registries.best", "Source", page.Source(state.Best))
	case said == "":
		said = lang.Say("overview.registries.never")
	}
	r.used.Set(said)
	var options []part.Option
	for _, route := range tray.Routes(state) {
		options = append(options, part.Option{Value: route, Label: words.Route(route)})
	}
	r.route.Set(options, state.Route)
}
