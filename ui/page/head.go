package page

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/assets"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/tray"
	"pulley/ui/words"
)

// head is the state, the one big switch, and the address.
type head struct {
	mark    *part.Mark
	form    tray.Form
	title   *part.Text
	below   *part.Text
	flip    *part.Switch
	address *part.Text
	copier  *part.Press
	where   *fyne.Container
	root    fyne.CanvasObject
}

// tints are the colours of the mark in the window, where the theme is known.
var tints = map[tray.Form]fyne.ThemeColorName{
	tray.On: fynetheme.ColorNamePrimary, tray.Busy: fynetheme.ColorNamePrimary,
	tray.Off: theme.Muted, tray.Trouble: fynetheme.ColorNameError,
}

func newHead(do func(model.Action), copied func(string)) *head {
	h := &head{
		mark: part.NewMark(38), title: part.NewText("").Bold(),
		below: part.NewMuted("").Giving(), address: part.NewText(""),
	}
	h.title.Scale = theme.SizeHead
	h.below.Scale = fynetheme.SizeNameText
	h.address.Style.Monospace = true
	h.flip = part.NewSwitch(func(on bool) {
		verb := model.TurnOff
		if on {
			verb = model.TurnOn
		}
		do(model.Action{Verb: verb})
	})
	h.copier = copyButton(func() { copied(h.address.Words()) })
	h.where = row(4, middle(h.address), h.copier)
	h.root = part.NewSheet(between(
		container.New(layout.NewCustomPaddedLayout(0, 0, 0, 10),
			container.NewBorder(nil, nil, container.New(layout.NewCustomPaddedLayout(0, 0, 0, 10), middle(h.mark)), nil,
				middle(column(2, h.title, h.below, h.where)))),
		middle(h.flip)))
	return h
}

func (h *head) show(v model.View, now time.Time) {
	if form := tray.FormOf(v); form != h.form {
		h.form = form
		if svg, err := assets.Icons.ReadFile("icons/" + string(form) + ".svg"); err == nil {
			h.mark.Set(svg, tints[form])
		}
	}
	h.title.Set(words.Title(v, now))
	h.below.Set(words.Explanation(v, now))
	h.flip.Allow(v.Phase == model.Running)
	h.flip.Set(v.Phase == model.Running && v.State.Enabled)
	h.address.Set(v.State.Listen)
	show(h.where, v.Phase == model.Running && v.State.Listen != "")
}
