package page

import (
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/internal/control"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/tray"
	"pulley/ui/words"
)

// registries is one row for each: its name, when it was used, and its route.
type registries struct {
	do   func(model.Action)
	rows map[string]*registry
	list *fyne.Container
	root fyne.CanvasObject
}

type registry struct {
	used  *part.Text
	route *part.Choice
	root  fyne.CanvasObject
}

func newRegistries(do func(model.Action)) *registries {
	r := &registries{do: do, rows: map[string]*registry{}, list: column(2)}
	r.root = titled(part.NewText("Registries"), part.NewMuted("Route"), r.list)
	return r
}

func (r *registries) show(v model.View, now time.Time) {
	wanted := make([]fyne.CanvasObject, 0, len(v.State.Registries))
	for _, state := range v.State.Registries {
		row := r.rows[state.Name]
		if row == nil {
			row = r.row(state.Name)
			r.rows[state.Name] = row
		}
		row.show(state, v.State.Limits, now)
		wanted = append(wanted, row.root)
	}
	if !equal(r.list.Objects, wanted) {
		r.list.Objects = wanted
		r.list.Refresh()
	}
}

func (r *registries) row(name string) *registry {
	row := &registry{used: part.NewMuted("").Giving()}
	row.route = part.NewChoice(func(route string) {
		r.do(model.Action{Verb: model.SetRoute, Registry: name, Route: route})
	})
	row.root = between(container.NewBorder(nil, nil, container.New(layout.NewCustomPaddedLayout(0, 0, 0, 5), middle(part.NewText(name))), nil, middle(row.used)), flush(8, row.route))
	return row
}

func (r *registry) show(state control.Registry, limits []control.Limit, now time.Time) {
	left := words.Left(limits, state.Name, now)
	if words.Spent(limits, state.Name, now) {
		r.used.Tint(fynetheme.ColorNameWarning)
		r.used.Set(left)
	} else {
		r.used.Tint(theme.Muted)
		r.used.Set(strings.Join(slices.DeleteFunc(
			[]string{words.Ago(state.LastUsed, now), left},
			func(s string) bool { return s == "" }), " · "))
	}
	var options []part.Option
	for _, route := range tray.Routes(state) {
		options = append(options, part.Option{Value: route, Label: words.Route(route)})
	}
	r.route.Set(options, state.Route)
}

func equal(a, b []fyne.CanvasObject) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
