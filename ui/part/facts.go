package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"pulley/ui/theme"
)

// Fact is something known of a thing: a word for it, and what it is.
type Fact struct {
	Label, Value string
	Tip          string // "" : the value itself
	Mono         bool
	Copied       string // what a copy button puts on the clipboard; "": there is none
	Color        fyne.ThemeColorName
}

// NewFacts are those that have a value, under each other, the values flush.
func NewFacts(copy func(string), list ...Fact) fyne.CanvasObject {
	grid := VBox(1)
	for _, f := range list {
		if f.Value == "" {
			continue
		}
		value := NewText(f.Value).Giving()
		value.Style.Monospace = f.Mono
		if f.Color != "" {
			value.Color = f.Color
		}
		if f.Tip == "" {
			f.Tip = f.Value
		}
		var aside fyne.CanvasObject
		if f.Copied != "" {
			what := f.Label
			if f.Copied != f.Value {
				what = ""
			}
			aside = NewCopy(what, func() string { return f.Copied }, copy)
		}
		grid.Add(container.New(factLayout{}, NewMuted(f.Label).Giving(),
			container.NewBorder(nil, nil, nil, aside, Middle(NewTip(value, func() string { return f.Tip })))))
	}
	return grid
}

// factLayout puts a label before a value.
type factLayout struct{}

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

const (
	factLabel = 92 // the width of labels
	factPitch = 26 // the same for all, whether they have a button or not
)

// NewSection puts a small heading over something at the side.
func NewSection(title string, content ...fyne.CanvasObject) fyne.CanvasObject {
	return VBox(6, append([]fyne.CanvasObject{NewMuted(title).Bold()}, content...)...)
}

// NewHeading is a small one over a section, with what can be done about it at the right.
func NewHeading(title string, aside fyne.CanvasObject) fyne.CanvasObject {
	text := NewText(title).Bold()
	text.Color = theme.Muted
	return Between(Middle(text), aside)
}
