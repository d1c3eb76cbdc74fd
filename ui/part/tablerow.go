package part

import (
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

const (
	rowPitch = 30 // from one row to the next
	cellSide = 8  // left and right of what is in a cell
	iconSide = 16
	iconGap  = 6
	unitGap  = 4 // between a number and its unit
)

// row shows one of a table's rows, and another when it is scrolled out of sight. All of its cells are drawn by itself: a widget for
// each would cost more than all the rest.
type row struct {
	widget.BaseWidget
	table  *Table
	index  int
	slots  []slot
	ground *canvas.Rectangle
	drawn  *drawing
	turn   int // of the look that it was drawn with
}

// slot is a cell of a row and what it is drawn with.
type slot struct {
	cell  Cell
	known bool // cell is what is drawn
	text  *canvas.Text
	unit  *canvas.Text      // nil until there is one, as below
	icon  *canvas.Image     // nil: no cell here had one
	bar   *canvas.Rectangle // nil: the same
	cut   bool              // there is less to be read than the cell says
}

var _ = []interface {
	desktop.Hoverable
	desktop.Mouseable
	fyne.Tappable
	fyne.SecondaryTappable
}{&row{}}

func newRow(t *Table) *row {
	r := &row{table: t, index: -1}
	r.ExtendBaseWidget(r)
	return r
}

// MinSize leaves out what the list puts between rows.
func (r *row) MinSize() fyne.Size {
	return fyne.NewSize(leastColumn, rowPitch-extent(r, fynetheme.SizeNamePadding))
}

// Resize takes in what the list puts between rows: the pointer is never between two.
func (r *row) Resize(size fyne.Size) {
	r.BaseWidget.Resize(fyne.NewSize(size.Width, rowPitch))
}

// show shows another row, or the same one anew.
func (r *row) show(index int) {
	t := r.table
	if r.drawn == nil {
		r.CreateRenderer()
	}
	r.index = index
	if index < 0 || index >= t.rows.Len() {
		return
	}
	r.shade()
	if r.turn != t.look.turn {
		r.turn = t.look.turn
		r.forget()
	}
	for i := range r.slots {
		cell := t.rows.Cell(index, t.columns.all[i].Key)
		if s := &r.slots[i]; !s.known || s.cell != cell {
			s.cell, s.known = cell, true
			r.dress(i)
			r.place(i)
		}
	}
	canvas.Refresh(r)
}

// forget has all cells drawn anew.
func (r *row) forget() {
	for i := range r.slots {
		r.slots[i].known = false
		if icon := r.slots[i].icon; icon != nil {
			icon.Resource = nil // its colour may be another now
		}
	}
}

// shade draws what tells the row from others: selected, under the pointer, under the keyboard.
func (r *row) shade() {
	t := r.table
	id := t.rows.ID(r.index)
	r.ground.FillColor, r.ground.StrokeColor, r.ground.StrokeWidth = nil, nil, 0
	switch {
	case t.picked.has(id):
		r.ground.FillColor = t.look.colour(fynetheme.ColorNameSelection)
	case t.pointer.row == r.index:
		r.ground.FillColor = t.look.colour(fynetheme.ColorNameHover)
	}
	if t.focused && t.picked.cursor.row == r.index {
		r.ground.StrokeColor, r.ground.StrokeWidth = t.look.colour(fynetheme.ColorNamePrimary), ringWidth
	}
}

// dress gives the objects of a cell their contents and colours.
func (r *row) dress(i int) {
	s, look, column := &r.slots[i], &r.table.look, &r.table.columns.all[i]
	tint := look.colour(ink(&s.cell))
	s.text.Color, s.text.TextSize, s.text.TextStyle.Bold = tint, look.size, s.cell.Bold
	unit := ""
	if column.Right {
		s.text.Alignment = fyne.TextAlignTrailing
		_, unit = amount(s.cell.Text)
	}
	if unit != "" && s.unit == nil {
		s.unit = &canvas.Text{}
		r.gather()
	}
	if s.unit != nil {
		s.unit.Color, s.unit.TextSize, s.unit.TextStyle.Bold, s.unit.Text = tint, look.size, s.cell.Bold, unit
		s.unit.Hidden = unit == ""
		if width := look.fit(s.cell.Bold).width(unit); width > look.units[i] {
			look.units[i] = width
			r.table.list.stale = true // rows above have less room than they took
		}
	}
	if s.cell.Icon != nil && s.icon == nil {
		s.icon = &canvas.Image{FillMode: canvas.ImageFillContain}
		r.gather()
	}
	if s.icon != nil {
		s.icon.Hidden = s.cell.Icon == nil
		if !s.icon.Hidden {
			if tinted := look.icon(&s.cell); tinted != s.icon.Resource {
				s.icon.Resource = tinted
				s.icon.Refresh()
			}
		}
	}
	if s.cell.Bar > 0 && s.bar == nil {
		s.bar = &canvas.Rectangle{CornerRadius: 3}
		r.gather()
	}
	if s.bar != nil {
		s.bar.Hidden = s.cell.Bar <= 0
		name := s.cell.Color
		if name == "" {
			name = theme.Cached
		}
		s.bar.FillColor = faint(look.colour(name), barAlpha)
	}
}

const barAlpha = 0x30

// gather puts the objects in the order in which they are drawn.
func (r *row) gather() {
	objects := append(r.drawn.objects[:0], r.ground)
	for i := range r.slots {
		if bar := r.slots[i].bar; bar != nil {
			objects = append(objects, bar)
		}
	}
	for i := range r.slots {
		s := &r.slots[i]
		objects = append(objects, s.text)
		if s.unit != nil {
			objects = append(objects, s.unit)
		}
		if s.icon != nil {
			objects = append(objects, s.icon)
		}
	}
	r.drawn.objects = objects
}

// place puts a cell under its column.
func (r *row) place(i int) {
	s, t := &r.slots[i], r.table
	left, width := tableSide+t.columns.left[i]+cellSide, t.columns.wide[i]-2*cellSide
	top := (rowPitch - t.look.line) / 2
	if s.bar != nil && !s.bar.Hidden {
		s.bar.Move(fyne.NewPos(left-cellSide/2, 5))
		s.bar.Resize(fyne.NewSize(max((width+cellSide)*float32(min(s.cell.Bar, 1)), 3), rowPitch-10))
	}
	if s.icon != nil && !s.icon.Hidden {
		s.icon.Move(fyne.NewPos(left, (rowPitch-iconSide)/2))
		s.icon.Resize(fyne.NewSquareSize(iconSide))
		left, width = left+iconSide+iconGap, width-iconSide-iconGap
	}
	words := s.cell.Text
	if units := t.look.units[i]; units > 0 {
		words, _ = amount(words)
		width -= units
		if s.unit != nil {
			s.unit.Move(fyne.NewPos(left+width, top))
			s.unit.Resize(fyne.NewSize(units, t.look.line))
		}
		width -= unitGap
	}
	fitted := t.look.fit(s.cell.Bold).cut(words, width)
	s.cut = fitted != words
	s.text.Text = fitted
	s.text.Move(fyne.NewPos(left, top))
	s.text.Resize(fyne.NewSize(max(width, 0), t.look.line))
}

// arrange puts all cells under their columns.
func (r *row) arrange() {
	if r.drawn == nil {
		return
	}
	const side = 6 // clear of the scroll bar
	r.ground.Move(fyne.NewPos(side, 1))
	r.ground.Resize(fyne.NewSize(max(r.Size().Width-2*side, 0), rowPitch-2))
	for i := range r.slots {
		r.place(i)
	}
	canvas.Refresh(r)
}

// widest is the width of what is in a cell, uncut.
func (r *row) widest(i int) float32 {
	s := &r.slots[i]
	width := r.table.look.fit(s.cell.Bold).width(s.cell.Text)
	if s.unit != nil && !s.unit.Hidden {
		width += unitGap
	}
	if s.icon != nil && !s.icon.Hidden {
		width += iconSide + iconGap
	}
	return width
}

// CreateRenderer is called by Fyne.
func (r *row) CreateRenderer() fyne.WidgetRenderer {
	if r.drawn != nil {
		return r.drawn
	}
	r.ground = &canvas.Rectangle{CornerRadius: 5}
	r.slots = make([]slot, len(r.table.columns.all))
	for i := range r.slots {
		r.slots[i].text = &canvas.Text{}
	}
	r.drawn = &drawing{}
	r.drawn.paint = func() {
		r.forget()
		r.show(r.index)
	}
	r.drawn.layout = func(fyne.Size) { r.arrange() }
	r.drawn.least = func() fyne.Size { return fyne.NewSize(leastColumn, rowPitch) }
	r.gather()
	return r.drawn
}

// MouseIn follows the pointer.
func (r *row) MouseIn(e *desktop.MouseEvent) { r.MouseMoved(e) }

// MouseMoved follows the pointer.
func (r *row) MouseMoved(e *desktop.MouseEvent) {
	y := float32(r.index)*rowPitch - r.table.list.offset() + e.Position.Y
	r.table.point(pointer{in: true, x: e.Position.X, y: y})
}

// MouseOut forgets it.
func (r *row) MouseOut() { r.table.point(away) }

// MouseDown selects, as soon as the button goes down.
func (r *row) MouseDown(e *desktop.MouseEvent) {
	t := r.table
	t.grab()
	t.tip.off()
	if r.index >= t.rows.Len() {
		return
	}
	t.pressed = true
	control := e.Modifier&fyne.KeyModifierShortcutDefault != 0
	switch {
	case e.Button == desktop.MouseButtonSecondary:
		if t.picked.has(t.rows.ID(r.index)) {
			return
		}
		t.picked.only(r.index)
	case e.Modifier&fyne.KeyModifierShift != 0:
		t.picked.reach(r.index, control)
	case control:
		t.picked.toggle(r.index)
	default:
		t.picked.only(r.index)
	}
	t.list.reshade()
	t.tell()
}

// MouseUp does nothing: everything was done when it went down.
func (r *row) MouseUp(*desktop.MouseEvent) {}

// Tapped opens a row that was tapped shortly before. Fyne's own double tap would hold back every tap until it is sure.
func (r *row) Tapped(*fyne.PointEvent) {
	t := r.table
	if !t.pressed { // a finger
		r.MouseDown(&desktop.MouseEvent{Button: desktop.MouseButtonPrimary})
	}
	t.pressed = false
	if r.index >= t.rows.Len() {
		return
	}
	id, now := t.rows.ID(r.index), time.Now()
	twice := t.tapped == id && now.Sub(t.tappedAt) < fyne.CurrentApp().Driver().DoubleTapDelay()
	t.tapped, t.tappedAt = id, now
	if twice {
		t.tapped = ""
		t.open(id)
	}
}

// TappedSecondary opens the context menu of what is selected.
func (r *row) TappedSecondary(e *fyne.PointEvent) {
	if !r.table.pressed {
		r.MouseDown(&desktop.MouseEvent{Button: desktop.MouseButtonSecondary})
	}
	r.table.pressed = false
	r.table.menu(e.AbsolutePosition)
}

// AccessibilityLabel is all that stands in it.
func (r *row) AccessibilityLabel() string { return r.table.read(r.index) }

// AccessibilityRole is text.
func (r *row) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// read is what stands in a row.
func (t *Table) read(index int) string {
	if index < 0 || index >= t.rows.Len() {
		return ""
	}
	var words []string
	for _, column := range t.columns.all {
		if text := t.rows.Cell(index, column.Key).Text; text != "" {
			words = append(words, text)
		}
	}
	return strings.Join(words, ", ")
}
