package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// Press is a small drawing that can be pressed.
type Press struct {
	widget.BaseWidget
	Pressed func() // nil: nobody listens

	icon             fyne.Resource
	picture          *canvas.Image
	hovered, focused bool
	confirmed        bool
}

// NewPress makes one with a themed icon.
func NewPress(icon fyne.Resource, pressed func()) *Press {
	p := &Press{Pressed: pressed, icon: icon}
	p.ExtendBaseWidget(p)
	return p
}

// Confirm shows that it was pressed, until the pointer or the focus leaves.
func (p *Press) Confirm() {
	p.confirmed = true
	p.Refresh()
}

// Tapped says so.
func (p *Press) Tapped(*fyne.PointEvent) {
	if p.Pressed != nil {
		p.Pressed()
	}
}

// TypedKey says so on space and return.
func (p *Press) TypedKey(e *fyne.KeyEvent) {
	if e.Name == fyne.KeySpace || e.Name == fyne.KeyReturn || e.Name == fyne.KeyEnter {
		p.Tapped(nil)
	}
}

// TypedRune ignores text.
func (p *Press) TypedRune(rune) {}

// FocusGained draws the ring.
func (p *Press) FocusGained() { p.focused = true; p.Refresh() }

// FocusLost takes it away.
func (p *Press) FocusLost() { p.focused, p.confirmed = false, false; p.Refresh() }

// MouseIn lightens it.
func (p *Press) MouseIn(*desktop.MouseEvent) { p.hovered = true; p.Refresh() }

// MouseMoved is of no interest.
func (p *Press) MouseMoved(*desktop.MouseEvent) {}

// MouseOut takes the lightening away.
func (p *Press) MouseOut() { p.hovered, p.confirmed = false, false; p.Refresh() }

// Cursor is a hand.
func (p *Press) Cursor() desktop.Cursor { return desktop.PointerCursor }

// CreateRenderer is called by Fyne.
func (p *Press) CreateRenderer() fyne.WidgetRenderer {
	ground := &canvas.Rectangle{CornerRadius: 5}
	p.picture = canvas.NewImageFromResource(nil)
	p.picture.FillMode = canvas.ImageFillContain
	const side, padding = 15, 4
	d := &drawing{objects: []fyne.CanvasObject{ground, p.picture}}
	d.paint = func() {
		p.picture.Resource = fynetheme.NewColoredResource(p.icon, theme.Muted)
		if p.confirmed {
			p.picture.Resource = fynetheme.NewColoredResource(fynetheme.ConfirmIcon(), fynetheme.ColorNamePrimary)
		}
		ground.FillColor, ground.StrokeColor, ground.StrokeWidth = nil, nil, 0
		if p.hovered {
			ground.FillColor = hue(p, fynetheme.ColorNameHover)
		}
		if p.focused {
			ground.StrokeColor, ground.StrokeWidth = hue(p, fynetheme.ColorNamePrimary), 1
		}
	}
	d.layout = func(size fyne.Size) {
		ground.Resize(size)
		p.picture.Resize(fyne.NewSquareSize(side))
		p.picture.Move(fyne.NewPos((size.Width-side)/2, (size.Height-side)/2))
	}
	d.least = func() fyne.Size { return fyne.NewSquareSize(side + 2*padding) }
	d.paint()
	return d
}
