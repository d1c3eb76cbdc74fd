package part

import (
	fynetheme "fyne.io/fyne/v2/theme"
)

// Copy is a small button that copies a text and says for a moment that it did.
type Copy struct {
	Press
}

// NewCopy makes one. text is asked when it is pressed; copied puts it on the clipboard.
func NewCopy(text func() string, copied func(string)) *Copy {
	c := &Copy{}
	c.icon = fynetheme.ContentCopyIcon()
	c.Pressed = func() { copied(text()); c.Confirm() }
	c.noticed = c.Refresh
	c.ExtendBaseWidget(c)
	return c
}
