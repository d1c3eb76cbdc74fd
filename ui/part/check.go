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

// Check is a box to tick with a text after it. Fyne's own is hardly seen while it is not ticked, and keeps Return and Escape to itself.
type Check struct {
	widget.DisableableWidget
	attention
	Text      string
	Label     string // what is ticked, for those who cannot see it; "": its text says so
	Checked   bool
	OnChanged func(ticked bool) // nil: nobody listens
}

// NewCheck makes one that is not ticked. changed hears what a person did.
func NewCheck(text string, changed func(ticked bool)) *Check {
	c := &Check{Text: text, OnChanged: changed}
	c.noticed = c.Refresh
	c.ExtendBaseWidget(c)
	return c
}

// SetChecked is what a person does.
func (c *Check) SetChecked(ticked bool) {
	if c.Checked == ticked {
		return
	}
	c.Checked = ticked
	c.Refresh()
	if c.OnChanged != nil {
		c.OnChanged(ticked)
	}
}

func (c *Check) flip() {
	if !c.Disabled() {
		c.SetChecked(!c.Checked)
	}
}

// Tapped ticks it, or takes the tick away.
func (c *Check) Tapped(*fyne.PointEvent) { c.flip() }

// TypedKey does so on space and return.
func (c *Check) TypedKey(e *fyne.KeyEvent) {
	if presses(e) {
		c.flip()
		return
	}
	PassKey(c, e)
}

// Cursor is a hand where it can be tapped.
func (c *Check) Cursor() desktop.Cursor {
	if c.Disabled() {
		return desktop.DefaultCursor
	}
	return c.attention.Cursor()
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
	const side, gap, height = 16, 7, 32
	ground, box, word := &canvas.Rectangle{}, &canvas.Rectangle{CornerRadius: 4}, NewText(c.Text)
	tick := canvas.NewImageFromResource(fynetheme.NewColoredResource(fynetheme.ConfirmIcon(), fynetheme.ColorNameForegroundOnPrimary))
	tick.FillMode = canvas.ImageFillContain
	d := &drawing{objects: []fyne.CanvasObject{ground, box, tick, word}}
	d.paint = func() {
		word.Set(c.Text)
		text, edge := fynetheme.ColorNameForeground, theme.Muted
		box.FillColor, box.StrokeWidth = nil, 1.5
		if c.Checked {
			edge = fynetheme.ColorNamePrimary
		}
		if c.Disabled() {
			text, edge = fynetheme.ColorNameDisabled, fynetheme.ColorNameDisabled
		}
		box.StrokeColor = hue(c, edge)
		switch {
		case c.Disabled() && !c.Checked:
			box.StrokeColor = faint(hue(c, edge), 0x70)
		case c.Checked:
			box.FillColor = hue(c, edge)
		}
		word.Tint(text)
		tick.Hidden = !c.Checked
		c.ground(c, ground)
		if c.Disabled() {
			ground.FillColor = nil
		}
	}
	d.layout = func(size fyne.Size) {
		ground.Resize(size)
		at := fyne.NewPos(gap, (size.Height-side)/2)
		for _, o := range []fyne.CanvasObject{box, tick} {
			o.Move(at)
			o.Resize(fyne.NewSquareSize(side))
		}
		least := word.MinSize()
		word.Move(fyne.NewPos(gap+side+gap, (size.Height-least.Height)/2))
		word.Resize(least)
	}
	d.least = func() fyne.Size {
		if c.Text == "" {
			return fyne.NewSize(side+2*gap, height)
		}
		return fyne.NewSize(side+3*gap+word.MinSize().Width, height)
	}
	d.paint()
	return d
}
