package overview

import (
	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/part"
	"pulley/ui/theme"
)

// Measures of the page, in units.
const (
	overviewGap  = 12
	railFrom     = 600 // the width from which the rail stands beside the rest
	railLeast    = 228
	railMost     = 300
	trafficLeast = 196 // its figures, and a chart that can be read
	trafficMost  = 400
	tallest      = 860 // more height than that leaves the rest of the window empty
)

// plan lays the page out: the head and what is wrong across, then traffic over pulls, and the rail beside them or below. Its
// least height is that for the width it was given last.
type plan struct {
	head, alert, welcome, wait, traffic, pulls, rail fyne.CanvasObject

	pullsFull, railFull func() float32 // their heights with all that they have to say

	width float32
}

// MinSize implements fyne.Layout.
func (p *plan) MinSize([]fyne.CanvasObject) fyne.Size {
	top := p.top()
	left, rail, pulls := p.least(p.welcome)+p.least(p.wait), p.least(p.rail), p.least(p.pulls)
	if !p.beside() && p.traffic.Visible() { // there is room for all, as it is scrolled
		rail, pulls = p.railFull(), p.pullsFull()
	}
	if p.traffic.Visible() {
		left += trafficLeast
	}
	if pulls > 0 {
		left += p.gap(left) + pulls
	}
	if p.beside() {
		return fyne.NewSize(320, top+max(left, rail))
	}
	if rail > 0 {
		rail += p.gap(left)
	}
	return fyne.NewSize(320, top+left+rail)
}

// top is the height of what stands across, with the gap below it.
func (p *plan) top() float32 {
	top := p.least(p.head) + overviewGap + 4
	if p.alert.Visible() {
		top += p.least(p.alert) + overviewGap
	}
	return top
}

func (p *plan) gap(above float32) float32 {
	if above == 0 {
		return 0
	}
	return overviewGap
}

func (p *plan) least(o fyne.CanvasObject) float32 {
	if !o.Visible() {
		return 0
	}
	return o.MinSize().Height
}

func (p *plan) beside() bool { return p.rail.Visible() && (p.width == 0 || p.width >= railFrom) }

// Layout implements fyne.Layout.
func (p *plan) Layout(_ []fyne.CanvasObject, size fyne.Size) {
	p.width = size.Width
	height := min(size.Height, tallest)
	var y float32
	put := func(o fyne.CanvasObject, x, y, width, height float32) {
		o.Move(fyne.NewPos(x, y))
		o.Resize(fyne.NewSize(width, height))
	}
	for _, o := range []fyne.CanvasObject{p.head, p.alert} {
		if o.Visible() {
			put(o, 0, y, size.Width, o.MinSize().Height)
			o.Resize(fyne.NewSize(size.Width, o.MinSize().Height)) // paragraphs know their height once they have a width
			y += o.Size().Height + overviewGap
		}
	}
	y += 4
	wide, top := size.Width, y
	if p.beside() {
		wide -= min(max(size.Width*0.3, railLeast), railMost) + overviewGap
	}
	for _, o := range []fyne.CanvasObject{p.welcome, p.wait} { // at most one of them
		if o.Visible() {
			put(o, 0, y, wide, p.least(o))
			o.Resize(fyne.NewSize(wide, p.least(o)))
			y += p.least(o) + overviewGap
		}
	}
	if p.traffic.Visible() {
		tall := float32(trafficLeast)
		if p.beside() {
			tall = min(max((height-y)*0.52, trafficLeast), trafficMost)
			tall = max(min(tall, height-y-overviewGap-p.least(p.pulls)), trafficLeast)
		}
		put(p.traffic, 0, y, wide, tall)
		y += tall + overviewGap
	}
	if p.pulls.Visible() {
		tall := p.pullsFull()
		if p.beside() {
			tall = max(p.least(p.pulls), min(tall, height-y))
		}
		put(p.pulls, 0, y, wide, tall)
		y += tall + overviewGap
	}
	switch {
	case p.beside():
		put(p.rail, wide+overviewGap, top, size.Width-wide-overviewGap, max(p.least(p.rail), min(p.railFull(), height-top)))
	case p.rail.Visible():
		put(p.rail, 0, y, wide, p.railFull())
	}
}

// follow puts objects beside each other, the first of which is a text that takes the room it needs as long as there is some.
type follow struct {
	text *part.Text
	gap  float32
}

// MinSize implements fyne.Layout.
func (f *follow) MinSize(objects []fyne.CanvasObject) (least fyne.Size) {
	for i, o := range objects {
		size := o.MinSize()
		least.Height = max(least.Height, size.Height) // of hidden ones too: what stands below stays where it is
		if o.Visible() {
			least.Width += size.Width
			if i > 0 {
				least.Width += f.gap
			}
		}
	}
	return least
}

// Layout implements fyne.Layout.
func (f *follow) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	room := size.Width
	for _, o := range objects[1:] {
		if o.Visible() {
			room -= o.MinSize().Width + f.gap
		}
	}
	var x float32
	for i, o := range objects {
		if !o.Visible() {
			continue
		}
		least := o.MinSize()
		if i == 0 {
			least.Width = min(natural(f.text), room)
		}
		o.Resize(least)
		o.Move(fyne.NewPos(x, (size.Height-least.Height)/2))
		x += least.Width + f.gap
	}
}

// columns lays a row out in columns of fixed widths, so that a number that changes moves nothing: the object that grows takes
// what is left. A width below zero sets an object at the right of its column.
type columns struct {
	widths []float32 // of the objects; 0: it grows
	gap    float32
	from   []float32 // the width of the row from which the object is there; nil: all always are
}

// MinSize implements fyne.Layout.
func (c *columns) MinSize(objects []fyne.CanvasObject) (least fyne.Size) {
	for _, o := range objects {
		least.Height = max(least.Height, o.MinSize().Height)
	}
	return fyne.NewSize(120, least.Height)
}

// Layout implements fyne.Layout.
func (c *columns) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	there := func(i int) bool { return c.from == nil || size.Width >= c.from[i] }
	rest := size.Width + c.gap
	for i, w := range c.widths {
		if there(i) {
			rest -= max(w, -w) + c.gap
		}
	}
	var x float32
	for i, o := range objects {
		if part.Show(o, there(i)); !there(i) {
			continue
		}
		least, wide, right := o.MinSize(), c.widths[i], float32(0)
		switch {
		case wide == 0:
			wide = max(rest, 0)
		case wide < 0:
			wide = -wide
			right = wide - min(natural(o), wide)
		}
		o.Resize(fyne.NewSize(wide-right, least.Height))
		o.Move(fyne.NewPos(x+right, (size.Height-least.Height)/2))
		x += wide + c.gap
	}
}

// natural is the width that a text would like to have.
func natural(o fyne.CanvasObject) float32 {
	if t, ok := o.(*part.Text); ok {
		return fyne.MeasureText(t.Words(), fynetheme.SizeForWidget(t.Scale, t), t.Style).Width
	}
	return o.MinSize().Width
}

// figure is a number with what it is above it.
type figure struct {
	caption, value *part.Text
	root           *fyne.Container
}

func newFigure(caption string, dot fyne.ThemeColorName) *figure {
	f := &figure{caption: part.NewMuted(caption).Giving(), value: part.NewText("").Bold()}
	f.value.Scale = theme.SizeHead
	f.value.Gives = true
	head := fyne.CanvasObject(f.caption)
	if dot != "" {
		head = rowOf(&columns{widths: []float32{8, 0}, gap: 6}, part.NewDot(dot), f.caption)
	}
	f.root = part.VBox(2, head, f.value)
	return f
}

// set shows a value; "" hides what is not known.
func (f *figure) set(value string) {
	f.value.Set(value)
	part.Show(f.root, value != "")
}

func rowOf(l fyne.Layout, objects ...fyne.CanvasObject) *fyne.Container {
	return &fyne.Container{Layout: l, Objects: objects}
}
