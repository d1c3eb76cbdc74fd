package overview

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/assets"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/tray"
	"pulley/ui/words"
)

// head is the state, the one big switch, the pause, and the address.
type head struct {
	mark    *part.Mark
	form    tray.Form
	title   *part.Text
	below   *part.Text
	flip    *part.Switch
	pause   *part.Button
	resume  *part.Button
	address *part.Text
	where   *fyne.Container
	root    fyne.CanvasObject
}

// tints are the colours of the mark in the window, where the theme is known.
var tints = map[tray.Form]fyne.ThemeColorName{
	tray.On: fynetheme.ColorNamePrimary, tray.Busy: fynetheme.ColorNamePrimary,
	tray.Off: theme.Muted, tray.Trouble: fynetheme.ColorNameError,
}

// pauses are how long Pulley can be paused for.
var pauses = []time.Duration{15 * time.Minute, time.Hour, 4 * time.Hour}

func newHead(d page.Desk) *head {
	h := &head{
		mark: part.NewMark(40), title: part.NewText("").Bold(),
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
		d.Do(model.Action{Verb: verb})
	})
	h.flip.Label = lang.Say("app.name")
	h.pause = part.NewButtonWithIcon(lang.Say("overview.pause.button"), fynetheme.MediaPauseIcon(), func() {
		part.OpenMenu(h.menu(d.Do), h.pause)
	})
	h.resume = part.NewButtonWithIcon(lang.Say("overview.pause.resume"), fynetheme.MediaPlayIcon(), func() {
		d.Do(model.Action{Verb: model.TurnOn})
	})
	h.where = part.HBox(3, part.Middle(h.address), part.Middle(part.NewCopy("", h.address.Words, d.Copy)))
	line := rowOf(&follow{text: h.below, gap: 8}, h.below, h.where)
	left := part.Border(nil, nil, container.New(layout.NewCustomPaddedLayout(0, 0, 0, 12), part.Middle(h.mark)), nil,
		part.Middle(part.VBox(1, h.title, line)))
	right := part.HBox(14, part.Middle(h.pause), part.Middle(h.resume), part.Flush(3, part.Middle(h.flip)))
	h.root = part.Between(left, container.New(layout.NewCustomPaddedLayout(0, 0, 12, 0), right))
	return h
}

// menu is what pausing offers.
func (h *head) menu(do func(model.Action)) *fyne.Menu {
	menu := fyne.NewMenu("")
	for _, long := range pauses {
		menu.Items = append(menu.Items, fyne.NewMenuItem(lang.Say("overview.pause.for", "Span", words.Span(long)), func() {
			do(model.Action{Verb: model.Pause, For: long})
		}))
	}
	return menu
}

func (h *head) show(v model.View, now time.Time) {
	if form := tray.FormOf(v); form != h.form {
		h.form = form
		if svg, err := assets.Icons.ReadFile("icons/" + string(form) + ".svg"); err == nil {
			h.mark.Set(svg, tints[form])
		}
	}
	running := v.Phase == model.Running
	h.title.Set(words.Title(v, now))
	part.Show(h.title, v.Phase != model.Down) // that it is down, and why, stands above the page
	if v.Phase == model.Down {
		h.below.Set(lang.Say("overview.head.down"))
	} else {
		h.below.Set(words.Explanation(v, now))
	}
	h.flip.Allow(running)
	h.flip.Set(running && v.State.Enabled)
	paused := running && words.Paused(v.State, now)
	part.Show(h.pause, running && v.State.Enabled)
	part.Show(h.resume, paused)
	h.address.Set(v.State.Listen)
	part.Show(h.where, running && v.State.Listen != "")
}
