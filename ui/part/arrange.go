package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
)

// VBox stacks objects with the same gap between all of them. Hidden ones leave no gap.
func VBox(gap float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedVBoxLayout(gap), objects...)
}

// HBox puts objects beside each other; a layout.Spacer takes what is left.
func HBox(gap float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedHBoxLayout(gap), objects...)
}

// Middle centres an object vertically and lets it keep its own height.
func Middle(object fyne.CanvasObject) fyne.CanvasObject {
	return container.NewVBox(layout.NewSpacer(), object, layout.NewSpacer())
}

// Flush lets an object that has room of its own around it end where others do.
func Flush(room float32, object fyne.CanvasObject) fyne.CanvasObject {
	return container.New(layout.NewCustomPaddedLayout(0, 0, 0, -room), object)
}

// Between puts one object at the left and one at the right; the left one gives.
func Between(left, right fyne.CanvasObject) *fyne.Container {
	return container.NewBorder(nil, nil, nil, right, left)
}
