// Package page holds what the window shows, one file a page. A page is told
// what is known and says what a person asked for; it asks nobody itself.
package page

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"pulley/ui/part"
	"pulley/ui/theme"
)

// column stacks objects with the same gap between all of them. Hidden ones
// leave no gap.
func column(gap float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedVBoxLayout(gap), objects...)
}

// row puts objects beside each other; a layout.Spacer takes what is left.
func row(gap float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedHBoxLayout(gap), objects...)
}

// middle centres an object vertically and lets it keep its own height.
func middle(object fyne.CanvasObject) fyne.CanvasObject {
	return container.NewVBox(layout.NewSpacer(), object, layout.NewSpacer())
}

// flush lets an object that has room of its own around it end where others do.
func flush(room float32, object fyne.CanvasObject) fyne.CanvasObject {
	return container.New(layout.NewCustomPaddedLayout(0, 0, 0, -room), object)
}

// between puts one object at the left and one at the right; the left one gives.
func between(left, right fyne.CanvasObject) *fyne.Container {
	return container.NewBorder(nil, nil, nil, right, left)
}

// titled puts a small heading over a card.
func titled(title *part.Text, aside fyne.CanvasObject, content fyne.CanvasObject) fyne.CanvasObject {
	title.Color, title.Scale = theme.Muted, theme.SizeSmall
	head := between(title, aside)
	if aside == nil {
		head = container.NewStack(title)
	}
	return column(5, container.New(layout.NewCustomPaddedLayout(0, 0, 3, 3), head), part.NewSheet(content))
}
