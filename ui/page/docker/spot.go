package docker

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/part"
)

// spot is a colour that can be chosen.
type spot struct {
	widget.BaseWidget
	name, label string
	tapped      func()
	on          bool
	focused     bool
	hovered     bool
}

// AccessibilityLabel is the colour's name.
func (s *spot) AccessibilityLabel() string { return s.label }

// AccessibilityRole is that of a button.
func (s *spot) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// Tapped chooses it.
func (s *spot) Tapped(*fyne.PointEvent) { s.tapped() }

// TypedKey chooses it on space and return.
func (s *spot) TypedKey(e *fyne.KeyEvent) {
	if e.Name == fyne.KeySpace || e.Name == fyne.KeyReturn || e.Name == fyne.KeyEnter {
		s.tapped()
	}
}

// TypedRune is for fyne.Focusable.
func (s *spot) TypedRune(rune) {}

// FocusGained shows it.
func (s *spot) FocusGained() {
	s.focused = true
	s.Refresh()
	part.Follow(s.hovered)
}

// FocusLost shows it no more.
func (s *spot) FocusLost() { s.focused = false; s.Refresh() }

// MouseIn shows it.
func (s *spot) MouseIn(*desktop.MouseEvent) { s.hovered = true; s.Refresh() }

// MouseMoved is for desktop.Hoverable.
func (s *spot) MouseMoved(*desktop.MouseEvent) {}

// MouseOut shows it no more.
func (s *spot) MouseOut() { s.hovered = false; s.Refresh() }

// Cursor is a hand.
func (s *spot) Cursor() desktop.Cursor { return desktop.PointerCursor }

// CreateRenderer is called by Fyne.
func (s *spot) CreateRenderer() fyne.WidgetRenderer {
	r := &spotRenderer{spot: s, ring: &canvas.Circle{}, disc: &canvas.Circle{}}
	r.paint()
	return r
}

type spotRenderer struct {
	spot       *spot
	ring, disc *canvas.Circle
}

const spotSide, spotDisc = 22, 12

func (r *spotRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.ring, r.disc} }
func (r *spotRenderer) MinSize() fyne.Size           { return fyne.NewSquareSize(spotSide) }
func (r *spotRenderer) Destroy()                     {}

func (r *spotRenderer) Layout(size fyne.Size) {
	at := func(c *canvas.Circle, side float32) {
		c.Move(fyne.NewPos((size.Width-side)/2, (size.Height-side)/2))
		c.Resize(fyne.NewSquareSize(side))
	}
	at(r.ring, spotSide-2)
	at(r.disc, spotDisc)
}

func (r *spotRenderer) Refresh() {
	r.paint()
	r.ring.Refresh()
	r.disc.Refresh()
}

func (r *spotRenderer) paint() {
	colour := fynetheme.ColorForWidget(markColours[r.spot.name], r.spot)
	r.disc.FillColor = colour
	r.ring.FillColor, r.ring.StrokeColor, r.ring.StrokeWidth = nil, nil, 0
	switch {
	case r.spot.focused:
		r.ring.FillColor = fynetheme.ColorForWidget(fynetheme.ColorNameFocus, r.spot)
	case r.spot.hovered:
		r.ring.FillColor = fynetheme.ColorForWidget(fynetheme.ColorNameHover, r.spot)
	}
	if r.spot.on {
		r.ring.StrokeColor, r.ring.StrokeWidth = colour, 2
	}
}
