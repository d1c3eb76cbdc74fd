package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// banner stands over every page while no daemon answers: that it is so, why, and what to do.
type banner struct {
	title  *part.Text
	reason *part.Text
	again  *part.Button
	ground *canvas.Rectangle
	root   *fyne.Container
}

func newBanner(retry func()) *banner {
	b := &banner{title: part.NewText("").Bold(), reason: part.NewText("").Giving(), ground: &canvas.Rectangle{}}
	sign := canvas.NewImageFromResource(fynetheme.NewColoredResource(fynetheme.WarningIcon(), fynetheme.ColorNameWarning))
	sign.FillMode = canvas.ImageFillContain
	sign.SetMinSize(fyne.NewSquareSize(18))
	b.again = part.NewButton(lang.Say("shell.banner.start"), retry)
	b.again.Importance = widget.HighImportance
	words := column(1, b.title, part.NewWhole(b.reason))
	line := part.Border(nil, nil, container.New(&right{10}, middle(sign)), container.New(&right{0}, middle(b.again)), middle(words))
	b.root = container.NewStack(b.ground, inset(9, 20, line))
	b.root.Hide()
	b.paint()
	return b
}

func (b *banner) paint() {
	b.ground.FillColor = hue(theme.Alert)
	canvas.Refresh(b.ground)
}

// show is told once there was time enough to start: what is only about to begin is not worth a word.
func (b *banner) show(v model.View, patient bool) (changed bool) {
	shown := v.Phase == model.Down || v.Phase == model.Starting && !patient
	if v.Phase == model.Down {
		b.title.Set(lang.Say("shell.banner.down"))
		reason := v.Reason
		if reason == "" {
			reason = lang.Say("shell.banner.why")
		}
		b.reason.Set(reason)
	} else {
		b.title.Set(lang.Say("shell.state.starting"))
		b.reason.Set(lang.Say("shell.banner.starting"))
	}
	b.again.Hidden = v.Phase != model.Down
	changed = b.root.Hidden == shown
	b.root.Hidden = !shown
	if shown {
		b.root.Refresh()
	}
	return changed
}

// right leaves room at the right of one object.
type right struct{ room float32 }

// MinSize implements fyne.Layout.
func (r *right) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return objects[0].MinSize().AddWidthHeight(r.room, 0)
}

// Layout implements fyne.Layout.
func (r *right) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	objects[0].Resize(size.SubtractWidthHeight(r.room, 0))
}
