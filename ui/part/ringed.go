package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
)

// ringed is a drawing of Fyne's with a ring of ours on top.
type ringed struct {
	fyne.WidgetRenderer
	ring    *canvas.Rectangle
	paint   func()
	objects []fyne.CanvasObject
}

// newRinged puts a ring on the drawing of w. look is asked what colour it has, "" for none, whenever w is refreshed.
func newRinged(w fyne.Widget, below fyne.WidgetRenderer, radius fyne.ThemeSizeName, look func() fyne.ThemeColorName) *ringed {
	ring := &canvas.Rectangle{StrokeWidth: ringWidth}
	r := &ringed{WidgetRenderer: below, ring: ring}
	r.paint = func() {
		name := look()
		if ring.Hidden = name == ""; !ring.Hidden {
			ring.StrokeColor, ring.CornerRadius = hue(w, name), extent(w, radius)
		}
	}
	r.paint()
	return r
}

func (r *ringed) Objects() []fyne.CanvasObject {
	r.objects = append(append(r.objects[:0], r.WidgetRenderer.Objects()...), r.ring)
	return r.objects
}

func (r *ringed) Layout(size fyne.Size) {
	r.ring.Resize(size)
	r.WidgetRenderer.Layout(size)
}

func (r *ringed) Refresh() {
	r.paint()
	r.ring.Refresh()
	r.WidgetRenderer.Refresh()
}
