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
	Label string // what the colour means, where nothing beside it says so
	name  fyne.ThemeColorName
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

// AccessibilityLabel is what the colour means; "" if the text beside it says so.
func (d *Dot) AccessibilityLabel() string { return d.Label }

// AccessibilityRole is text.
func (d *Dot) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

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

// AccessibilityLabel is nothing: it is a line.
func (r *Rule) AccessibilityLabel() string { return "" }

// AccessibilityRole is a container.
func (r *Rule) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleContainer }

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
