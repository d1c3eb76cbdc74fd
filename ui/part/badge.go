package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// Badge is a short word on a tinted ground: a state, a number.
type Badge struct {
	widget.BaseWidget
	word *Text
	name fyne.ThemeColorName
}

// NewBadge makes one in a colour of the theme; "" is the colour of text of second rank.
func NewBadge(word string, name fyne.ThemeColorName) *Badge {
	b := &Badge{word: NewMuted(word)}
	b.ExtendBaseWidget(b)
	b.Set(word, name)
	return b
}

// Set changes its word and colour.
func (b *Badge) Set(word string, name fyne.ThemeColorName) {
	if name == "" {
		name = theme.Muted
	}
	b.name = name
	b.word.Tint(name)
	b.word.Set(word)
	b.Refresh()
}

// Words is what it says.
func (b *Badge) Words() string { return b.word.Words() }

// AccessibilityLabel is its word.
func (b *Badge) AccessibilityLabel() string { return b.word.Words() }

// AccessibilityRole is text.
func (b *Badge) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (b *Badge) CreateRenderer() fyne.WidgetRenderer {
	ground := &canvas.Rectangle{}
	const side, above = 7, 2
	d := &drawing{objects: []fyne.CanvasObject{ground, b.word}}
	d.paint = func() { ground.FillColor = faint(hue(b, b.name), 0x24) }
	d.layout = func(size fyne.Size) {
		least := b.word.MinSize()
		height := least.Height + 2*above
		ground.Move(fyne.NewPos(0, (size.Height-height)/2))
		ground.Resize(fyne.NewSize(size.Width, height))
		ground.CornerRadius = height / 2
		b.word.Resize(least)
		b.word.Move(fyne.NewPos((size.Width-least.Width)/2, (size.Height-least.Height)/2))
	}
	d.least = func() fyne.Size { return b.word.MinSize().AddWidthHeight(2*side, 2*above) }
	d.paint()
	return d
}
