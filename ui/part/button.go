package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Button is Fyne's, but for the keyboard: the ring of all parts is around it, Return presses it too, it keeps the focus when it is
// pressed, and the keys that it has no use for are the window's, so that Escape closes what is open.
type Button struct {
	widget.Button
	heed
	Label string // what it does to what, for those who cannot see it, where its text alone does not say so
}

// NewButton makes one.
func NewButton(text string, tapped func()) *Button { return NewButtonWithIcon(text, nil, tapped) }

// NewButtonWithIcon makes one with an icon before its text.
func NewButtonWithIcon(text string, icon fyne.Resource, tapped func()) *Button {
	b := &Button{Button: widget.Button{Text: text, Icon: icon, OnTapped: tapped}}
	b.ExtendBaseWidget(b)
	return b
}

// FocusGained draws the ring.
func (b *Button) FocusGained() { b.gain(&b.Button) }

// FocusLost takes it away.
func (b *Button) FocusLost() { b.lose(&b.Button) }

// MouseIn lightens it.
func (b *Button) MouseIn(e *desktop.MouseEvent) { b.enter(&b.Button, e) }

// MouseOut takes the lightening away.
func (b *Button) MouseOut() { b.leave(&b.Button) }

// TypedKey presses the button. Fyne's own way to press takes the focus from it.
func (b *Button) TypedKey(e *fyne.KeyEvent) {
	switch {
	case !presses(e):
		PassKey(b, e)
	case !b.Disabled() && b.OnTapped != nil:
		b.OnTapped()
	}
}

// CreateRenderer is called by Fyne.
func (b *Button) CreateRenderer() fyne.WidgetRenderer {
	return newRinged(b, b.Button.CreateRenderer(), fynetheme.SizeNameButtonRadius, b.ring)
}

// ring is a colour that is told from the button's own.
func (b *Button) ring() fyne.ThemeColorName {
	switch b.Importance {
	case widget.HighImportance, widget.DangerImportance, widget.WarningImportance, widget.SuccessImportance:
		if b.focused {
			return fynetheme.ColorNameForeground
		}
	}
	return b.heed.ring()
}
