// Package part holds the pieces that pages are put together from. Each shows
// what it is told and reports what a person did; none knows what it is about.
//
// Like everything in Fyne, parts are touched on the UI goroutine alone.
package part

import (
	"image/color"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"
)

// drawing is a renderer put together from functions.
type drawing struct {
	objects []fyne.CanvasObject
	layout  func(fyne.Size)
	least   func() fyne.Size
	size    fyne.Size
	paint   func() // colours and texts, from the theme and the widget's state
}

func (d *drawing) Objects() []fyne.CanvasObject { return d.objects }
func (d *drawing) Layout(size fyne.Size)        { d.size = size; d.layout(size) }
func (d *drawing) MinSize() fyne.Size           { return d.least() }
func (d *drawing) Destroy()                     {}

func (d *drawing) Refresh() {
	d.paint()
	if d.size.Width > 0 {
		d.layout(d.size) // what is in it may have another size now
	}
	for _, object := range d.objects {
		object.Refresh()
	}
}

// hue is a colour of the theme that w is under.
func hue(w fyne.Widget, name fyne.ThemeColorName) color.Color {
	return fynetheme.ColorForWidget(name, w)
}

// extent is a size of the theme that w is under.
func extent(w fyne.Widget, name fyne.ThemeSizeName) float32 {
	return fynetheme.SizeForWidget(name, w)
}

// faint is a colour with an alpha of its own, to lie behind things.
func faint(c color.Color, alpha uint8) color.Color {
	r, g, b, _ := c.RGBA()
	return color.NRGBA{R: uint8(r >> 8), G: uint8(g >> 8), B: uint8(b >> 8), A: alpha}
}
