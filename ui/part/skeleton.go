package part

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/theme"
)

// Skeleton stands where text will be that is not known yet.
type Skeleton struct {
	widget.BaseWidget
	lines int
}

// NewSkeleton makes one of so many lines.
func NewSkeleton(lines int) *Skeleton {
	s := &Skeleton{lines: lines}
	s.ExtendBaseWidget(s)
	return s
}

const (
	skeletonLine  = 10 // the height of a bar
	skeletonPitch = 22 // from one bar to the next
)

// AccessibilityLabel is that something is on its way.
func (s *Skeleton) AccessibilityLabel() string { return lang.Say("parts.loading") }

// AccessibilityRole is text.
func (s *Skeleton) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (s *Skeleton) CreateRenderer() fyne.WidgetRenderer {
	d := &drawing{}
	var bars []*canvas.Rectangle
	for range s.lines {
		bar := &canvas.Rectangle{}
		bars = append(bars, bar)
		d.objects = append(d.objects, bar)
	}
	d.paint = func() {
		for i, bar := range bars {
			bar.FillColor, bar.CornerRadius = skeletonShade(hue(s, theme.Track), i), skeletonLine/2
		}
	}
	parts := []float32{0.92, 0.78, 0.85, 0.6} // like lines of text
	d.layout = func(size fyne.Size) {
		for i, bar := range bars {
			bar.Move(fyne.NewPos(0, float32(i)*skeletonPitch+(skeletonPitch-skeletonLine)/2))
			bar.Resize(fyne.NewSize(size.Width*parts[i%len(parts)], skeletonLine))
		}
	}
	d.least = func() fyne.Size { return fyne.NewSize(60, float32(s.lines)*skeletonPitch) }
	d.paint()
	return d
}

// skeletonShade has bars fade from line to line: how many there will be is not known.
func skeletonShade(c color.Color, line int) color.Color {
	return faint(c, uint8(max(0xff-line*0x24, 0x30)))
}
