package page

import (
	"fmt"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/internal/control"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// alert is a sheet that is there only when something is wrong: what, and what
// to do about it.
type alert struct {
	rows    []*trouble
	list    *fyne.Container
	rest    *part.Text
	again   *widget.Button
	dismiss *part.Press
	last    model.View
	read    string // a notice that was dismissed
	root    fyne.CanvasObject
}

// troubles is how many have a row; the rest are counted.
const troubles = 4

// trouble is the row of one: a paragraph, and a command that can be copied.
type trouble struct {
	text *widget.Label
	fix  *part.Text
	line fyne.CanvasObject // of fix
	root fyne.CanvasObject
}

// inset is the room that a label keeps around itself.
const inset = 7

func newAlert(do func(model.Action), copied func(string)) *alert {
	a := &alert{list: column(0), rest: part.NewMuted("")}
	for range troubles {
		t := newTrouble(copied)
		a.rows = append(a.rows, t)
		a.list.Add(t.root)
	}
	rest := container.New(layout.NewCustomPaddedLayout(0, inset, inset, inset), a.rest)
	a.list.Add(rest)
	a.again = widget.NewButton("Start Pulley", func() { do(model.Action{Verb: model.Retry}) })
	a.dismiss = part.NewPress(fynetheme.CancelIcon(), func() {
		a.read = a.last.Notice
		a.show(a.last)
	})
	sign := canvas.NewImageFromResource(fynetheme.NewColoredResource(fynetheme.WarningIcon(), fynetheme.ColorNameWarning))
	sign.FillMode = canvas.ImageFillContain
	sign.SetMinSize(fyne.NewSquareSize(18))
	first := container.New(layout.NewCustomPaddedLayout(inset-1, 0, 0, 0), container.NewVBox(sign)) // level with the first line
	buttons := container.New(layout.NewCustomPaddedLayout(inset-4, 0, 0, 0), container.NewVBox(row(2, a.again, a.dismiss)))
	sheet := part.NewSheet(container.NewBorder(nil, nil, first, buttons, a.list))
	sheet.Color, sheet.Border, sheet.Padding = theme.Alert, theme.Alert, fyne.NewSize(12, 4)
	a.root = sheet
	a.root.Hide()
	return a
}

func newTrouble(copied func(string)) *trouble {
	t := &trouble{text: widget.NewLabel(""), fix: part.NewText("").Giving()}
	t.text.Wrapping = fyne.TextWrapWord
	t.fix.Style.Monospace = true
	t.line = container.New(layout.NewCustomPaddedLayout(-inset+1, inset-1, inset, 0),
		between(middle(t.fix), copyButton(func() { copied(t.fix.Words()) })))
	t.root = column(0, t.text, t.line)
	return t
}

func (t *trouble) show(text, fix string) {
	if t.text.Text != text {
		t.text.SetText(text)
	}
	t.fix.Set(fix)
	show(t.line, fix != "")
}

func (a *alert) show(v model.View) {
	if a.last = v; v.Notice == "" || v.Notice != a.read {
		a.read = ""
	} else {
		v.Notice = ""
	}
	wrong := wrong(v)
	for i, t := range a.rows {
		if i < len(wrong) {
			t.show(said(wrong[i]))
		}
		show(t.root, i < len(wrong))
	}
	a.rest.Set(fmt.Sprintf("and %d more; see: pulley status", len(wrong)-troubles))
	show(a.list.Objects[troubles], len(wrong) > troubles)
	show(a.again, v.Phase == model.Down)
	show(a.dismiss, v.Notice != "")
	show(a.root, len(wrong) > 0)
}

// said parts a problem into what is read and what is copied.
func said(p control.Problem) (text, command string) {
	switch {
	case p.Fix == "":
		return p.Text, ""
	case strings.HasPrefix(p.Fix, "pulley ") && !strings.ContainsAny(p.Fix, ",…"):
		return p.Text, p.Fix
	default:
		return p.Text + "\ntry: " + p.Fix, ""
	}
}

// wrong lists what a person should know, worst first.
func wrong(v model.View) (list []control.Problem) {
	if v.Notice != "" {
		list = append(list, control.Problem{Text: v.Notice})
	}
	switch v.Phase {
	case model.Down:
		list = append(list, control.Problem{Text: "engines that are set to Pulley cannot pull meanwhile"})
	case model.Running:
		list = append(list, v.State.Problems...)
	}
	return list
}
