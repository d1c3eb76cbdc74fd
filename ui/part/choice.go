package part

import (
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// Option is one of several: what it stands for and what it is called.
type Option struct{ Value, Label string }

// Choice shows the one of several options that is in force, quietly: a word and
// an arrow. Tapped, it opens the others.
type Choice struct {
	widget.BaseWidget
	attention
	Chosen func(value string) // nil: nobody listens
	Label  string             // what is chosen among, for those who cannot see it

	options []Option
	value   string
	word    *Text
}

// NewChoice makes one without options.
func NewChoice(chosen func(value string)) *Choice {
	c := &Choice{Chosen: chosen, word: NewText("")}
	c.noticed = c.Refresh
	c.ExtendBaseWidget(c)
	return c
}

// Set changes what can be chosen and what is in force, without saying so.
func (c *Choice) Set(options []Option, value string) {
	if c.value == value && slices.Equal(c.options, options) {
		return
	}
	c.options, c.value = slices.Clone(options), value
	c.word.Set(c.label())
	c.Refresh()
}

// Value is what is in force.
func (c *Choice) Value() string { return c.value }

// Choose is what a person does: it changes the value at once and says so.
func (c *Choice) Choose(value string) {
	if value == c.value {
		return
	}
	c.Set(c.options, value)
	if c.Chosen != nil {
		c.Chosen(value)
	}
}

func (c *Choice) label() string {
	for _, o := range c.options {
		if o.Value == c.value {
			return o.Label
		}
	}
	return c.value
}

// Menu is what opens.
func (c *Choice) Menu() *fyne.Menu {
	menu := fyne.NewMenu("")
	for _, o := range c.options {
		item := fyne.NewMenuItem(o.Label, func() { c.Choose(o.Value) })
		item.Checked = o.Value == c.value
		menu.Items = append(menu.Items, item)
	}
	return menu
}

// Tapped opens the options below, flush with the right edge.
func (c *Choice) Tapped(*fyne.PointEvent) { OpenMenu(c.Menu(), c) }

// TypedKey opens the options on space and return, and steps through them with
// the arrows.
func (c *Choice) TypedKey(e *fyne.KeyEvent) {
	switch {
	case presses(e):
		c.Tapped(nil)
	case e.Name == fyne.KeyUp || e.Name == fyne.KeyLeft:
		c.step(-1)
	case e.Name == fyne.KeyDown || e.Name == fyne.KeyRight:
		c.step(1)
	case e.Name == fyne.KeyHome:
		c.step(-len(c.options))
	case e.Name == fyne.KeyEnd:
		c.step(len(c.options))
	default:
		PassKey(c, e)
	}
}

// step chooses an option so many further on, or the last on the way there.
func (c *Choice) step(by int) {
	at := slices.IndexFunc(c.options, func(o Option) bool { return o.Value == c.value }) + by
	if last := len(c.options) - 1; last >= 0 {
		c.Choose(c.options[min(max(at, 0), last)].Value)
	}
}

// AccessibilityLabel is what is chosen.
func (c *Choice) AccessibilityLabel() string { return labelled(c.Label, c.label()) }

// AccessibilityRole is a button.
func (c *Choice) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// CreateRenderer is called by Fyne.
func (c *Choice) CreateRenderer() fyne.WidgetRenderer {
	ground := &canvas.Rectangle{}
	arrow := canvas.NewImageFromResource(fynetheme.NewColoredResource(fynetheme.MenuDropDownIcon(), theme.Muted))
	arrow.FillMode = canvas.ImageFillContain
	const side, arrowSide, above = 8, 15, 3
	d := &drawing{objects: []fyne.CanvasObject{ground, c.word, arrow}}
	d.paint = func() { c.ground(c, ground) }
	d.layout = func(size fyne.Size) {
		ground.Resize(size)
		arrow.Resize(fyne.NewSquareSize(arrowSide))
		arrow.Move(fyne.NewPos(size.Width-side/2-arrowSide, (size.Height-arrowSide)/2))
		word := c.word.MinSize()
		c.word.Resize(word)
		c.word.Move(fyne.NewPos(size.Width-side/2-arrowSide-2-word.Width, (size.Height-word.Height)/2))
	}
	d.least = func() fyne.Size {
		return c.word.MinSize().AddWidthHeight(side+2+arrowSide+side/2, 2*above)
	}
	d.paint()
	return d
}
