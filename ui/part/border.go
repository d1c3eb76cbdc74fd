package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
)

// Border is container.NewBorder, with its objects in the order in which they are read: Fyne's puts the middle first, and Tab, which goes
// by that order, would reach what is in the middle before what is above it. Any object may be nil.
func Border(top, bottom, left, right, middle fyne.CanvasObject) *fyne.Container {
	c := container.New(layout.NewBorderLayout(top, bottom, left, right))
	for _, o := range []fyne.CanvasObject{top, left, middle, right, bottom} {
		if o != nil {
			c.Add(o)
		}
	}
	return c
}
