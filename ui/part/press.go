package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// Press is a small drawing that can be pressed.
type Press struct {
	widget.BaseWidget
	attention
	Pressed func() // nil: nobody listens
	Label   string // what it does, for those who cannot see it

	icon      fyne.Resource
	picture   *canvas.Image
	confirmed bool
}

// NewPress makes one with a themed icon.
func NewPress(icon fyne.Resource, pressed func()) *Press {
	p := &Press{Pressed: pressed, icon: icon}
	p.noticed = p.Refresh
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
	if presses(e) {
		p.Tapped(nil)
		return
	}
	PassKey(p, e)
}

// FocusLost forgets the confirmation too.
func (p *Press) FocusLost() { p.confirmed = false; p.attention.FocusLost() }

// MouseOut does the same.
func (p *Press) MouseOut() { p.confirmed = false; p.attention.MouseOut() }

// AccessibilityLabel is what it does, which the page says.
func (p *Press) AccessibilityLabel() string { return p.Label }

// AccessibilityRole is a button.
func (p *Press) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// CreateRenderer is called by Fyne.
func (p *Press) CreateRenderer() fyne.WidgetRenderer {
	ground := &canvas.Rectangle{}
	p.picture = canvas.NewImageFromResource(nil)
	p.picture.FillMode = canvas.ImageFillContain
	const side, padding = 15, 4
	d := &drawing{objects: []fyne.CanvasObject{ground, p.picture}}
	d.paint = func() {
		p.picture.Resource = fynetheme.NewColoredResource(p.icon, theme.Muted)
		if p.confirmed {
			p.picture.Resource = fynetheme.NewColoredResource(fynetheme.ConfirmIcon(), fynetheme.ColorNamePrimary)
		}
		p.ground(p, ground)
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
