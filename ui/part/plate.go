package part

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Plate is a piece of a page that can be pressed, shown as chosen, and pointed out by a flash.
type Plate struct {
	widget.BaseWidget
	content          fyne.CanvasObject
	Label            string // for who cannot see it
	tapped           func()
	Moved            func(by int) // ↑ and ↓; nil: they mean nothing
	Chosen           bool // changed by Choose
	hovered, focused bool
	flashed          float32 // 1 … 0
}

var _ = []interface {
	fyne.Tappable
	fyne.Focusable
	fyne.Accessible
	desktop.Hoverable
}{&Plate{}}

// NewPlate makes one. label is what it is called for who cannot see it.
func NewPlate(content fyne.CanvasObject, label string, tapped func()) *Plate {
	p := &Plate{content: content, Label: label, tapped: tapped}
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
	fade := fyne.NewAnimation(900*time.Millisecond, func(done float32) { p.flashed = 1 - done; p.Refresh() })
	fade.Start()
}

// Tapped does what it is for.
func (p *Plate) Tapped(*fyne.PointEvent) { p.tapped() }

// TypedKey does so on Space and Enter.
func (p *Plate) TypedKey(e *fyne.KeyEvent) {
	by := map[fyne.KeyName]int{fyne.KeyUp: -1, fyne.KeyDown: 1}[e.Name]
	switch {
	case e.Name == fyne.KeySpace || e.Name == fyne.KeyReturn || e.Name == fyne.KeyEnter:
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

// FocusGained, and the following, are what Fyne calls when the keyboard and the pointer come and go.
func (p *Plate) FocusGained()                   { p.focused = true; p.Refresh() }
func (p *Plate) FocusLost()                     { p.focused = false; p.Refresh() }
func (p *Plate) TypedRune(rune)                 {}
func (p *Plate) MouseIn(*desktop.MouseEvent)    { p.hovered = true; p.Refresh() }
func (p *Plate) MouseMoved(*desktop.MouseEvent) {}
func (p *Plate) MouseOut()                      { p.hovered = false; p.Refresh() }

// CreateRenderer is called by Fyne.
func (p *Plate) CreateRenderer() fyne.WidgetRenderer {
	ground := &canvas.Rectangle{CornerRadius: 6}
	content := container.New(layout.NewCustomPaddedLayout(6, 7, 8, 12), p.content)
	return &lit{
		inner: widget.NewSimpleRenderer(container.NewStack(ground, content)),
		paint: func() {
			ground.FillColor, ground.StrokeColor, ground.StrokeWidth = nil, nil, 0
			switch {
			case p.Chosen || p.flashed > 0.05:
				ground.FillColor = fynetheme.ColorForWidget(fynetheme.ColorNameSelection, p)
			case p.hovered:
				ground.FillColor = fynetheme.ColorForWidget(fynetheme.ColorNameHover, p)
			}
			if p.focused {
				ground.StrokeColor, ground.StrokeWidth = fynetheme.ColorForWidget(fynetheme.ColorNamePrimary, p), 1
			}
		},
	}
}

// lit is the renderer of what shows focus and pointer by its ground.
type lit struct {
	inner fyne.WidgetRenderer
	paint func()
}

// Layout, and the following, are called by Fyne.
func (l *lit) Layout(size fyne.Size)        { l.paint(); l.inner.Layout(size) }
func (l *lit) MinSize() fyne.Size           { return l.inner.MinSize() }
func (l *lit) Objects() []fyne.CanvasObject { return l.inner.Objects() }
func (l *lit) Destroy()                     { l.inner.Destroy() }
func (l *lit) Refresh()                     { l.paint(); l.inner.Refresh() }
