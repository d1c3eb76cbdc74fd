package page

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/part"
)

// plate is a piece of a page that can be pressed, shown as chosen, and pointed out by a flash.
type plate struct {
	widget.BaseWidget
	content          fyne.CanvasObject
	label            string // for who cannot see it
	tapped           func()
	moved            func(by int) // ↑ and ↓; nil: they mean nothing
	chosen           bool
	hovered, focused bool
	flashed          float32 // 1 … 0
}

var _ = []interface {
	fyne.Tappable
	fyne.Focusable
	fyne.Accessible
	desktop.Hoverable
}{&plate{}}

func newPlate(content fyne.CanvasObject, label string, tapped func()) *plate {
	p := &plate{content: content, label: label, tapped: tapped}
	p.ExtendBaseWidget(p)
	return p
}

func (p *plate) choose(chosen bool) {
	if p.chosen != chosen {
		p.chosen = chosen
		p.Refresh()
	}
}

// flash lights it up and lets it fade.
func (p *plate) flash() {
	fade := fyne.NewAnimation(900*time.Millisecond, func(done float32) { p.flashed = 1 - done; p.Refresh() })
	fade.Start()
}

// Tapped does what it is for.
func (p *plate) Tapped(*fyne.PointEvent) { p.tapped() }

// TypedKey does so on Space and Enter.
func (p *plate) TypedKey(e *fyne.KeyEvent) {
	by := map[fyne.KeyName]int{fyne.KeyUp: -1, fyne.KeyDown: 1}[e.Name]
	switch {
	case e.Name == fyne.KeySpace || e.Name == fyne.KeyReturn || e.Name == fyne.KeyEnter:
		p.tapped()
	case by != 0 && p.moved != nil:
		p.moved(by)
	default:
		part.PassKey(p, e)
	}
}

// AccessibilityLabel is what it is called.
func (p *plate) AccessibilityLabel() string { return p.label }

// AccessibilityRole is that of a button.
func (p *plate) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// FocusGained, and the following, are what Fyne calls when the keyboard and the pointer come and go.
func (p *plate) FocusGained()                   { p.focused = true; p.Refresh() }
func (p *plate) FocusLost()                     { p.focused = false; p.Refresh() }
func (p *plate) TypedRune(rune)                 {}
func (p *plate) MouseIn(*desktop.MouseEvent)    { p.hovered = true; p.Refresh() }
func (p *plate) MouseMoved(*desktop.MouseEvent) {}
func (p *plate) MouseOut()                      { p.hovered = false; p.Refresh() }

// CreateRenderer is called by Fyne.
func (p *plate) CreateRenderer() fyne.WidgetRenderer {
	ground := &canvas.Rectangle{CornerRadius: 6}
	content := container.New(layout.NewCustomPaddedLayout(6, 7, 8, 12), p.content)
	return &lit{
		inner: widget.NewSimpleRenderer(container.NewStack(ground, content)),
		paint: func() {
			ground.FillColor, ground.StrokeColor, ground.StrokeWidth = nil, nil, 0
			switch {
			case p.chosen || p.flashed > 0.05:
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
