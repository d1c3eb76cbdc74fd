package page

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/part"
	"pulley/ui/theme"
)

// fact is something known of a thing: a word for it, and what it is.
type fact struct {
	label, value string
	tip          string // "" : the value itself
	mono         bool
	copied       string // what a copy button puts on the clipboard; "": there is none
	color        fyne.ThemeColorName
}

// facts are those that have a value, under each other, the values flush.
func facts(d Desk, list ...fact) fyne.CanvasObject {
	grid := column(1)
	for _, f := range list {
		if f.value == "" {
			continue
		}
		value := part.NewText(f.value).Giving()
		value.Style.Monospace = f.mono
		if f.color != "" {
			value.Color = f.color
		}
		if f.tip == "" {
			f.tip = f.value
		}
		var aside fyne.CanvasObject
		if f.copied != "" {
			aside = part.NewCopy(func() string { return f.copied }, d.Copy)
		}
		grid.Add(container.New(factLayout{}, part.NewMuted(f.label).Giving(),
			container.NewBorder(nil, nil, nil, aside, middle(part.NewTip(value, func() string { return f.tip })))))
	}
	return grid
}

// factLayout puts a label before a value.
type factLayout struct{}

const (
	factLabel = 92 // the width of labels
	factPitch = 26 // the same for all, whether they have a button or not
)

func (factLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	value := objects[1].MinSize()
	return fyne.NewSize(factLabel+value.Width, factPitch)
}

func (factLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	label := objects[0].MinSize().Height
	objects[0].Move(fyne.NewPos(0, (size.Height-label)/2))
	objects[0].Resize(fyne.NewSize(factLabel-8, label))
	objects[1].Move(fyne.NewPos(factLabel, 0))
	objects[1].Resize(fyne.NewSize(size.Width-factLabel, size.Height))
}

// section puts a small heading over something at the side.
func section(title string, content ...fyne.CanvasObject) fyne.CanvasObject {
	return column(6, append([]fyne.CanvasObject{part.NewMuted(title).Bold()}, content...)...)
}

// paragraph is text of several lines, flush with what is around it.
func paragraph(text string, importance widget.Importance) fyne.CanvasObject {
	label := widget.NewLabel(text)
	label.Wrapping, label.Importance = fyne.TextWrapWord, importance
	return container.New(layout.NewCustomPaddedLayout(-inset, -inset, -inset, -inset), label)
}

// command is one that can be copied.
func command(d Desk, text string) fyne.CanvasObject {
	line := part.NewText(text).Giving()
	line.Style.Monospace = true
	line.Scale = theme.SizeSmall
	sheet := part.NewSheet(container.NewBorder(nil, nil, nil, part.NewCopy(func() string { return text }, d.Copy), middle(part.NewTip(line, line.Words))))
	sheet.Color, sheet.Padding = fynetheme.ColorNameInputBackground, fyne.NewSize(10, 3)
	return sheet
}

// share is one source's part of something, and the colour it has there.
type share struct {
	name  string
	bytes int64
	color fyne.ThemeColorName
}

// hues gives each source a colour: bytes from disk and from the origin have theirs, mirrors those that are left, in order.
func hues(names []string) map[string]fyne.ThemeColorName {
	rest := []fyne.ThemeColorName{theme.Blue, theme.Violet, theme.Rose}
	found := map[string]fyne.ThemeColorName{}
	for _, name := range names {
		switch {
		case name == "cache":
			found[name] = theme.Cached
		case name == "origin":
			found[name] = theme.Fetched
		case name == "" || found[name] == "" && len(rest) == 0:
			found[name] = theme.Muted
		case found[name] == "":
			found[name], rest = rest[0], rest[1:]
		}
	}
	return found
}

// shareList names shares with their amounts, a line for each.
func shareList(shares []share, amount func(share) string) fyne.CanvasObject {
	list := column(4)
	for _, s := range shares {
		list.Add(between(row(8, middle(part.NewDot(s.color)), middle(part.NewText(source(s.name)))), part.NewMuted(amount(s))))
	}
	return list
}
