package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// IconButton is a button of an icon alone, which says what it does while the pointer rests on it.
type IconButton struct {
	widget.DisableableWidget
	attention
	icon   fyne.Resource
	tip    string
	tapped func()
	rest   resting
	self   fyne.Widget // what Fyne knows it as
}

// NewIconButton makes one. tip is what it does, in a few words.
func NewIconButton(icon fyne.Resource, tip string, tapped func()) *IconButton {
	b := &IconButton{icon: icon, tip: tip, tapped: tapped}
	b.become(b)
	return b
}

// become tells it which widget it is part of.
func (b *IconButton) become(self fyne.Widget) {
	b.self, b.noticed = self, b.notice
	b.ExtendBaseWidget(self)
}

// notice follows the pointer.
func (b *IconButton) notice() {
	if b.hovered {
		b.rest.on(b.self, func() (string, fyne.Position, fyne.Size) { return b.tip, fyne.Position{}, b.Size() })
	} else {
		b.rest.off()
	}
	b.Refresh()
}

// Set changes the icon and what it says.
func (b *IconButton) Set(icon fyne.Resource, tip string) {
	if icon == b.icon && tip == b.tip {
		return
	}
	b.icon, b.tip = icon, tip
	b.Refresh()
}

// Tip is what it says.
func (b *IconButton) Tip() string { return b.tip }

// Tapped does what the button is for.
func (b *IconButton) Tapped(*fyne.PointEvent) {
	b.rest.off()
	if !b.Disabled() && b.tapped != nil {
		b.tapped()
	}
}

// TypedKey does it on space and return. The window gets other keys.
func (b *IconButton) TypedKey(e *fyne.KeyEvent) {
	if presses(e) {
		b.Tapped(nil)
		return
	}
	PassKey(b.self, e)
}

// Cursor is a hand where it can be tapped.
func (b *IconButton) Cursor() desktop.Cursor {
	if b.Disabled() {
		return desktop.DefaultCursor
	}
	return b.attention.Cursor()
}

// AccessibilityLabel is what it does.
func (b *IconButton) AccessibilityLabel() string { return b.tip }

// AccessibilityRole is a button.
func (b *IconButton) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// CreateRenderer is called by Fyne.
func (b *IconButton) CreateRenderer() fyne.WidgetRenderer {
	ground, picture := &canvas.Rectangle{}, canvas.NewImageFromResource(nil)
	picture.FillMode = canvas.ImageFillContain
	const side, outer = 16, 28
	d := &drawing{objects: []fyne.CanvasObject{ground, picture}}
	d.paint = func() {
		name := theme.Muted
		switch {
		case b.Disabled():
			name = fynetheme.ColorNameDisabled
		case b.hovered:
			name = fynetheme.ColorNameForeground
		}
		picture.Resource = fynetheme.NewColoredResource(b.icon, name)
		b.ground(b.self, ground)
		if b.Disabled() {
			ground.FillColor = nil
		}
	}
	d.layout = func(size fyne.Size) {
		ground.Resize(size)
		picture.Resize(fyne.NewSquareSize(side))
		picture.Move(fyne.NewPos((size.Width-side)/2, (size.Height-side)/2))
	}
	d.least = func() fyne.Size { return fyne.NewSquareSize(outer) }
	d.paint()
	return d
}
