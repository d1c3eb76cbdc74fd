package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// Progress is a bar with a text after it.
type Progress struct {
	widget.BaseWidget
	meter *Meter
	text  *Text
}

// NewProgress makes one that has not begun.
func NewProgress() *Progress {
	p := &Progress{meter: NewMeter(), text: NewMuted("")}
	p.meter.Height = 4
	p.ExtendBaseWidget(p)
	return p
}

// Set says how far it is, 0 … 1, or below 0 if nobody knows, and what stands beside it.
func (p *Progress) Set(part float64, text string) {
	p.meter.Set(Share{Part: max(part, 0), Color: theme.Cached})
	p.text.Set(text)
	p.Refresh()
}

// AccessibilityLabel is what stands beside the bar.
func (p *Progress) AccessibilityLabel() string { return p.text.Words() }

// AccessibilityRole is text.
func (p *Progress) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (p *Progress) CreateRenderer() fyne.WidgetRenderer {
	const between = 10
	d := &drawing{objects: []fyne.CanvasObject{p.meter, p.text}}
	d.paint = func() {}
	d.layout = func(size fyne.Size) {
		least := p.text.MinSize()
		p.text.Resize(least)
		p.text.Move(fyne.NewPos(size.Width-least.Width, (size.Height-least.Height)/2))
		p.meter.Resize(fyne.NewSize(max(size.Width-least.Width-between, 0), size.Height))
	}
	d.least = func() fyne.Size {
		text := p.text.MinSize()
		return fyne.NewSize(80+between+text.Width, text.Height)
	}
	return d
}
