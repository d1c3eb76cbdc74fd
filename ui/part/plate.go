package part

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Plate is a piece of a page that can be pressed, shown as chosen, and pointed out by a flash.
type Plate struct {
	widget.BaseWidget
	attention
	Label  string       // for who cannot see it
	Moved  func(by int) // ↑ and ↓; nil: they mean nothing
	Chosen bool         // changed by Choose

	content fyne.CanvasObject
	tapped  func()
	flashed float32 // 1 … 0
}

// NewPlate makes one. label is what it is called for who cannot see it.
func NewPlate(content fyne.CanvasObject, label string, tapped func()) *Plate {
	p := &Plate{content: content, Label: label, tapped: tapped}
	p.noticed = p.Refresh
	p.ExtendBaseWidget(p)
	return p
}

// Choose shows it as chosen, or not.
func (p *Plate) Choose(chosen bool) {
	if p.Chosen != chosen {
		p.Chosen = chosen
		p.Refresh()
	}
}

// Flash lights it up and lets it fade.
func (p *Plate) Flash() {
	fyne.NewAnimation(900*time.Millisecond, func(done float32) { p.flashed = 1 - done; p.Refresh() }).Start()
}

// Tapped does what it is for.
func (p *Plate) Tapped(*fyne.PointEvent) { p.tapped() }

// TypedKey does so on Space and Enter.
func (p *Plate) TypedKey(e *fyne.KeyEvent) {
	by := map[fyne.KeyName]int{fyne.KeyUp: -1, fyne.KeyDown: 1}[e.Name]
	switch {
	case presses(e):
		p.tapped()
	case by != 0 && p.Moved != nil:
		p.Moved(by)
	default:
		PassKey(p, e)
	}
}

// AccessibilityLabel is what it is called.
func (p *Plate) AccessibilityLabel() string { return p.Label }

// AccessibilityRole is that of a button.
func (p *Plate) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// CreateRenderer is called by Fyne.
func (p *Plate) CreateRenderer() fyne.WidgetRenderer {
	ground := &canvas.Rectangle{}
	content := container.New(layout.NewCustomPaddedLayout(6, 7, 8, 12), p.content)
	d := &drawing{objects: []fyne.CanvasObject{ground, content}, least: content.MinSize}
	d.paint = func() {
		p.ground(p, ground)
		if p.Chosen || p.flashed > 0.05 {
			ground.FillColor = hue(p, fynetheme.ColorNameSelection)
		}
	}
	d.layout = func(size fyne.Size) {
		ground.Resize(size)
		content.Resize(size)
	}
	d.paint()
	return d
}
