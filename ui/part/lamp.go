package part

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// Light is what a Lamp shows.
type Light int

// The three of them: a ring, a full circle, a circle that is struck through. They differ in form too, for those who see no colours.
const (
	LightUnknown Light = iota
	LightGood
	LightBad
)

// Lamp says of something whether it is well, ill, or not known.
type Lamp struct {
	widget.BaseWidget
	Label string // what it means, where nothing beside it says so
	light Light
}

// NewLamp makes one that knows nothing.
func NewLamp() *Lamp {
	l := &Lamp{}
	l.ExtendBaseWidget(l)
	return l
}

// Set changes what it shows.
func (l *Lamp) Set(light Light) {
	if l.light != light {
		l.light = light
		l.Refresh()
	}
}

// Light is what it shows.
func (l *Lamp) Light() Light { return l.light }

// AccessibilityLabel is what it means; "" if the text beside it says so.
func (l *Lamp) AccessibilityLabel() string { return l.Label }

// AccessibilityRole is text.
func (l *Lamp) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (l *Lamp) CreateRenderer() fyne.WidgetRenderer {
	const across, stroke = 10, 1.6
	disc := &canvas.Circle{StrokeWidth: stroke}
	bar := &canvas.Line{StrokeWidth: stroke}
	d := &drawing{objects: []fyne.CanvasObject{disc, bar}}
	d.paint = func() {
		tint := hue(l, theme.Muted)
		switch l.light {
		case LightGood:
			tint = hue(l, fynetheme.ColorNameSuccess)
		case LightBad:
			tint = hue(l, fynetheme.ColorNameError)
		}
		disc.StrokeColor, disc.FillColor, bar.StrokeColor = tint, color.Transparent, tint
		if l.light == LightGood {
			disc.FillColor = tint
		}
		bar.Hidden = l.light != LightBad
	}
	d.layout = func(size fyne.Size) {
		left, top := (size.Width-across)/2, (size.Height-across)/2
		disc.Move(fyne.NewPos(left, top))
		disc.Resize(fyne.NewSquareSize(across))
		const rim = 0.15 * across // where the diagonal meets the ring
		bar.Position1 = fyne.NewPos(left+rim, top+across-rim)
		bar.Position2 = fyne.NewPos(left+across-rim, top+rim)
	}
	d.least = func() fyne.Size { return fyne.NewSquareSize(across + 2) }
	d.paint()
	return d
}
