package part

import (
	"time"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/lang"
)

// Copy is a small button that copies a text and says for a moment that it did.
type Copy struct {
	IconButton
	what   string // is copied, for those who cannot see it; "": the text itself says so
	text   func() string
	copied func(string)
	stop   func() // nil: it does not say that it did
}

// copiedFor is how long it says so.
const copiedFor = 1500 * time.Millisecond

// NewCopy makes one. what names the thing to those who cannot see where the button stands; "": the text itself does, as a command
// or an address. text is asked when it is pressed; copied puts it on the clipboard.
func NewCopy(what string, text func() string, copied func(string)) *Copy {
	c := &Copy{what: what, text: text, copied: copied}
	c.icon, c.tip, c.tapped = fynetheme.ContentCopyIcon(), lang.Say("parts.copy"), c.press
	c.become(c)
	return c
}

func (c *Copy) press() {
	c.copied(c.text())
	c.Set(fynetheme.ConfirmIcon(), lang.Say("parts.copied"))
	c.rest.now(c, func() (string, fyne.Position, fyne.Size) { return c.tip, fyne.Position{}, c.Size() })
	if c.stop != nil {
		c.stop()
	}
	c.stop = clock.after(copiedFor, func() {
		c.stop = nil
		c.rest.off()
		c.Set(fynetheme.ContentCopyIcon(), lang.Say("parts.copy"))
	})
}

// AccessibilityLabel is what it does, and with what.
func (c *Copy) AccessibilityLabel() string {
	if c.what == "" {
		return labelled(c.tip, c.text())
	}
	return labelled(c.tip, c.what)
}
