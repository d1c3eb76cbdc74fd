package part

import "fyne.io/fyne/v2"

// FixedWidth gives one object a width and its own height.
type FixedWidth float32

// MinSize, and Layout, are called by Fyne.
func (w FixedWidth) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(float32(w), objects[0].MinSize().Height)
}

func (w FixedWidth) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	least := objects[0].MinSize()
	objects[0].Resize(fyne.NewSize(float32(w), least.Height))
	objects[0].Move(fyne.NewPos(0, (size.Height-least.Height)/2))
}
