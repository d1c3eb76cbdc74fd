package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// Segments shows a few options side by side, one of them chosen.
type Segments struct {
	widget.BaseWidget
	attention
	// Label is what is chosen among, for those who cannot see it.
	Label string

	options []string
	chosen  int
	changed func(int)
}

// NewSegments makes one. changed hears what a person chose.
func NewSegments(options []string, chosen int, changed func(int)) *Segments {
	s := &Segments{options: options, chosen: chosen, changed: changed}
	s.noticed = s.Refresh
	s.ExtendBaseWidget(s)
	return s
}

// Chosen is the option in force.
func (s *Segments) Chosen() int { return s.chosen }

// Set chooses without saying so.
func (s *Segments) Set(chosen int) {
	if chosen == s.chosen {
		return
	}
	s.chosen = chosen
	s.Refresh()
}

// Choose is what a person does.
func (s *Segments) Choose(option int) {
	if option == s.chosen || option < 0 || option >= len(s.options) {
		return
	}
	s.Set(option)
	if s.changed != nil {
		s.changed(option)
	}
}

// Tapped chooses what is under the pointer.
func (s *Segments) Tapped(e *fyne.PointEvent) {
	if len(s.options) > 0 {
		s.Choose(int(e.Position.X / (s.Size().Width / float32(len(s.options)))))
	}
}

// TypedKey steps through the options with the arrows.
func (s *Segments) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyLeft, fyne.KeyUp:
		s.Choose(s.chosen - 1)
	case fyne.KeyRight, fyne.KeyDown:
		s.Choose(s.chosen + 1)
	}
}

// MouseMoved notes which option is under the pointer.
func (s *Segments) MouseMoved(*desktop.MouseEvent) {}

// CreateRenderer is called by Fyne.
func (s *Segments) CreateRenderer() fyne.WidgetRenderer {
	ground, mark := &canvas.Rectangle{}, &canvas.Rectangle{}
	d := &drawing{objects: []fyne.CanvasObject{ground, mark}}
	var words []*Text
	for _, option := range s.options {
		word := NewText(option)
		words = append(words, word)
		d.objects = append(d.objects, word)
	}
	const height, side = 28, 12
	place := func(size fyne.Size) {
		ground.Resize(size)
		width := size.Width / float32(max(len(words), 1))
		for i, word := range words {
			least := word.MinSize()
			word.Resize(least)
			word.Move(fyne.NewPos(float32(i)*width+(width-least.Width)/2, (size.Height-least.Height)/2))
		}
		mark.Move(fyne.NewPos(float32(s.chosen)*width+2, 2))
		mark.Resize(fyne.NewSize(width-4, size.Height-4))
	}
	d.paint = func() {
		s.ground(s, ground)
		ground.FillColor, ground.CornerRadius = hue(s, theme.Track), 7
		mark.FillColor, mark.CornerRadius = hue(s, theme.Card), 5
		place(s.Size())
	}
	d.layout = place
	d.least = func() fyne.Size {
		var widest float32
		for _, word := range words {
			widest = max(widest, word.MinSize().Width)
		}
		return fyne.NewSize(float32(len(words))*(widest+2*side), height)
	}
	d.paint()
	return d
}
