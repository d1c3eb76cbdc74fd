package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"
)

// Slider is Fyne's, but that it comes into view when it has the keyboard, says what it is about, and leaves Escape to the window.
type Slider struct {
	widget.Slider

	Label string        // for those who cannot see it
	Says  func() string // the value in words
}

// NewSlider makes one for whole steps up to most.
func NewSlider(label string, most float64, says func() string) *Slider {
	s := &Slider{Slider: widget.Slider{Max: most, Step: 1}, Label: label, Says: says}
	s.ExtendBaseWidget(s)
	return s
}

// FocusGained shows where the keyboard is.
func (s *Slider) FocusGained() {
	s.Slider.FocusGained()
	Follow(false)
}

// TypedKey moves it.
func (s *Slider) TypedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyHome, fyne.KeyEnd:
		to := s.Min
		if e.Name == fyne.KeyEnd {
			to = s.Max
		}
		if !s.Disabled() {
			s.SetValue(to)
		}
	case fyne.KeyLeft, fyne.KeyRight:
		s.Slider.TypedKey(e)
	default:
		PassKey(s, e)
	}
}

// AccessibilityLabel is what is set here, and to what.
func (s *Slider) AccessibilityLabel() string { return labelled(s.Label, s.Says()) }

// AccessibilityRole is text: Fyne knows no sliders.
func (s *Slider) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }
