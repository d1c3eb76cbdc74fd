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
	text   func() string
	copied func(string)
	stop   func() // nil: it does not say that it did
}

// copiedFor is how long it says so.
const copiedFor = 1500 * time.Millisecond

// NewCopy makes one. text is asked when it is pressed; copied puts it on the clipboard.
func NewCopy(text func() string, copied func(string)) *Copy {
	c := &Copy{text: text, copied: copied}
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
