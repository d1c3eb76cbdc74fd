package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/theme"
)

// Switch is on or off. It flips at once when a person taps it or presses space
// on it, and then says so.
type Switch struct {
	widget.DisableableWidget
	attention
	Flipped func(on bool) // nil: nobody listens
	Label   string        // what it switches, for those who cannot see it

	on bool
}

// NewSwitch makes one that is off.
func NewSwitch(flipped func(on bool)) *Switch {
	s := &Switch{Flipped: flipped}
	s.noticed = s.Refresh
	s.ExtendBaseWidget(s)
	return s
}

// On tells how it stands.
func (s *Switch) On() bool { return s.on }

// Set flips it without saying so.
func (s *Switch) Set(on bool) {
	if s.on == on {
		return
	}
	s.on = on
	s.Refresh()
}

// Allow enables or disables it.
func (s *Switch) Allow(allowed bool) {
	switch {
	case allowed && s.Disabled():
		s.Enable()
	case !allowed && !s.Disabled():
		s.Disable()
	}
}

func (s *Switch) flip() {
	if s.Disabled() {
		return
	}
	s.Set(!s.on)
	if s.Flipped != nil {
		s.Flipped(s.on)
	}
}

// Tapped flips it.
func (s *Switch) Tapped(*fyne.PointEvent) { s.flip() }

// TypedKey flips it on space and return.
func (s *Switch) TypedKey(e *fyne.KeyEvent) {
	if presses(e) {
		s.flip()
		return
	}
	PassKey(s, e)
}

// Cursor is a hand where it can be tapped.
func (s *Switch) Cursor() desktop.Cursor {
	if s.Disabled() {
		return desktop.DefaultCursor
	}
	return s.attention.Cursor()
}

func (s *Switch) spoken() string {
	if s.on {
		return labelled(s.Label, lang.Say("parts.on"))
	}
	return labelled(s.Label, lang.Say("parts.off"))
}

const (
	switchWidth, switchHeight = 48, 27
	knobGap                   = 3
	focusRing                 = 3
)

// AccessibilityLabel is what it switches, and how it stands.
func (s *Switch) AccessibilityLabel() string { return s.spoken() }

// AccessibilityRole is a button.
func (s *Switch) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// CreateRenderer is called by Fyne.
func (s *Switch) CreateRenderer() fyne.WidgetRenderer {
	ring, track, veil, knob := &canvas.Rectangle{}, &canvas.Rectangle{}, &canvas.Rectangle{}, &canvas.Circle{}
	d := &drawing{objects: []fyne.CanvasObject{ring, track, veil, knob}}
	place := func(size fyne.Size) {
		left, top := (size.Width-switchWidth)/2, (size.Height-switchHeight)/2
		for _, r := range []*canvas.Rectangle{track, veil} {
			r.Move(fyne.NewPos(left, top))
			r.Resize(fyne.NewSize(switchWidth, switchHeight))
			r.CornerRadius = switchHeight / 2.
		}
		ring.Move(fyne.NewPos(left-focusRing, top-focusRing))
		ring.Resize(fyne.NewSize(switchWidth+2*focusRing, switchHeight+2*focusRing))
		ring.CornerRadius = switchHeight/2. + focusRing
		const across = switchHeight - 2*knobGap
		x := left + knobGap
		if s.on {
			x = left + switchWidth - knobGap - across
		}
		knob.Move(fyne.NewPos(x, top+knobGap))
		knob.Resize(fyne.NewSquareSize(across))
	}
	d.paint = func() {
		track.FillColor = hue(s, theme.Track)
		if s.on {
			track.FillColor = hue(s, fynetheme.ColorNamePrimary)
		}
		knob.FillColor = hue(s, theme.Knob)
		ring.StrokeColor, ring.StrokeWidth, veil.FillColor = nil, 0, nil
		s.ring(s, ring)
		switch {
		case s.Disabled():
			track.FillColor, knob.FillColor = faint(track.FillColor, 0x60), faint(hue(s, fynetheme.ColorNameDisabled), 0x80)
		case s.hovered:
			veil.FillColor = hue(s, fynetheme.ColorNameHover)
		}
		place(s.Size())
	}
	d.layout = place
	d.least = func() fyne.Size { return fyne.NewSize(switchWidth+2*focusRing, switchHeight+2*focusRing) }
	d.paint()
	return d
}
