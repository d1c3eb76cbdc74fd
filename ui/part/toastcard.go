package part

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/theme"
)

// card is one toast. Its time does not run while the pointer or the keyboard is on it.
type card struct {
	widget.BaseWidget
	host    *Toasts
	toast   Toast
	words   paragraph
	undo    *Link // nil: there is nothing to undo
	dismiss *IconButton
	drawn   *drawing

	hovered bool
	stop    func() // nil: its time does not run
	ends    time.Time
	left    time.Duration // while it does not run
}

var _ desktop.Hoverable = (*card)(nil)

func newCard(host *Toasts, toast Toast) *card {
	c := &card{host: host, toast: toast}
	c.dismiss = NewIconButton(fynetheme.CancelIcon(), lang.Say("parts.dismiss"), func() { host.end(c) })
	c.dismiss.noticed = func() { c.dismiss.notice(); c.consider() }
	if toast.Undo != nil {
		c.undo = NewLink(lang.Say("parts.undo"), func() { host.undo(c) })
		c.undo.word.Bold()
		c.undo.noticed = func() { c.undo.Refresh(); c.consider() }
	}
	c.ExtendBaseWidget(c)
	return c
}

// focused reports whether the keyboard is on it.
func (c *card) focused() bool {
	return c.dismiss.focused || c.undo != nil && c.undo.focused
}

// consider lets its time run, or not.
func (c *card) consider() {
	held := c.hovered || c.dismiss.hovered || c.undo != nil && c.undo.hovered || c.focused()
	switch {
	case held && c.stop != nil:
		c.left = c.ends.Sub(clock.now())
		c.still()
	case !held && c.stop == nil:
		c.wait(max(c.left, toastAgain))
	}
}

// wait has it go after a while, unless it stays until it is dismissed.
func (c *card) wait(while time.Duration) {
	if c.toast.Bad {
		return
	}
	c.still()
	c.ends = clock.now().Add(while)
	c.stop = clock.after(while, func() { c.host.end(c) })
}

// still stops its time.
func (c *card) still() {
	if c.stop != nil {
		c.stop()
		c.stop = nil
	}
}

// MouseIn stops its time.
func (c *card) MouseIn(*desktop.MouseEvent) {
	c.hovered = true
	c.consider()
}

// MouseMoved is of no interest.
func (c *card) MouseMoved(*desktop.MouseEvent) {}

// MouseOut lets it run on.
func (c *card) MouseOut() {
	c.hovered = false
	c.consider()
}

const (
	cardSide  = 14
	cardAbove = 9
	cardGap   = 10
	cardMark  = 8
)

// beside is the width of all but the text.
func (c *card) beside() float32 {
	width := cardSide + cardGap + c.dismiss.MinSize().Width + cardSide/2
	if c.undo != nil {
		width += cardGap + c.undo.MinSize().Width
	}
	if c.toast.Bad {
		width += cardMark + cardGap
	}
	return width
}

// fit breaks the text so that the card is no wider than room.
func (c *card) fit(room float32) {
	c.CreateRenderer()
	c.words.fit(c.toast.Text, extent(c, fynetheme.SizeNameText), room-c.beside(), 5)
	c.drawn.objects = append(c.drawn.objects[:c.fixed()], c.words.objects()...)
	c.Refresh()
}

// fixed is how many objects it has beside its text.
func (c *card) fixed() int {
	if c.undo != nil {
		return 4
	}
	return 3
}

// AccessibilityLabel is what it says.
func (c *card) AccessibilityLabel() string { return c.toast.Text }

// AccessibilityRole is text.
func (c *card) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (c *card) CreateRenderer() fyne.WidgetRenderer {
	if c.drawn != nil {
		return c.drawn
	}
	ground, mark := &canvas.Rectangle{CornerRadius: 9, StrokeWidth: 1}, &canvas.Circle{}
	mark.Hidden = !c.toast.Bad
	d := &drawing{objects: []fyne.CanvasObject{ground, mark}}
	if c.undo != nil {
		d.objects = append(d.objects, c.undo)
	}
	d.objects = append(d.objects, c.dismiss)
	d.paint = func() {
		ground.FillColor, ground.StrokeColor = hue(c, fynetheme.ColorNameOverlayBackground), hue(c, theme.CardBorder)
		floats(c, ground)
		mark.FillColor = hue(c, fynetheme.ColorNameError)
		c.words.tint(hue(c, fynetheme.ColorNameForeground), false)
	}
	d.layout = func(size fyne.Size) {
		ground.Resize(size)
		left := float32(cardSide)
		if c.toast.Bad {
			mark.Move(fyne.NewPos(left, cardAbove+(c.words.line-cardMark)/2+c.rise()))
			mark.Resize(fyne.NewSquareSize(cardMark))
			left += cardMark + cardGap
		}
		c.words.place(fyne.NewPos(left, cardAbove+c.rise()))
		right := size.Width - cardSide/2
		for _, o := range []fyne.Widget{c.dismiss, c.undo} {
			if o == fyne.Widget((*Link)(nil)) {
				continue
			}
			least := o.MinSize()
			right -= least.Width
			o.Resize(least)
			o.Move(fyne.NewPos(right, (size.Height-least.Height)/2))
			right -= cardGap / 2
		}
	}
	d.least = func() fyne.Size {
		return fyne.NewSize(c.words.size.Width+c.beside(), max(c.words.size.Height, c.dismiss.MinSize().Height)+2*cardAbove)
	}
	c.drawn = d
	d.paint()
	return d
}

// rise is how far down a text of one line is, to stand beside the buttons.
func (c *card) rise() float32 {
	return max(c.dismiss.MinSize().Height-c.words.size.Height, 0) / 2
}
