package settings

import (
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/part"
	"pulley/ui/theme"
)

// row is one thing that can be set: what it is at the left, how it is set at the right, and below, where there is
// something to say of it, a note.
type row struct {
	widget.BaseWidget
	id          string // the key in config.toml, or the name of something else
	label, hint *part.Text
	control     fyne.CanvasObject
	note        *widget.Label
	ruled       bool // there is a line above it
	flashed     float32
}

func newRow(id, label, hint string, control fyne.CanvasObject) *row {
	r := &row{id: id, label: part.NewText(label).Giving(), hint: part.NewMuted(hint).Giving(), control: control, note: widget.NewLabel("")}
	r.note.Wrapping, r.note.SizeName = fyne.TextWrapWord, theme.SizeSmall
	r.note.Hide()
	r.ExtendBaseWidget(r)
	return r
}

// words are what it can be found by.
func (r *row) words() []string {
	return []string{r.id, r.label.Words(), r.hint.Words(), r.note.Text}
}

// say changes the note; "" takes it away.
func (r *row) say(text string, importance widget.Importance) {
	if r.note.Text == text && r.note.Importance == importance {
		return
	}
	r.note.Importance = importance
	r.note.SetText(text)
	part.Show(r.note, text != "")
	r.Refresh()
}

// explain changes what stands under the label.
func (r *row) explain(hint string) {
	if r.hint.Words() != hint {
		r.hint.Set(hint)
		r.Refresh()
	}
}

func (r *row) rule(on bool) {
	if r.ruled != on {
		r.ruled = on
		r.Refresh()
	}
}

// flash points it out for a moment.
func (r *row) flash() {
	fade := fyne.NewAnimation(1200*time.Millisecond, func(done float32) { r.flashed = 1 - done; r.Refresh() })
	fade.Start()
}

// CreateRenderer is called by Fyne.
func (r *row) CreateRenderer() fyne.WidgetRenderer {
	d := &drawing{row: r, ground: &canvas.Rectangle{CornerRadius: 6}, rule: &canvas.Rectangle{}}
	d.paint()
	return d
}

type drawing struct {
	row          *row
	ground, rule *canvas.Rectangle
	width        float32
}

// settingAir is above and below a row, and settingApart between what it is and how it is set.
const (
	air   = 9
	apart = 16
	least = 34
)

func (d *drawing) Objects() []fyne.CanvasObject {
	r := d.row
	return []fyne.CanvasObject{d.ground, d.rule, r.label, r.hint, r.control, r.note}
}

func (d *drawing) Destroy() {}

func (d *drawing) paint() {
	r := d.row
	d.ground.FillColor, d.rule.FillColor = color.Transparent, color.Transparent
	if r.flashed > 0.05 {
		d.ground.FillColor = fynetheme.ColorForWidget(fynetheme.ColorNameSelection, r)
	}
	if r.ruled {
		d.rule.FillColor = fynetheme.ColorForWidget(fynetheme.ColorNameSeparator, r)
	}
	d.rule.Hidden = !r.ruled
	r.hint.Hidden = r.hint.Words() == ""
}

func (d *drawing) Refresh() {
	d.paint()
	d.Layout(d.row.Size())
	for _, object := range d.Objects() {
		object.Refresh()
	}
}

// main is how high the row is without its note.
func (d *drawing) main() float32 {
	r := d.row
	text := r.label.MinSize().Height
	if r.hint.Words() != "" {
		text += r.hint.MinSize().Height
	}
	return max(text, r.control.MinSize().Height, least)
}

func (d *drawing) Layout(size fyne.Size) {
	r := d.row
	d.width = size.Width
	d.ground.Move(fyne.NewPos(-8, 1))
	d.ground.Resize(size.AddWidthHeight(16, -2))
	d.rule.Resize(fyne.NewSize(size.Width, 1))
	main := d.main()
	control := r.control.MinSize()
	control.Width = min(control.Width, size.Width*0.7)
	r.control.Resize(control)
	r.control.Move(fyne.NewPos(size.Width-control.Width, air+(main-control.Height)/2))
	room := max(size.Width-control.Width-apart, 0)
	label, hint := r.label.MinSize().Height, float32(0)
	if r.hint.Words() != "" {
		hint = r.hint.MinSize().Height
	}
	top := air + (main-label-hint)/2
	r.label.Move(fyne.NewPos(0, top))
	r.label.Resize(fyne.NewSize(room, label))
	r.hint.Move(fyne.NewPos(0, top+label))
	r.hint.Resize(fyne.NewSize(room, hint))
	if r.note.Visible() {
		pad := fynetheme.SizeForWidget(fynetheme.SizeNameInnerPadding, r)
		r.note.Move(fyne.NewPos(-pad, air+main))
		r.note.Resize(fyne.NewSize(size.Width+2*pad, r.note.MinSize().Height))
	}
}

func (d *drawing) MinSize() fyne.Size {
	r := d.row
	size := fyne.NewSize(r.control.MinSize().Width+apart+80, d.main()+2*air)
	if r.note.Visible() {
		size.Height += r.note.MinSize().Height - air
	}
	return size
}
