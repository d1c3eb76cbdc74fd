package page

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// alert is a sheet that is there only when something is wrong: what, and what
// to do about it.
type alert struct {
	text    *widget.Label
	again   *widget.Button
	dismiss *part.Press
	root    fyne.CanvasObject
}

func newAlert(do func(model.Action), dismiss func()) *alert {
	a := &alert{text: widget.NewLabel("")}
	a.text.Wrapping = fyne.TextWrapWord
	a.again = widget.NewButton("Start Pulley", func() { do(model.Action{Verb: model.Retry}) })
	a.dismiss = part.NewPress(fynetheme.CancelIcon(), dismiss)
	sign := canvas.NewImageFromResource(fynetheme.NewColoredResource(fynetheme.WarningIcon(), fynetheme.ColorNameWarning))
	sign.FillMode = canvas.ImageFillContain
	sign.SetMinSize(fyne.NewSquareSize(18))
	sheet := part.NewSheet(container.NewBorder(nil, nil, middle(sign), row(2, middle(a.again), middle(a.dismiss)), a.text))
	sheet.Color, sheet.Border, sheet.Padding = theme.Alert, theme.Alert, fyne.NewSize(12, 4)
	a.root = sheet
	a.root.Hide()
	return a
}

func (a *alert) show(v model.View) {
	text := strings.Join(wrong(v), "\n")
	if a.text.Text != text {
		a.text.SetText(text)
	}
	show(a.again, v.Phase == model.Down)
	show(a.dismiss, v.Notice != "")
	show(a.root, text != "")
}

// wrong lists what a person should know, worst first.
func wrong(v model.View) []string {
	var lines []string
	if v.Notice != "" {
		lines = append(lines, v.Notice)
	}
	if v.Phase == model.Down {
		return append(lines, "engines that are set to Pulley cannot pull meanwhile")
	}
	if v.Phase == model.Running {
		for _, p := range v.State.Problems {
			lines = append(lines, p.Text)
			if p.Fix != "" {
				lines = append(lines, "try: "+p.Fix)
			}
		}
	}
	return lines
}
