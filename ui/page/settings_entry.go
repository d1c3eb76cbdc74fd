package page

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/part"
)

// settingEntry is a line to type into that hands Enter and Escape on, tells when it is left, and can be marked as wrong.
type settingEntry struct {
	part.Entry
	entered func() // Enter; nil: nobody listens
	escaped func() // Escape; nil: the window hears it
	left    func() // the focus went elsewhere
	wrong   bool
	ring    *canvas.Rectangle
}

func newSettingEntry(example string) *settingEntry {
	e := &settingEntry{}
	e.PlaceHolder = example
	e.Wrapping, e.Scroll = fyne.TextWrapOff, fyne.ScrollHorizontalOnly
	e.ExtendBaseWidget(e)
	return e
}

// TypedKey hands Enter and Escape on.
func (e *settingEntry) TypedKey(key *fyne.KeyEvent) {
	switch {
	case key.Name == fyne.KeyEscape && e.escaped != nil:
		e.escaped()
	case (key.Name == fyne.KeyReturn || key.Name == fyne.KeyEnter) && e.entered != nil:
		e.entered()
	default:
		e.Entry.TypedKey(key)
	}
}

// FocusLost tells that it was left.
func (e *settingEntry) FocusLost() {
	e.Entry.FocusLost()
	if e.left != nil {
		e.left()
	}
}

// proposed puts a text in that a person has not typed.
func (e *settingEntry) proposed(text string) {
	changed := e.OnChanged
	e.OnChanged = nil
	e.SetText(text)
	e.OnChanged = changed
}

// mark shows it as wrong, or as right again.
func (e *settingEntry) mark(wrong bool) {
	if e.wrong == wrong {
		return
	}
	e.wrong = wrong
	e.Refresh()
}

// CreateRenderer is called by Fyne.
func (e *settingEntry) CreateRenderer() fyne.WidgetRenderer {
	e.ring = &canvas.Rectangle{StrokeWidth: 1, FillColor: color.Transparent, CornerRadius: fynetheme.SizeForWidget(fynetheme.SizeNameInputRadius, e)}
	return &ringed{WidgetRenderer: e.Entry.CreateRenderer(), entry: e}
}

// ringed draws the ring of a wrong entry over it.
type ringed struct {
	fyne.WidgetRenderer
	entry *settingEntry
}

func (r *ringed) Objects() []fyne.CanvasObject {
	return append(append([]fyne.CanvasObject{}, r.WidgetRenderer.Objects()...), r.entry.ring)
}

func (r *ringed) Layout(size fyne.Size) {
	r.WidgetRenderer.Layout(size)
	r.entry.ring.Resize(size)
}

func (r *ringed) Refresh() {
	ring := r.entry.ring
	ring.StrokeColor = color.Transparent
	if r.entry.wrong {
		ring.StrokeColor = fynetheme.ColorForWidget(fynetheme.ColorNameError, r.entry)
	}
	ring.Refresh()
	r.WidgetRenderer.Refresh()
}
