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
}

// NewIconButton makes one. tip is what it does, in a few words.
func NewIconButton(icon fyne.Resource, tip string, tapped func()) *IconButton {
	b := &IconButton{icon: icon, tip: tip, tapped: tapped}
	b.noticed = b.Refresh
	b.ExtendBaseWidget(b)
	return b
}

// Set changes the icon and what it says.
func (b *IconButton) Set(icon fyne.Resource, tip string) {
	b.icon, b.tip = icon, tip
	b.Refresh()
}

// Tip is what it says.
func (b *IconButton) Tip() string { return b.tip }

// Tapped does what the button is for.
func (b *IconButton) Tapped(*fyne.PointEvent) {
	if !b.Disabled() && b.tapped != nil {
		b.tapped()
	}
}

// TypedKey does it on space and return.
func (b *IconButton) TypedKey(e *fyne.KeyEvent) {
	if presses(e) {
		b.Tapped(nil)
	}
}

// Cursor is a hand where it can be tapped.
func (b *IconButton) Cursor() desktop.Cursor {
	if b.Disabled() {
		return desktop.DefaultCursor
	}
	return b.attention.Cursor()
}

// CreateRenderer is called by Fyne.
func (b *IconButton) CreateRenderer() fyne.WidgetRenderer {
	ground, picture := &canvas.Rectangle{}, canvas.NewImageFromResource(nil)
	picture.FillMode = canvas.ImageFillContain
	const side, outer = 16, 28
	d := &drawing{objects: []fyne.CanvasObject{ground, picture}}
	d.paint = func() {
		name := theme.Muted
		if b.Disabled() {
			name = fynetheme.ColorNameDisabled
		}
		picture.Resource = fynetheme.NewColoredResource(b.icon, name)
		b.ground(b, ground)
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
