package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/theme"
)

// chartTip is the small card beside the slot that is pointed at: which it is, and its exact values.
type chartTip struct {
	card *canvas.Rectangle
	name *canvas.Text
	rows []chartTipRow
}

type chartTipRow struct {
	spot        *canvas.Rectangle
	name, value *canvas.Text
}

const (
	tipPadding = 9
	tipSpot    = 8
)

func newChartTip(series int) *chartTip {
	t := &chartTip{card: &canvas.Rectangle{}, name: &canvas.Text{}}
	for range series {
		t.rows = append(t.rows, chartTipRow{&canvas.Rectangle{}, &canvas.Text{}, &canvas.Text{}})
	}
	return t
}

// objects are in the order in which they lie on each other.
func (t *chartTip) objects() []fyne.CanvasObject {
	all := []fyne.CanvasObject{t.card, t.name}
	for _, r := range t.rows {
		all = append(all, r.spot, r.name, r.value)
	}
	return all
}

func (t *chartTip) show(shown bool) {
	for _, o := range t.objects() {
		switch {
		case shown:
			o.Show()
		default:
			o.Hide()
		}
	}
}

func (t *chartTip) paint(c *Chart) {
	small := extent(c, theme.SizeSmall)
	t.card.FillColor, t.card.StrokeColor = hue(c, fynetheme.ColorNameMenuBackground), hue(c, fynetheme.ColorNameInputBorder)
	t.card.StrokeWidth, t.card.CornerRadius = 1, 6
	t.card.Shadow = canvas.Shadow{Color: hue(c, fynetheme.ColorNameShadow), Offset: fyne.NewPos(0, -2), BlurRadius: 8}
	t.name.TextSize, t.name.Color = small, hue(c, theme.Muted)
	for i, r := range t.rows {
		r.spot.FillColor, r.spot.CornerRadius = hue(c, c.series[i].Color), 2
		r.name.Text, r.name.TextSize, r.name.Color = c.series[i].Name, small, hue(c, fynetheme.ColorNameForeground)
		r.value.TextSize, r.value.Color, r.value.TextStyle.Bold = small, hue(c, fynetheme.ColorNameForeground), true
	}
}

// place puts it right of a slot, or left where there is no room.
func (t *chartTip) place(c *Chart, s Slot, left, right, limit float32) {
	t.name.Text = s.Name
	wide := t.name.MinSize().Width
	var values float32
	for i, r := range t.rows {
		r.value.Text = c.measure.Exact(value(s, i))
		values = max(values, r.value.MinSize().Width)
	}
	for _, r := range t.rows {
		wide = max(wide, tipSpot+6+r.name.MinSize().Width+18+values)
	}
	line := t.name.MinSize().Height + 3
	size := fyne.NewSize(wide+2*tipPadding, line*float32(1+len(t.rows))+2*tipPadding-3)
	at := fyne.NewPos(right+8, chartTop)
	if at.X+size.Width > limit {
		at.X = max(left-8-size.Width, 0)
	}
	t.card.Move(at)
	t.card.Resize(size)
	at = at.AddXY(tipPadding, tipPadding)
	t.name.Move(at)
	for _, r := range t.rows {
		at.Y += line
		r.spot.Resize(fyne.NewSquareSize(tipSpot))
		r.spot.Move(at.AddXY(0, (line-3-tipSpot)/2+.5))
		r.name.Move(at.AddXY(tipSpot+6, 0))
		r.value.Move(at.AddXY(wide-r.value.MinSize().Width, 0))
	}
}
