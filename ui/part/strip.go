package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// Strip is a whole drawn as a bar, with its pieces where they are in it.
type Strip struct {
	widget.BaseWidget
	height float32
	total  int64
	pieces []piece
	Label  string
	// Pointed hears what is said of the piece under the pointer; "" where there is none. nil: nobody listens.
	Pointed func(string)
}

// piece is a part of a strip, from a place to another one that is not in it, and what is said of it.
type piece struct {
	from, to int64
	color    fyne.ThemeColorName
	said     string
}

// NewStrip makes an empty one.
func NewStrip(height float32) *Strip {
	s := &Strip{height: height}
	s.ExtendBaseWidget(s)
	return s
}

// Add puts in a piece, which Set draws.
func (s *Strip) Add(from, to int64, color fyne.ThemeColorName, said string) {
	if to > from {
		s.pieces = append(s.pieces, piece{from, to, color, said})
	}
}

// Set draws what was put in, out of a whole of so many.
func (s *Strip) Set(total int64) {
	s.total = total
	s.Refresh()
}

// Clear takes all pieces out.
func (s *Strip) Clear() { s.pieces = nil }

// MouseIn says what is under the pointer.
func (s *Strip) MouseIn(e *desktop.MouseEvent) { s.MouseMoved(e) }

// MouseMoved does, too.
func (s *Strip) MouseMoved(e *desktop.MouseEvent) {
	if s.Pointed == nil || s.Size().Width <= 0 {
		return
	}
	at := int64(float64(e.Position.X) / float64(s.Size().Width) * float64(s.total))
	for _, p := range s.pieces {
		if p.from <= at && at < p.to {
			s.Pointed(p.said)
			return
		}
	}
	s.Pointed("")
}

// MouseOut says nothing.
func (s *Strip) MouseOut() {
	if s.Pointed != nil {
		s.Pointed("")
	}
}

// AccessibilityLabel is what it shows, in words.
func (s *Strip) AccessibilityLabel() string { return s.Label }

// AccessibilityRole is that of text: there is nothing to do with it.
func (s *Strip) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (s *Strip) CreateRenderer() fyne.WidgetRenderer {
	r := &stripRenderer{strip: s, track: &canvas.Rectangle{}}
	r.Refresh()
	return r
}

type stripRenderer struct {
	strip  *Strip
	track  *canvas.Rectangle
	pieces []*canvas.Rectangle
}

func (r *stripRenderer) Objects() []fyne.CanvasObject {
	objects := []fyne.CanvasObject{r.track}
	for _, p := range r.pieces {
		objects = append(objects, p)
	}
	return objects
}

func (r *stripRenderer) MinSize() fyne.Size { return fyne.NewSize(40, r.strip.height) }
func (r *stripRenderer) Destroy()           {}

func (r *stripRenderer) Layout(size fyne.Size) {
	s := r.strip
	top := (size.Height - s.height) / 2
	radius := min(s.height/2, 4)
	r.track.CornerRadius = radius
	r.track.Move(fyne.NewPos(0, top))
	r.track.Resize(fyne.NewSize(size.Width, s.height))
	if s.total <= 0 {
		return
	}
	const gap, least = 1, 2 // neighbours are parted, and what is there at all is seen
	x := func(at int64) float32 { return float32(float64(at) / float64(s.total) * float64(size.Width)) }
	for n, p := range s.pieces {
		left, right := x(p.from), min(x(p.to), size.Width)
		if n+1 < len(s.pieces) && s.pieces[n+1].from == p.to {
			right -= gap
		}
		width := max(right-left, least)
		rect := r.pieces[n]
		rect.Move(fyne.NewPos(min(left, size.Width-width), top))
		rect.Resize(fyne.NewSize(width, s.height))
		rect.TopLeftCornerRadius, rect.BottomLeftCornerRadius, rect.TopRightCornerRadius, rect.BottomRightCornerRadius = 0, 0, 0, 0
		if p.from == 0 {
			rect.TopLeftCornerRadius, rect.BottomLeftCornerRadius = radius, radius
		}
		if p.to >= s.total {
			rect.TopRightCornerRadius, rect.BottomRightCornerRadius = radius, radius
		}
	}
}

func (r *stripRenderer) Refresh() {
	s := r.strip
	r.track.FillColor = hue(s, theme.Track)
	for len(r.pieces) < len(s.pieces) {
		r.pieces = append(r.pieces, &canvas.Rectangle{})
	}
	r.pieces = r.pieces[:len(s.pieces)]
	for n, p := range s.pieces {
		r.pieces[n].FillColor = hue(s, p.color)
	}
	r.Layout(s.Size())
	canvas.Refresh(s)
}
