package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"
)

// OpenMenu opens a menu under object, flush with its right edge. It does nothing where object is not in a window or the menu is empty.
func OpenMenu(menu *fyne.Menu, object fyne.CanvasObject) {
	canvas := canvasFor(object)
	if canvas == nil || menu == nil || len(menu.Items) == 0 {
		return
	}
	opened := widget.NewPopUpMenu(menu, canvas)
	at := fyne.CurrentApp().Driver().AbsolutePositionForObject(object)
	opened.ShowAtPosition(at.AddXY(object.Size().Width-opened.MinSize().Width, object.Size().Height+2))
}

// OpenMenuAt opens a menu at a place in the window that object is in.
func OpenMenuAt(menu *fyne.Menu, object fyne.CanvasObject, at fyne.Position) {
	canvas := canvasFor(object)
	if canvas == nil || menu == nil || len(menu.Items) == 0 {
		return
	}
	widget.NewPopUpMenu(menu, canvas).ShowAtPosition(at)
}

func canvasFor(object fyne.CanvasObject) fyne.Canvas {
	return fyne.CurrentApp().Driver().CanvasForObject(object)
}
