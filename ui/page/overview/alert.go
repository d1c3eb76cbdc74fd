package overview

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// alert is a sheet that is there only when something is wrong: what, and what
// to do about it.
type alert struct {
	rows []*trouble
	list *fyne.Container
	rest *part.Text
	root fyne.CanvasObject
}

// troubles is how many have a row; the rest are counted.
const troubles = 3

// trouble is the row of one: a paragraph, a command that can be copied, and the way to the page where it is seen to.
type trouble struct {
	visit func(page page.Name, thing string)
	text  *widget.Label
	fix   *part.Text
	line  *fyne.Container // of fix
	open  *part.Button
	root  fyne.CanvasObject
}

func newAlert(d page.Desk) *alert {
	a := &alert{list: part.VBox(0), rest: part.NewMuted("")}
	for i := range troubles {
		t := newTrouble(d, i > 0)
		a.rows = append(a.rows, t)
		a.list.Add(t.root)
	}
	a.list.Add(container.New(layout.NewCustomPaddedLayout(2, part.Inset, 27, part.Inset), a.rest))
	sheet := part.NewSheet(a.list)
	sheet.Color, sheet.Border, sheet.Padding = theme.Alert, theme.Alert, fyne.NewSize(14, 4)
	a.root = sheet
	a.root.Hide()
	return a
}

func newTrouble(d page.Desk, ruled bool) *trouble {
	t := &trouble{visit: d.Visit, text: widget.NewLabel(""), fix: part.NewText("").Giving()}
	t.text.Wrapping = fyne.TextWrapWord
	t.fix.Style.Monospace = true
	t.line = rowOf(&follow{text: t.fix, gap: 4}, t.fix, part.NewCopy("", t.fix.Words, d.Copy))
	fix := container.New(layout.NewCustomPaddedLayout(-part.Inset+2, part.Inset-1, part.Inset, 0), t.line)
	t.open = part.NewButton("", nil)
	sign := canvas.NewImageFromResource(fynetheme.NewColoredResource(fynetheme.WarningIcon(), fynetheme.ColorNameWarning))
	sign.FillMode = canvas.ImageFillContain
	sign.SetMinSize(fyne.NewSquareSize(18))
	first := container.New(layout.NewCustomPaddedLayout(part.Inset, 0, 0, 0), container.NewVBox(sign)) // level with the first line
	button := container.New(layout.NewCustomPaddedLayout(4, 4, 8, 0), container.NewVBox(t.open))
	content := part.Border(nil, nil, first, button, part.VBox(0, t.text, fix))
	t.root = content
	if ruled {
		t.root = part.VBox(0, part.NewRule(), content)
	}
	return t
}

func (t *trouble) show(p control.Problem) {
	text, fix := said(p)
	if t.text.Text != text {
		t.text.SetText(text)
	}
	t.fix.Set(fix)
	part.Show(t.line, fix != "")
	place := page.PlaceOf(p)
	part.Show(t.open, place != page.OverviewPage)
	if place != page.OverviewPage {
		t.open.OnTapped = func() { t.visit(place, page.ThingOf(p)) }
		if label := lang.Say("overview.problem.open", "Page", lang.Say("shell.page."+string(place))); t.open.Text != label {
			t.open.SetText(label)
		}
	}
}

func (a *alert) show(v model.View) {
	var wrong []control.Problem
	if v.Phase == model.Running {
		wrong = v.State.Problems
	}
	for i, t := range a.rows {
		if i < len(wrong) {
			t.show(wrong[i])
		}
		part.Show(t.root, i < len(wrong))
	}
	if more := len(wrong) - troubles; more > 0 {
		a.rest.Set(lang.Say("overview.problem.more", "Count", more))
	}
	part.Show(a.list.Objects[troubles], len(wrong) > troubles)
	part.Show(a.root, len(wrong) > 0)
}

// said parts a problem into what is read and what is copied: a command is copied, anything else is advice.
func said(p control.Problem) (text, command string) {
	text = words.Problem(p)
	advice, command := words.Fix(p)
	if advice != "" {
		text += "\n" + lang.Say("overview.problem.try", "Fix", advice)
	}
	return text, command
}
