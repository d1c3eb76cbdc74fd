package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
)

// roomy is the width from which the sidebar has its names beside its icons.
const roomy = 1000

// shell lays the window out: the sidebar at the left, the footer below, and the rest for the page. It is a fyne.Layout of
// sidebar, page and footer, in the order of the Tab key, and takes no notice of how large a page would like to be: pages scroll.
type shell struct {
	nav     *nav
	footer  fyne.CanvasObject
	resized func(fyne.Size)
}

// MinSize implements fyne.Layout.
func (s *shell) MinSize([]fyne.CanvasObject) fyne.Size { return least }

// Layout implements fyne.Layout.
func (s *shell) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	s.nav.narrow(size.Width < roomy)
	side, foot := s.nav.width(), s.footer.MinSize().Height
	area := fyne.NewSize(size.Width-side, size.Height-foot)
	objects[0].Resize(fyne.NewSize(side, size.Height-foot))
	objects[0].Move(fyne.NewPos(0, 0))
	objects[2].Resize(fyne.NewSize(size.Width, foot))
	objects[2].Move(fyne.NewPos(0, area.Height))
	objects[1].Resize(area)
	objects[1].Move(fyne.NewPos(side, 0))
	s.resized(size)
}

// inset puts room around an object: above and below, at the left and the right.
func inset(tall, wide float32, object fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedLayout(tall, tall, wide, wide), object)
}

// row puts objects beside each other.
func row(gap float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedHBoxLayout(gap), objects...)
}

// column stacks them.
func column(gap float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedVBoxLayout(gap), objects...)
}

// middle centres an object vertically and lets it keep its own height.
func middle(object fyne.CanvasObject) fyne.CanvasObject {
	return container.NewVBox(layout.NewSpacer(), object, layout.NewSpacer())
}
