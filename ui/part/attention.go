package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
)

// attention is embedded by parts that a person can act on: whether the pointer
// is over it, and whether it has the keyboard.
type attention struct {
	hovered, focused bool
	noticed          func() // called when either changed: the part's Refresh
}

// Fyne finds these abilities by looking for the methods, and would go without a
// word if another embedded type hid one.
var _ = []interface {
	fyne.Focusable
	desktop.Hoverable
	desktop.Cursorable
}{&Check{}, &Choice{}, &Copy{}, &IconButton{}, &Link{}, &Plate{}, &Press{}, &Segments{}, &Switch{}}

// FocusGained draws the ring.
func (a *attention) FocusGained() {
	a.focused = true
	a.noticed()
	Follow(a.hovered)
}

// FocusLost takes it away.
func (a *attention) FocusLost() { a.focused = false; a.noticed() }

// TypedRune ignores text.
func (a *attention) TypedRune(rune) {}

// MouseIn lightens it.
func (a *attention) MouseIn(*desktop.MouseEvent) { a.hovered = true; a.noticed() }

// MouseMoved is of no interest.
func (a *attention) MouseMoved(*desktop.MouseEvent) {}

// MouseOut takes the lightening away.
func (a *attention) MouseOut() { a.hovered = false; a.noticed() }

// Cursor is a hand.
func (a *attention) Cursor() desktop.Cursor { return desktop.PointerCursor }

// ground shows both behind a small part w.
func (a *attention) ground(w fyne.Widget, g *canvas.Rectangle) {
	g.CornerRadius = 5
	g.FillColor, g.StrokeColor, g.StrokeWidth = nil, nil, 0
	if a.hovered {
		g.FillColor = hue(w, fynetheme.ColorNameHover)
	}
	a.ring(w, g)
}

// ringWidth is that of the ring around what the keyboard is on.
const ringWidth = 1.5

// ring draws the ring of the keyboard around g.
func (a *attention) ring(w fyne.Widget, g *canvas.Rectangle) {
	if a.focused {
		g.StrokeColor, g.StrokeWidth = hue(w, fynetheme.ColorNamePrimary), ringWidth
	}
}

// presses reports whether a key does what a tap does.
func presses(e *fyne.KeyEvent) bool {
	return e.Name == fyne.KeySpace || e.Name == fyne.KeyReturn || e.Name == fyne.KeyEnter
}
