package part

import (
	"slices"

	"fyne.io/fyne/v2"
)

// Show shows or hides an object; one that stands right is left alone.
func Show(object fyne.CanvasObject, shown bool) {
	switch {
	case shown && !object.Visible():
		object.Show()
	case !shown && object.Visible():
		object.Hide()
	}
}

// Enable enables or disables a control; one that stands right is left alone.
func Enable(b fyne.Disableable, wanted bool) {
	switch {
	case wanted && b.Disabled():
		b.Enable()
	case !wanted && !b.Disabled():
		b.Disable()
	}
}

// Fill changes what a container holds, if that is something else.
func Fill(c *fyne.Container, objects ...fyne.CanvasObject) {
	if !slices.Equal(c.Objects, objects) {
		c.Objects = objects
		c.Refresh()
	}
}
