package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"
)

// Button is Fyne's, but for the keys that it has no use for: those are the window's, so that Escape closes what is open while
// a button has the focus.
type Button struct{ widget.Button }

// NewButton makes one.
func NewButton(text string, tapped func()) *Button { return NewButtonWithIcon(text, nil, tapped) }

// NewButtonWithIcon makes one with an icon before its text.
func NewButtonWithIcon(text string, icon fyne.Resource, tapped func()) *Button {
	b := &Button{widget.Button{Text: text, Icon: icon, OnTapped: tapped}}
	b.ExtendBaseWidget(b)
	return b
}

// TypedKey presses the button.
func (b *Button) TypedKey(e *fyne.KeyEvent) {
	if e.Name == fyne.KeyEscape {
		PassKey(b, e)
		return
	}
	b.Button.TypedKey(e)
}
