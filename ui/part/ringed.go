package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
)

// ringed is a drawing of Fyne's with a ring of ours on top.
type ringed struct {
	fyne.WidgetRenderer
	ring    *canvas.Rectangle
	paint   func() // gives the ring its colours
	objects []fyne.CanvasObject
}

func newRinged(below fyne.WidgetRenderer, paint func(ring *canvas.Rectangle)) *ringed {
	r := &ringed{WidgetRenderer: below, ring: &canvas.Rectangle{}}
	r.paint = func() { paint(r.ring) }
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
