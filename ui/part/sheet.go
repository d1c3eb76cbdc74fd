package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// Sheet is a rounded surface with a hairline, and something on it.
type Sheet struct {
	widget.BaseWidget
	Color   fyne.ThemeColorName
	Border  fyne.ThemeColorName
	Padding fyne.Size
	content fyne.CanvasObject
}

// NewSheet lays content on a card.
func NewSheet(content fyne.CanvasObject) *Sheet {
	s := &Sheet{Color: theme.Card, Border: theme.CardBorder, Padding: fyne.NewSize(14, 11), content: content}
	s.ExtendBaseWidget(s)
	return s
}

// AccessibilityLabel is all that stands on it.
func (s *Sheet) AccessibilityLabel() string { return reading(s.content) }

// AccessibilityRole is text: a container would be passed over.
func (s *Sheet) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (s *Sheet) CreateRenderer() fyne.WidgetRenderer {
	ground := canvas.NewRectangle(hue(s, s.Color))
	d := &drawing{objects: []fyne.CanvasObject{ground, s.content}}
	d.paint = func() {
		ground.FillColor, ground.StrokeColor = hue(s, s.Color), hue(s, s.Border)
		ground.StrokeWidth, ground.CornerRadius = 1, 9
	}
	d.layout = func(size fyne.Size) {
		ground.Resize(size)
		s.content.Move(fyne.NewPos(s.Padding.Width, s.Padding.Height))
		s.content.Resize(size.Subtract(s.Padding).Subtract(s.Padding))
	}
	d.least = func() fyne.Size { return s.content.MinSize().Add(s.Padding).Add(s.Padding) }
	d.paint()
	return d
}
