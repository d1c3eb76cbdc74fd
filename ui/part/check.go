package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
)

// Check is Fyne's box to tick, but for the keyboard: the ring of all parts is around it, Return ticks it too, and the keys that it has no
// use for are the window's.
type Check struct {
	widget.Check
	Label string // what is ticked, for those who cannot see it; "": its text says so

	focused, hovered bool
}

// NewCheck makes one that is not ticked. changed hears of every change.
func NewCheck(text string, changed func(ticked bool)) *Check {
	c := &Check{Check: widget.Check{Text: text, OnChanged: changed}}
	c.ExtendBaseWidget(c)
	return c
}

// FocusGained draws the ring. Fyne's own takes the focus when it is clicked, and then the pointer is on it.
func (c *Check) FocusGained() {
	c.focused = true
	c.Check.FocusGained()
	Follow(c.hovered)
}

// FocusLost takes it away.
func (c *Check) FocusLost() {
	c.focused = false
	c.Check.FocusLost()
}

// MouseIn notes that the pointer is on it.
func (c *Check) MouseIn(e *desktop.MouseEvent) {
	c.hovered = true
	c.Check.MouseIn(e)
}

// MouseOut notes that it left.
func (c *Check) MouseOut() {
	c.hovered = false
	c.Check.MouseOut()
}

// TypedKey ticks it on return; Fyne's own does so on a space that is typed.
func (c *Check) TypedKey(e *fyne.KeyEvent) {
	switch {
	case e.Name == fyne.KeySpace:
	case !presses(e):
		PassKey(c, e)
	case !c.Disabled():
		c.SetChecked(!c.Checked)
	}
}

// AccessibilityLabel is what is ticked, and whether it is.
func (c *Check) AccessibilityLabel() string {
	label, state := c.Label, "parts.off"
	if label == "" {
		label = c.Text
	}
	if c.Checked {
		state = "parts.on"
	}
	return labelled(label, lang.Say(state))
}

// AccessibilityRole is a button.
func (c *Check) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// CreateRenderer is called by Fyne.
func (c *Check) CreateRenderer() fyne.WidgetRenderer {
	return newRinged(c, c.Check.CreateRenderer(), fynetheme.SizeNameInputRadius, func() fyne.ThemeColorName { return ifFocused(c.focused) })
}
