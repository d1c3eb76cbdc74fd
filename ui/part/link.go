package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Link is a word that can be pressed.
type Link struct {
	widget.BaseWidget
	attention
	Label  string // what it does to what, for those who cannot see it, where its word alone does not say so
	word   *Text
	tapped func()
}

// NewLink makes one.
func NewLink(word string, tapped func()) *Link {
	l := &Link{word: NewText(word), tapped: tapped}
	l.word.Color = fynetheme.ColorNameHyperlink
	l.noticed = l.Refresh
	l.ExtendBaseWidget(l)
	return l
}

// Set changes the word.
func (l *Link) Set(word string) {
	l.word.Set(word)
	l.Refresh()
}

// Words is what it says.
func (l *Link) Words() string { return l.word.Words() }

// Tapped does what it is for.
func (l *Link) Tapped(*fyne.PointEvent) {
	if l.tapped != nil {
		l.tapped()
	}
}

// TypedKey does it on space and return.
func (l *Link) TypedKey(e *fyne.KeyEvent) {
	if presses(e) {
		l.Tapped(nil)
		return
	}
	PassKey(l, e)
}

// AccessibilityLabel is what it does to what, or its word.
func (l *Link) AccessibilityLabel() string {
	if l.Label != "" {
		return l.Label
	}
	return l.word.Words()
}

// AccessibilityRole is a link.
func (l *Link) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleLink }

// CreateRenderer is called by Fyne.
func (l *Link) CreateRenderer() fyne.WidgetRenderer {
	ground := &canvas.Rectangle{}
	const side, above = 4, 2
	d := &drawing{objects: []fyne.CanvasObject{ground, l.word}}
	d.paint = func() { l.ground(l, ground) }
	d.layout = func(size fyne.Size) {
		ground.Resize(size)
		least := l.word.MinSize()
		l.word.Resize(least)
		l.word.Move(fyne.NewPos(side, (size.Height-least.Height)/2))
	}
	d.least = func() fyne.Size { return l.word.MinSize().AddWidthHeight(2*side, 2*above) }
	d.paint()
	return d
}
