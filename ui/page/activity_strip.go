package page

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// strip is a whole drawn as a bar, with its pieces where they are in it.
type strip struct {
	widget.BaseWidget
	height float32
	total  int64
	pieces []piece
	label  string
	// pointed hears what is said of the piece under the pointer; "" where there is none. nil: nobody listens.
	pointed func(string)
}

// piece is a part of a strip, from a place to another one that is not in it, and what is said of it.
type piece struct {
	from, to int64
	color    fyne.ThemeColorName
	said     string
}

func newStrip(height float32) *strip {
	s := &strip{height: height}
	s.ExtendBaseWidget(s)
	return s
}

// add puts in a piece; set draws what was put in, out of a whole of so many.
func (s *strip) add(from, to int64, color fyne.ThemeColorName, said string) {
	if to > from {
		s.pieces = append(s.pieces, piece{from, to, color, said})
	}
}

func (s *strip) set(total int64) {
	s.total = total
	s.Refresh()
}

// clear takes all pieces out.
func (s *strip) clear() { s.pieces = nil }

// MouseIn says what is under the pointer.
func (s *strip) MouseIn(e *desktop.MouseEvent) { s.MouseMoved(e) }

// MouseMoved does, too.
func (s *strip) MouseMoved(e *desktop.MouseEvent) {
	if s.pointed == nil || s.Size().Width <= 0 {
		return
	}
	at := int64(float64(e.Position.X) / float64(s.Size().Width) * float64(s.total))
	for _, p := range s.pieces {
		if p.from <= at && at < p.to {
			s.pointed(p.said)
			return
		}
	}
	s.pointed("")
}

// MouseOut says nothing.
func (s *strip) MouseOut() {
	if s.pointed != nil {
		s.pointed("")
	}
}

// AccessibilityLabel is what it shows, in words.
func (s *strip) AccessibilityLabel() string { return s.label }

// AccessibilityRole is that of text: there is nothing to do with it.
func (s *strip) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (s *strip) CreateRenderer() fyne.WidgetRenderer {
	r := &stripRenderer{strip: s, track: &canvas.Rectangle{}}
	r.Refresh()
	return r
}

type stripRenderer struct {
	strip  *strip
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
	r.track.FillColor = fynetheme.ColorForWidget(theme.Track, s)
	for len(r.pieces) < len(s.pieces) {
		r.pieces = append(r.pieces, &canvas.Rectangle{})
	}
	r.pieces = r.pieces[:len(s.pieces)]
	for n, p := range s.pieces {
		r.pieces[n].FillColor = fynetheme.ColorForWidget(p.color, s)
	}
	r.Layout(s.Size())
	canvas.Refresh(s)
}
