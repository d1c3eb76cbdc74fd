package settings

import (
	"context"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/words"
)

// addressPins is the list of hosts that are dialled at addresses of the person's own.
type addressPins struct {
	page  *Page
	list  []control.Address
	known bool

	rows  *fyne.Container
	kept  map[string]*pinRow
	empty fyne.CanvasObject
	form  *form
	add   *part.IconButton
	root  fyne.CanvasObject
}

type pinRow struct {
	row  *row
	last control.Address
}

func newAddressPins(s *Page) *addressPins {
	p := &addressPins{page: s, kept: map[string]*pinRow{}, rows: part.VBox(0), empty: container.New(layout.NewCustomPaddedLayout(12, 4, 0, 0), part.NewMuted(lang.Say("settings.pins_none")).Giving())}
	p.form = newForm(
		field{label: lang.Say("settings.pin_host"), example: "auth.docker.io"},
		field{label: lang.Say("settings.pin_use"), example: "34.193.147.40, 52.5.246.212", hint: lang.Say("settings.pin_use_hint")},
	)
	p.form.check = p.check
	p.add = part.NewIconButton(fynetheme.ContentAddIcon(), lang.Say("settings.pin_add"), func() { p.edit(control.Address{}) })
	p.root = part.VBox(0, p.empty, p.rows, p.form.root)
	return p
}

func (p *addressPins) words() []string {
	all := []string{"address", "hosts", "DNS"}
	for _, a := range p.list {
		all = append(append(all, a.Host), a.Use...)
	}
	return all
}

func (p *addressPins) has(host string) bool {
	return slices.ContainsFunc(p.list, func(a control.Address) bool { return a.Host == host })
}

func (p *addressPins) heard(list []control.Address, err error) {
	if err == nil {
		p.list, p.known = list, true
	}
}

func (p *addressPins) show() {
	part.Enable(p.add, p.page.desk.Daemon() != nil)
	part.Show(p.empty, p.known && len(p.list) == 0)
	var rows []fyne.CanvasObject
	for _, a := range p.list {
		r := p.kept[a.Host]
		if r == nil {
			r = p.row(a.Host)
			p.kept[a.Host] = r
		}
		r.last = a
		r.row.explain(strings.Join(a.Use, ", "))
		note := ""
		if len(a.Bad) > 0 {
			note = lang.Say("settings.pin_bad", "Addresses", strings.Join(a.Bad, ", "))
		}
		r.row.say(note, widget.WarningImportance)
		r.row.rule(len(rows) > 0)
		rows = append(rows, r.row)
	}
	part.Fill(p.rows, rows...)
}

func (p *addressPins) row(host string) *pinRow {
	r := &pinRow{}
	edit := part.NewIconButton(fynetheme.DocumentCreateIcon(), lang.Say("settings.pin_edit", "Host", host), func() { p.edit(r.last) })
	remove := part.NewIconButton(fynetheme.DeleteIcon(), lang.Say("settings.pin_remove", "Host", host), func() { p.remove(r.last) })
	r.row = newRow("address."+host, host, " ", part.HBox(2, edit, remove))
	return r
}

// remove takes a host's addresses away at once; they can be given back.
func (p *addressPins) remove(a control.Address) {
	p.list = slices.DeleteFunc(slices.Clone(p.list), func(other control.Address) bool { return other.Host == a.Host })
	p.page.render()
	failed := func(err error) {
		if err != nil {
			p.page.desk.Toast(page.Toast{Text: lang.Say("settings.pin_failed", "Host", a.Host, "Reason", words.Reason(err)), Bad: true})
		}
	}
	p.page.call(func(ctx context.Context, d page.Daemon) error { return d.RemoveAddress(ctx, a.Host) }, failed)
	p.page.desk.Toast(page.Toast{Text: lang.Say("settings.pin_removed", "Host", a.Host), Undo: func() {
		p.page.call(func(ctx context.Context, d page.Daemon) error {
			return d.SetAddress(ctx, control.Address{Host: a.Host, Use: a.Use})
		}, failed)
	}})
}

func (p *addressPins) edit(a control.Address) {
	title, do, fixed := lang.Say("settings.pin_add"), lang.Say("settings.add"), []int(nil)
	if a.Host != "" {
		title, do, fixed = lang.Say("settings.pin_edit", "Host", a.Host), lang.Say("settings.save"), []int{0}
	}
	p.form.begin(title, do, []string{a.Host, strings.Join(a.Use, ", ")}, func(v []string, then func(error)) {
		p.page.call(func(ctx context.Context, d page.Daemon) error {
			return d.SetAddress(ctx, control.Address{Host: v[0], Use: model.Split(v[1])})
		}, then)
	}, fixed...)
}

func (p *addressPins) check(v []string) (int, string) {
	switch model.CheckPin(v[0], model.Split(v[1])) {
	case model.PinHostWrong:
		return 0, lang.Say("settings.wrong_pin_host")
	case model.PinUseWrong:
		return 1, lang.Say("settings.wrong_pin_use")
	}
	if p.has(v[0]) && !p.form.fixed(0) {
		return 0, lang.Say("settings.wrong_pin_taken", "Host", v[0])
	}
	return -1, ""
}
