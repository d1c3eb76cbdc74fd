package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Dot is a round spot of a colour.
type Dot struct {
	widget.BaseWidget
	name fyne.ThemeColorName
}

// NewDot makes one.
func NewDot(name fyne.ThemeColorName) *Dot {
	d := &Dot{name: name}
	d.ExtendBaseWidget(d)
	return d
}

// Tint changes the colour.
func (d *Dot) Tint(name fyne.ThemeColorName) {
	if d.name == name {
		return
	}
	d.name = name
	d.Refresh()
}

// CreateRenderer is called by Fyne.
func (d *Dot) CreateRenderer() fyne.WidgetRenderer {
	const across = 8
	spot := &canvas.Circle{}
	r := &drawing{objects: []fyne.CanvasObject{spot}}
	r.paint = func() { spot.FillColor = hue(d, d.name) }
	r.layout = func(size fyne.Size) {
		spot.Move(fyne.NewPos((size.Width-across)/2, (size.Height-across)/2))
		spot.Resize(fyne.NewSquareSize(across))
	}
	r.least = func() fyne.Size { return fyne.NewSquareSize(across) }
	r.paint()
	return r
}

// Rule is a hairline across.
type Rule struct{ widget.BaseWidget }

// NewRule makes one.
func NewRule() *Rule {
	r := &Rule{}
	r.ExtendBaseWidget(r)
	return r
}

// CreateRenderer is called by Fyne.
func (r *Rule) CreateRenderer() fyne.WidgetRenderer {
	line := &canvas.Rectangle{}
	d := &drawing{objects: []fyne.CanvasObject{line}}
	d.paint = func() { line.FillColor = hue(r, fynetheme.ColorNameSeparator) }
	d.layout = func(size fyne.Size) { line.Resize(fyne.NewSize(size.Width, 1)) }
	d.least = func() fyne.Size { return fyne.NewSize(1, 1) }
	d.paint()
	return d
}
