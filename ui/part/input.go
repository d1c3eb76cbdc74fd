package part

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fynetheme "fyne.io/fyne/v2/theme"
)

// Input is a line to type into that hands Enter and Escape on, tells when it is left, and can be marked as wrong.
type Input struct {
	Entry
	Entered func() // Enter; nil: nobody listens
	Escaped func() // Escape; nil: the window hears it
	Left    func() // the focus went elsewhere
	wrong   bool
	ring    *canvas.Rectangle
}

func NewInput(example string) *Input {
	e := &Input{}
	e.PlaceHolder = example
	e.Wrapping, e.Scroll = fyne.TextWrapOff, fyne.ScrollHorizontalOnly
	e.ExtendBaseWidget(e)
	return e
}

// TypedKey hands Enter and Escape on.
func (e *Input) TypedKey(key *fyne.KeyEvent) {
	switch {
	case key.Name == fyne.KeyEscape && e.Escaped != nil:
		e.Escaped()
	case (key.Name == fyne.KeyReturn || key.Name == fyne.KeyEnter) && e.Entered != nil:
		e.Entered()
	default:
		e.Entry.TypedKey(key)
	}
}

// FocusLost tells that it was left.
func (e *Input) FocusLost() {
	e.Entry.FocusLost()
	if e.Left != nil {
		e.Left()
	}
}

// Propose puts a text in that a person has not typed.
func (e *Input) Propose(text string) {
	changed := e.OnChanged
	e.OnChanged = nil
	e.SetText(text)
	e.OnChanged = changed
}

// Mark shows it as wrong, or as right again.
func (e *Input) Mark(wrong bool) {
	if e.wrong == wrong {
		return
	}
	e.wrong = wrong
	e.Refresh()
}

// CreateRenderer is called by Fyne.
func (e *Input) CreateRenderer() fyne.WidgetRenderer {
	e.ring = &canvas.Rectangle{StrokeWidth: 1, FillColor: color.Transparent, CornerRadius: fynetheme.SizeForWidget(fynetheme.SizeNameInputRadius, e)}
	return &wrongRing{WidgetRenderer: e.Entry.CreateRenderer(), entry: e}
}

// wrongRing draws the ring of a wrong entry over it.
type wrongRing struct {
	fyne.WidgetRenderer
	entry *Input
}

func (r *wrongRing) Objects() []fyne.CanvasObject {
	return append(append([]fyne.CanvasObject{}, r.WidgetRenderer.Objects()...), r.entry.ring)
}

func (r *wrongRing) Layout(size fyne.Size) {
	r.WidgetRenderer.Layout(size)
	r.entry.ring.Resize(size)
}

func (r *wrongRing) Refresh() {
	ring := r.entry.ring
	ring.StrokeColor = color.Transparent
	if r.entry.wrong {
		ring.StrokeColor = fynetheme.ColorForWidget(fynetheme.ColorNameError, r.entry)
	}
	ring.Refresh()
	r.WidgetRenderer.Refresh()
}
