package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/theme"
)

// Share is a piece of a meter: how much of the whole, and in which colour.
type Share struct {
	Part  float64 // 0 … 1
	Color fyne.ThemeColorName
}

// Meter is a bar divided into shares, from the left.
type Meter struct {
	widget.BaseWidget
	Height float32
	Label  string // what it is about, for those who cannot see it
	shares []Share
}

// NewMeter makes an empty one.
func NewMeter() *Meter {
	m := &Meter{Height: 8}
	m.ExtendBaseWidget(m)
	return m
}

// Set changes the shares. Their sum should not exceed 1; what does is cut.
func (m *Meter) Set(shares ...Share) {
	if len(shares) == len(m.shares) {
		same := true
		for i := range shares {
			same = same && shares[i] == m.shares[i]
		}
		if same {
			return
		}
	}
	m.shares = append([]Share(nil), shares...)
	m.Refresh()
}

// maxShares is how many a bar can have: nobody can tell more colours apart.
const maxShares = 4

// gap parts neighbours, so that they can be told apart without colour.
const gap = 2

// AccessibilityLabel is how much it is full.
func (m *Meter) AccessibilityLabel() string { return m.spoken() }

// AccessibilityRole is text.
func (m *Meter) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (m *Meter) CreateRenderer() fyne.WidgetRenderer {
	track := &canvas.Rectangle{}
	d := &drawing{objects: []fyne.CanvasObject{track}}
	pieces := make([]*canvas.Rectangle, maxShares)
	for i := range pieces {
		pieces[i] = &canvas.Rectangle{}
		d.objects = append(d.objects, pieces[i])
	}
	place := func(size fyne.Size) {
		top := (size.Height - m.Height) / 2
		track.Move(fyne.NewPos(0, top))
		track.Resize(fyne.NewSize(size.Width, m.Height))
		var left float32
		for i, piece := range pieces {
			width := float32(0)
			if i < len(m.shares) && m.shares[i].Part > 0 {
				// A share that is there at all is seen, and leaves room for those after it.
				room := size.Width - left - m.smallest(i+1)
				width = min(max(size.Width*float32(m.shares[i].Part), m.Height), room)
			}
			piece.Hidden = width <= 0
			piece.Move(fyne.NewPos(left, top))
			piece.Resize(fyne.NewSize(max(width, 0), m.Height))
			if width > 0 {
				left += width + gap
			}
		}
	}
	d.paint = func() {
		track.FillColor, track.CornerRadius = hue(m, theme.Track), m.Height/2
		for i, piece := range pieces {
			piece.CornerRadius = m.Height / 2
			if i < len(m.shares) {
				piece.FillColor = hue(m, m.shares[i].Color)
			}
		}
		place(m.Size())
	}
	d.layout = place
	d.least = func() fyne.Size { return fyne.NewSize(40, m.Height) }
	d.paint()
	return d
}

func (m *Meter) spoken() string {
	var full float64
	for _, share := range m.shares {
		full += share.Part
	}
	return labelled(m.Label, lang.Say("amount.percent", "Number", lang.Number(100*min(full, 1), 0)))
}

// smallest is the least width of the shares from i on, with their gaps.
func (m *Meter) smallest(i int) float32 {
	var width float32
	for _, share := range m.shares[min(i, len(m.shares)):] {
		if share.Part > 0 {
			width += m.Height + gap
		}
	}
	return width
}
