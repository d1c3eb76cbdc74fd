package part

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/theme"
)

// Room around the plot, in units.
const (
	chartTop    = 7  // half a line of text, for the name of the upper line
	chartBottom = 20 // below the axis
	chartGutter = 9  // between the plot and the axis' names
	chartFrame  = 3  // around the plot, for the ring of focus
)

// chartView is what a chart is drawn with.
type chartView struct {
	c           *Chart
	ring, band  *canvas.Rectangle
	plot        *canvas.Raster
	lines       []*canvas.Text // names of the grid's lines
	marks       []*canvas.Text
	title, hint *canvas.Text
	tip         *chartTip
	top, step   float64
}

// maxLines is how many lines a grid has above the axis, with a measure that keeps to it.
const maxLines = 5

// CreateRenderer is called by Fyne.
func (c *Chart) CreateRenderer() fyne.WidgetRenderer {
	v := &chartView{c: c, ring: &canvas.Rectangle{}, band: &canvas.Rectangle{}, tip: newChartTip(len(c.series))}
	v.plot = canvas.NewRaster(v.raster)
	v.plot.ScaleMode = canvas.ImageScalePixels // half a pixel too many is no reason to blur all of them
	v.title, v.hint = &canvas.Text{Alignment: fyne.TextAlignCenter}, &canvas.Text{Alignment: fyne.TextAlignCenter}
	d := &drawing{layout: v.place, paint: func() { v.paint(); v.place(c.Size()) }}
	d.least = func() fyne.Size { return fyne.NewSize(180, 110) }
	d.objects = []fyne.CanvasObject{v.ring, v.band, v.plot, v.title, v.hint}
	for range maxLines {
		v.lines = append(v.lines, &canvas.Text{})
	}
	for range maxMarks {
		v.marks = append(v.marks, &canvas.Text{})
	}
	for _, t := range append(v.lines, v.marks...) {
		d.objects = append(d.objects, t)
	}
	d.objects = append(d.objects, v.tip.objects()...)
	d.paint()
	return d
}

// maxMarks is how many names the lower axis has room for in a wide window.
const maxMarks = 16

// area is the plot.
func (c *Chart) area() (at fyne.Position, size fyne.Size) {
	s := c.Size()
	return fyne.NewPos(0, chartTop), fyne.NewSize(max(s.Width-c.gutter, 1), max(s.Height-chartTop-chartBottom, 1))
}

// at is the slot under a position; -1: none.
func (c *Chart) at(p fyne.Position) int {
	at, size := c.area()
	if n := len(c.slots); n > 0 && p.X >= at.X && p.X < at.X+size.Width && p.Y >= 0 && p.Y < c.Size().Height {
		return min(int((p.X-at.X)/size.Width*float32(n)), n-1)
	}
	return -1
}

func (v *chartView) paint() {
	c := v.c
	v.top, v.step = 0, 0
	if most := c.most(); most > 0 {
		v.step = c.measure.Step(most)
		v.top = v.step * math.Ceil(most/v.step)
	}
	small, muted := extent(c, theme.SizeSmall), hue(c, theme.Muted)
	for i, t := range v.lines {
		t.Text, t.TextSize, t.Color = "", small, muted
		if at := v.step * float64(i+1); v.step > 0 && at <= v.top {
			t.Text = c.measure.Axis(at)
			c.gutter = max(c.gutter, t.MinSize().Width+chartGutter)
		}
	}
	if c.gutter == 0 { // so that the first values move nothing
		c.gutter = fyne.MeasureText(c.measure.Axis(512), small, fyne.TextStyle{}).Width + chartGutter
	}
	v.title.Text, v.title.TextSize, v.title.Color = "", extent(c, fynetheme.SizeNameText), hue(c, fynetheme.ColorNameForeground)
	v.hint.Text, v.hint.TextSize, v.hint.Color = "", small, muted
	if c.empty() {
		v.title.Text, v.hint.Text = c.title, c.hint
	}
	v.ring.FillColor, v.ring.StrokeColor, v.ring.StrokeWidth, v.ring.CornerRadius = nil, nil, 0, 6
	if c.focused {
		v.ring.StrokeColor, v.ring.StrokeWidth = hue(c, fynetheme.ColorNamePrimary), ringWidth
	}
	v.band.FillColor, v.band.CornerRadius = hue(c, fynetheme.ColorNamePressed), 2
	v.tip.paint(c)
}

// place puts everything where it belongs.
func (v *chartView) place(all fyne.Size) {
	c := v.c
	at, size := c.area()
	v.plot.Move(at)
	v.plot.Resize(size)
	v.ring.Move(at.SubtractXY(chartFrame, chartFrame))
	v.ring.Resize(size.AddWidthHeight(2*chartFrame, 2*chartFrame))
	for i, t := range v.lines {
		t.Hidden = t.Text == ""
		if !t.Hidden {
			y := at.Y + size.Height*float32(1-v.step*float64(i+1)/v.top)
			t.Move(fyne.NewPos(at.X+size.Width+chartGutter, y-t.MinSize().Height/2))
		}
	}
	v.placeMarks(at, size)
	v.placeEmpty(at, size)

	slot, pointed := c.Pointed()
	v.band.Hidden = !pointed
	v.tip.show(pointed)
	if pointed {
		left, right := v.edges(size.Width, c.cursor)
		v.band.Move(fyne.NewPos(at.X+left, at.Y))
		v.band.Resize(fyne.NewSize(right-left, size.Height))
		v.tip.place(c, slot, at.X+left, at.X+right, all.Width-c.gutter)
	}
}

// placeMarks names steps of the lower axis, as many as have room.
func (v *chartView) placeMarks(at fyne.Position, size fyne.Size) {
	c, next, free := v.c, 0, at.X
	for i, s := range c.slots {
		if s.Mark == "" || next == len(v.marks) {
			continue
		}
		t := v.marks[next]
		t.Text, t.TextSize, t.Color = s.Mark, extent(c, theme.SizeSmall), hue(c, theme.Muted)
		left, _ := v.edges(size.Width, i)
		wide := t.MinSize().Width
		if at.X+left < free || left+wide > size.Width+c.gutter {
			continue
		}
		t.Hidden = false
		t.Move(fyne.NewPos(at.X+left, at.Y+size.Height+4))
		free = at.X + left + wide + 14
		next++
	}
	for _, t := range v.marks[next:] {
		t.Hidden = true
	}
}

func (v *chartView) placeEmpty(at fyne.Position, size fyne.Size) {
	v.title.Hidden, v.hint.Hidden = v.title.Text == "", v.hint.Text == ""
	first, second := v.title.MinSize().Height, v.hint.MinSize().Height
	if v.hint.Hidden {
		second = 0
	}
	y := at.Y + (size.Height-first-second-2)/2
	v.title.Move(fyne.NewPos(at.X, y))
	v.title.Resize(fyne.NewSize(size.Width, first))
	v.hint.Move(fyne.NewPos(at.X, y+first+2))
	v.hint.Resize(fyne.NewSize(size.Width, second))
}

// edges of a slot, in the same measure as width.
func (v *chartView) edges(width float32, slot int) (left, right float32) {
	n := float32(len(v.c.slots))
	return width * float32(slot) / n, width * float32(slot+1) / n
}

// raster draws grid, axis and bars, pixel by pixel, so that every edge is on one whatever the scale of the screen.
func (v *chartView) raster(w, h int) image.Image {
	c := v.c
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	_, size := c.area()
	scale := float64(w) / float64(size.Width)
	hair := max(int(math.Round(scale)), 1)
	fill := func(r image.Rectangle, name fyne.ThemeColorName) {
		draw.Draw(img, r, image.NewUniform(hue(c, name)), image.Point{}, draw.Src)
	}
	floor := h - hair
	height := func(value float64) int { return int(math.Round(value / v.top * float64(floor))) }
	for i := 1; v.step > 0 && v.step*float64(i) <= v.top; i++ {
		y := floor - height(v.step*float64(i))
		fill(image.Rect(0, y, w, y+hair), fynetheme.ColorNameSeparator)
	}
	if c.slots == nil {
		skeletonBars(fill, w, floor)
	}
	if v.top > 0 {
		v.bars(img, floor, hair, scale, height)
	}
	fill(image.Rect(0, floor, w, h), theme.Track)
	return img
}

// skeletonBars stand where bars will be that are not known yet.
func skeletonBars(fill func(image.Rectangle, fyne.ThemeColorName), w, floor int) {
	heights := []float64{.3, .45, .4, .6, .5, .35, .55, .7}
	const count = 24
	for i := range count {
		left, right := w*i/count, w*(i+1)/count-w/count/3
		fill(image.Rect(left, floor-int(heights[i%len(heights)]*float64(floor)), right, floor), fynetheme.ColorNameSeparator)
	}
}

// bars draws the slots' stacks onto the floor.
func (v *chartView) bars(img *image.NRGBA, floor, hair int, scale float64, height func(float64) int) {
	c, w := v.c, img.Bounds().Dx()
	slot := float64(w) / float64(len(c.slots))
	between := max(int(math.Round(slot*0.22)), hair)
	round := min(2*scale, slot/4)
	for i, s := range c.slots {
		left := int(math.Round(slot*float64(i))) + between/2
		right := int(math.Round(slot*float64(i+1))) - (between - between/2)
		bottom, sum := floor, 0.
		last := -1 // the series on top
		for j := range c.series {
			if value(s, j) > 0 {
				last = j
			}
		}
		for j, series := range c.series {
			if value(s, j) <= 0 {
				continue
			}
			sum += value(s, j)
			top := min(floor-height(sum), bottom-2*hair) // what is there at all is seen
			radius := 0.
			if j == last {
				radius = min(round, float64(bottom-top))
			}
			slab(img, image.Rect(left, max(top, 0), max(right, left+1), bottom), radius, hue(c, series.Color))
			bottom = top - hair // parted, to be told apart without colour
		}
	}
}

// slab is a rectangle whose upper corners are round.
func slab(img *image.NRGBA, r image.Rectangle, radius float64, tint color.Color) {
	solid := color.NRGBAModel.Convert(tint).(color.NRGBA)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			part := solid
			if dy := radius - (float64(y-r.Min.Y) + .5); dy > 0 {
				dx := max(radius-(float64(x-r.Min.X)+.5), radius-(float64(r.Max.X-x)-.5), 0)
				cover := min(max(radius-math.Hypot(dx, dy)+.5, 0), 1)
				part.A = uint8(float64(solid.A)*cover + .5)
			}
			if part.A == 255 || img.NRGBAAt(x, y).A == 0 {
				img.SetNRGBA(x, y, part)
			}
		}
	}
}
