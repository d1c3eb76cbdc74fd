package part

import (
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// Slider is Fyne's, but for the keyboard: the ring of all parts is around it, it comes into view, Home, End, Page up and Page down move
// it too, and the keys that it has no use for are the window's. It says what it is about.
type Slider struct {
	widget.Slider
	heed

	Label string        // for those who cannot see it
	Says  func() string // the value in words
}

// NewSlider makes one for whole steps up to most.
func NewSlider(label string, most float64, says func() string) *Slider {
	s := &Slider{Slider: widget.Slider{Max: most, Step: 1}, Label: label, Says: says}
	s.ExtendBaseWidget(s)
	return s
}

// Shown is the slider as it is put on a page: its track is told from what it lies on.
func (s *Slider) Shown() fyne.CanvasObject {
	return container.NewThemeOverride(s, sliderTheme{fyne.CurrentApp().Settings().Theme()})
}

// FocusGained draws the ring.
func (s *Slider) FocusGained() { s.gain(&s.Slider) }

// FocusLost takes it away.
func (s *Slider) FocusLost() { s.lose(&s.Slider) }

// MouseIn notes that the pointer is on it.
func (s *Slider) MouseIn(e *desktop.MouseEvent) { s.enter(&s.Slider, e) }

// MouseOut notes that it left.
func (s *Slider) MouseOut() { s.leave(&s.Slider) }

// TypedKey moves it. A page is a tenth of the way.
func (s *Slider) TypedKey(e *fyne.KeyEvent) {
	page := max(math.Round((s.Max-s.Min)/10/s.Step), 1) * s.Step
	to, moves := map[fyne.KeyName]float64{
		fyne.KeyHome: s.Min, fyne.KeyEnd: s.Max, fyne.KeyPageUp: s.Value + page, fyne.KeyPageDown: s.Value - page,
		fyne.KeyLeft: s.Value - s.Step, fyne.KeyRight: s.Value + s.Step,
	}[e.Name]
	switch {
	case !moves:
		PassKey(s, e)
	case !s.Disabled():
		s.SetValue(to)
	}
}

// CreateRenderer is called by Fyne.
func (s *Slider) CreateRenderer() fyne.WidgetRenderer {
	return newRinged(s, s.Slider.CreateRenderer(), fynetheme.SizeNameInputRadius, s.ring)
}

// AccessibilityLabel is what is set here, and to what.
func (s *Slider) AccessibilityLabel() string { return labelled(s.Label, s.Says()) }

// AccessibilityRole is text: Fyne knows no sliders.
func (s *Slider) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// sliderTheme is a theme in which a track is told from a card, and a knob has the colour of what is on.
type sliderTheme struct{ fyne.Theme }

// Color implements fyne.Theme.
func (t sliderTheme) Color(name fyne.ThemeColorName, variant fyne.ThemeVariant) color.Color {
	switch name {
	case fynetheme.ColorNameInputBackground:
		name = theme.Track
	case fynetheme.ColorNameForeground:
		name = fynetheme.ColorNamePrimary
	}
	return t.Theme.Color(name, variant)
}
