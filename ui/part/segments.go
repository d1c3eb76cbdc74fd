package part

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
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
	under   int // the option under the pointer; -1: none
	changed func(int)
}

// NewSegments makes one. changed hears what a person chose.
func NewSegments(options []string, chosen int, changed func(int)) *Segments {
	s := &Segments{options: options, chosen: chosen, under: -1, changed: changed}
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

// at is the option at x.
func (s *Segments) at(x float32) int {
	return max(min(int(x/(s.Size().Width/float32(max(len(s.options), 1)))), len(s.options)-1), 0)
}

// Tapped chooses what is under the pointer.
func (s *Segments) Tapped(e *fyne.PointEvent) { s.Choose(s.at(e.Position.X)) }

// TypedKey steps through the options with the arrows. Space goes to the next one, and around.
func (s *Segments) TypedKey(e *fyne.KeyEvent) {
	switch {
	case e.Name == fyne.KeyLeft || e.Name == fyne.KeyUp:
		s.Choose(s.chosen - 1)
	case e.Name == fyne.KeyRight || e.Name == fyne.KeyDown:
		s.Choose(s.chosen + 1)
	case e.Name == fyne.KeyHome:
		s.Choose(0)
	case e.Name == fyne.KeyEnd:
		s.Choose(len(s.options) - 1)
	case presses(e) && len(s.options) > 0:
		s.Choose((s.chosen + 1) % len(s.options))
	default:
		PassKey(s, e)
	}
}

// MouseMoved notes which option is under the pointer.
func (s *Segments) MouseMoved(e *desktop.MouseEvent) {
	if under := s.at(e.Position.X); under != s.under {
		s.under = under
		s.Refresh()
	}
}

// MouseIn does the same.
func (s *Segments) MouseIn(e *desktop.MouseEvent) {
	s.attention.MouseIn(e)
	s.MouseMoved(e)
}

// MouseOut forgets it.
func (s *Segments) MouseOut() {
	s.under = -1
	s.attention.MouseOut()
}

// AccessibilityLabel is what is chosen.
func (s *Segments) AccessibilityLabel() string {
	if s.chosen < 0 || s.chosen >= len(s.options) {
		return s.Label
	}
	return labelled(s.Label, s.options[s.chosen])
}

// AccessibilityRole is a button.
func (s *Segments) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// CreateRenderer is called by Fyne.
func (s *Segments) CreateRenderer() fyne.WidgetRenderer {
	ground, mark, veil := &canvas.Rectangle{}, &canvas.Rectangle{}, &canvas.Rectangle{}
	d := &drawing{objects: []fyne.CanvasObject{ground, veil, mark}}
	var words []*Text
	for _, option := range s.options {
		word := NewText(option)
		words = append(words, word)
		d.objects = append(d.objects, word)
	}
	const height, side, rim = 28, 12, 2
	place := func(size fyne.Size) {
		ground.Resize(size)
		width := size.Width / float32(max(len(words), 1))
		for i, word := range words {
			least := word.MinSize()
			word.Resize(least)
			word.Move(fyne.NewPos(float32(i)*width+(width-least.Width)/2, (size.Height-least.Height)/2))
		}
		on := func(option int, r *canvas.Rectangle) {
			r.Move(fyne.NewPos(float32(option)*width+rim, rim))
			r.Resize(fyne.NewSize(width-2*rim, size.Height-2*rim))
		}
		on(s.chosen, mark)
		on(s.under, veil)
	}
	d.paint = func() {
		dark, light := apart(hue(s, theme.Track), hue(s, theme.Card))
		ground.StrokeColor, ground.StrokeWidth = hue(s, theme.CardBorder), 1
		s.ring(s, ground)
		ground.FillColor, ground.CornerRadius = dark, 7
		mark.FillColor, mark.CornerRadius = light, 5
		veil.FillColor, veil.CornerRadius = hue(s, fynetheme.ColorNameHover), 5
		veil.Hidden = s.under < 0 || s.under == s.chosen
		mark.Hidden = s.chosen < 0
		for i, word := range words {
			name := theme.Muted
			if i == s.chosen {
				name = fynetheme.ColorNameForeground
			}
			word.Tint(name)
		}
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

// apart puts the darker of two colours first: what is chosen stands out of the ground, in light and in dark.
func apart(a, b color.Color) (dark, light color.Color) {
	ra, ga, ba, _ := a.RGBA()
	rb, gb, bb, _ := b.RGBA()
	if ra+ga+ba <= rb+gb+bb {
		return a, b
	}
	return b, a
}

// labelled puts a name before a value; either may be "".
func labelled(name, value string) string {
	if name == "" {
		return value
	}
	if value == "" {
		return name
	}
	return lang.Say("parts.labelled", "Name", name, "Value", value)
}
