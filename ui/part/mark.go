package part

import (
	"fmt"
	"image/color"
	"regexp"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/icon"
)

// Mark shows a drawing in one colour of the theme, whatever its own.
type Mark struct {
	widget.BaseWidget
	Label string // what it shows, where nothing beside it says so
	side  float32
	svg   []byte
	name  fyne.ThemeColorName
	drawn color.Color // what the picture was made in; nil: not made
}

// NewMark makes an empty one, side × side large.
func NewMark(side float32) *Mark {
	m := &Mark{side: side}
	m.ExtendBaseWidget(m)
	return m
}

// Set changes the drawing and its colour.
func (m *Mark) Set(svg []byte, name fyne.ThemeColorName) {
	m.svg, m.name, m.drawn = svg, name, nil
	m.Refresh()
}

// anyColour is a colour in our drawings.
var anyColour = regexp.MustCompile(`#[0-9a-f]{6}`)

// markScale is how many pixels a unit has: enough for screens of twice and
// thrice the density.
const markScale = 3

// AccessibilityLabel is what it shows; "" if the text beside it says so.
func (m *Mark) AccessibilityLabel() string { return m.Label }

// AccessibilityRole is text.
func (m *Mark) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (m *Mark) CreateRenderer() fyne.WidgetRenderer {
	picture := &canvas.Image{FillMode: canvas.ImageFillContain}
	d := &drawing{objects: []fyne.CanvasObject{picture}}
	d.paint = func() {
		tint := hue(m, m.name)
		if m.svg == nil || tint == m.drawn {
			return
		}
		r, g, b, _ := tint.RGBA()
		drawn := anyColour.ReplaceAll(m.svg, fmt.Appendf(nil, "#%02x%02x%02x", r>>8, g>>8, b>>8))
		if rendered, err := icon.Render(drawn, int(m.side*markScale)); err == nil {
			picture.Image, m.drawn = rendered, tint
		}
	}
	d.layout = func(size fyne.Size) { picture.Resize(size) }
	d.least = func() fyne.Size { return fyne.NewSquareSize(m.side) }
	d.paint()
	return d
}
