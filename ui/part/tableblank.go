package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/theme"
)

// blank stands in place of a table's rows while there are none: what there could be, or that they are on their way.
type blank struct {
	widget.BaseWidget
	table       *Table
	title, hint *Text
	bars        []*canvas.Rectangle
	drawn       *drawing
}

func newBlank(t *Table) *blank {
	b := &blank{table: t, title: NewText("").Giving().Bold(), hint: NewMuted("").Giving()}
	b.Hidden = true
	b.ExtendBaseWidget(b)
	return b
}

// show brings it to what the table is now.
func (b *blank) show() {
	t := b.table
	empty := t.rows.Len() == 0
	if empty && !t.loading && t.rows.Empty != nil {
		title, hint := t.rows.Empty()
		b.title.Set(title)
		b.hint.Set(hint)
	}
	b.Hidden = !empty
	if empty {
		b.Refresh()
	}
}

func (b *blank) spoken() string {
	if b.table.loading {
		return lang.Say("parts.loading")
	}
	return labelled(b.title.Words(), b.hint.Words())
}

const skeletonRows = 7

// AccessibilityLabel is what it says.
func (b *blank) AccessibilityLabel() string { return b.spoken() }

// AccessibilityRole is text.
func (b *blank) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (b *blank) CreateRenderer() fyne.WidgetRenderer {
	if b.drawn != nil {
		return b.drawn
	}
	d := &drawing{objects: []fyne.CanvasObject{b.title, b.hint}}
	for range skeletonRows * len(b.table.columns.all) {
		bar := &canvas.Rectangle{CornerRadius: skeletonLine / 2}
		b.bars = append(b.bars, bar)
		d.objects = append(d.objects, bar)
	}
	d.paint = func() {
		b.title.Hidden, b.hint.Hidden = b.table.loading, b.table.loading
		for i, bar := range b.bars {
			bar.Hidden = !b.table.loading
			bar.FillColor = skeletonShade(hue(b, theme.Track), i/len(b.table.columns.all))
		}
	}
	d.layout = b.layout
	d.least = func() fyne.Size { return fyne.NewSize(leastColumn, rowPitch) }
	d.paint()
	b.drawn = d
	return d
}

func (b *blank) layout(size fyne.Size) {
	const between = 4
	height := extent(b, fynetheme.SizeNameText) * 1.4
	top := max(size.Height*0.4-height, 8)
	for _, text := range []*Text{b.title, b.hint} {
		least := text.measure(text.Words())
		width := min(least.Width, size.Width-2*tableSide)
		text.Resize(fyne.NewSize(width, least.Height))
		text.Move(fyne.NewPos((size.Width-width)/2, top))
		top += least.Height + between
	}
	parts := []float32{0.62, 0.8, 0.5, 0.7, 0.56, 0.74} // not a fence, but like texts
	c := b.table.columns
	for i, bar := range b.bars {
		row, col := i/len(c.all), i%len(c.all)
		room := max(c.wide[col]-2*cellSide, 0)
		width := room * parts[(row*2+col*3)%len(parts)]
		left := tableSide + c.left[col] + cellSide
		if c.all[col].Right {
			left += room - width
		}
		bar.Move(fyne.NewPos(left, float32(row)*rowPitch+(rowPitch-skeletonLine)/2))
		bar.Resize(fyne.NewSize(width, skeletonLine))
	}
}
