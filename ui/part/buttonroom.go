package part

import "fyne.io/fyne/v2"

// buttonRoom is what a button with a text has at each side of it besides Fyne's own, which has it fill the button.
const buttonRoom = 5

// MinSize is called by Fyne.
func (b *Button) MinSize() fyne.Size {
	size := b.Button.MinSize()
	if b.Text != "" {
		size.Width += 2 * buttonRoom
	}
	return size
}

// Saying has those who cannot see what the button stands beside hear what it does to what.
func (b *Button) Saying(label string) *Button {
	b.Label = label
	return b
}

// AccessibilityLabel is that, or its text.
func (b *Button) AccessibilityLabel() string {
	if b.Label != "" {
		return b.Label
	}
	return b.Text
}
