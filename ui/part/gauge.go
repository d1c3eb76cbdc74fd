package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// Gauge is a ring, open at the bottom, that is filled as far as something is left, with a word in its middle.
type Gauge struct {
	widget.BaseWidget
	side  float32
	left  float64
	word  string
	color fyne.ThemeColorName
	label string
}

// NewGauge makes an empty one, side × side large.
func NewGauge(side float32) *Gauge {
	g := &Gauge{side: side, color: fynetheme.ColorNamePrimary}
	g.ExtendBaseWidget(g)
	return g
}

var _ fyne.Accessible = &Gauge{}

// Set changes how much is left (0 … 1), the word, the colour of what is left, and what all of it means in a sentence.
func (g *Gauge) Set(left float64, word string, color fyne.ThemeColorName, label string) {
	left = min(max(left, 0), 1)
	if g.left == left && g.word == word && g.color == color && g.label == label {
		return
	}
	g.left, g.word, g.color, g.label = left, word, color, label
	g.Refresh()
}

// AccessibilityLabel is the sentence.
func (g *Gauge) AccessibilityLabel() string { return g.label }

// AccessibilityRole is that of a text: it is read.
func (g *Gauge) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

const (
	gaugeFrom, gaugeTo = -135, 135 // degrees from the top, clockwise
	gaugeStroke        = 5
)

// CreateRenderer is called by Fyne.
func (g *Gauge) CreateRenderer() fyne.WidgetRenderer {
	cutout := 1 - 2*gaugeStroke/g.side
	track := canvas.NewArc(gaugeFrom, gaugeTo, cutout, nil)
	left := canvas.NewArc(gaugeFrom, gaugeFrom, cutout, nil)
	track.CornerRadius, left.CornerRadius = gaugeStroke/2., gaugeStroke/2.
	word := &canvas.Text{Alignment: fyne.TextAlignCenter, TextStyle: fyne.TextStyle{Bold: true}}
	d := &drawing{objects: []fyne.CanvasObject{track, left, word}}
	d.paint = func() {
		track.FillColor, left.FillColor = hue(g, theme.Track), hue(g, g.color)
		left.EndAngle = gaugeFrom + (gaugeTo-gaugeFrom)*float32(g.left)
		left.Hidden = g.left == 0
		word.Text, word.TextSize, word.Color = g.word, extent(g, fynetheme.SizeNameText), hue(g, fynetheme.ColorNameForeground)
	}
	d.layout = func(size fyne.Size) {
		middle := fyne.NewPos((size.Width-g.side)/2, (size.Height-g.side)/2)
		for _, arc := range []*canvas.Arc{track, left} {
			arc.Move(middle)
			arc.Resize(fyne.NewSquareSize(g.side))
		}
		high := word.MinSize().Height
		word.Move(fyne.NewPos(middle.X, middle.Y+(g.side-high)/2))
		word.Resize(fyne.NewSize(g.side, high))
	}
	d.least = func() fyne.Size { return fyne.NewSquareSize(g.side) }
	d.paint()
	return d
}
