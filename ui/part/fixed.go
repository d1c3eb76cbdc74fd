package part

import "fyne.io/fyne/v2"

// FixedWidth gives one object a width and its own height.
type FixedWidth float32

// MinSize is called by Fyne.
func (w FixedWidth) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(float32(w), objects[0].MinSize().Height)
}

// Layout is called by Fyne.
func (w FixedWidth) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	least := objects[0].MinSize()
	objects[0].Resize(fyne.NewSize(float32(w), least.Height))
	objects[0].Move(fyne.NewPos(0, (size.Height-least.Height)/2))
}

// FixedHeight gives one object a height, and all the width there is.
type FixedHeight float32

// MinSize is called by Fyne.
func (h FixedHeight) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(objects[0].MinSize().Width, float32(h))
}

// Layout is called by Fyne.
func (h FixedHeight) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	objects[0].Resize(fyne.NewSize(size.Width, float32(h)))
	objects[0].Move(fyne.NewPos(0, 0))
}
