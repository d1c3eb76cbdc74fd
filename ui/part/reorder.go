package part

import (
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// ReorderItem is one row of a Reorder.
type ReorderItem struct {
	ID      string // stays with it
	Name    string // for who cannot see it
	Content fyne.CanvasObject
	Fixed   bool // it has no handle and stays above those that have one
}

// Reorder is a column of rows that a person puts into an order: by the handle at the left of each, with a line where the
// row would go, or with the keyboard on the handle. Alt+↑ and Alt+↓ move a row at once, ↑ and ↓ lead to another one; Space
// picks a row up, ↑ and ↓ carry it, Space or Enter put it down. Escape puts it back where it was, also while it is dragged.
type Reorder struct {
	widget.BaseWidget
	Moved func(id string, order []string) // the row that was moved, and all that are not fixed as they stand now; nil: nobody listens
	// Label says what a handle is for, for screen readers: "Move NAME, 2 of 5". It is said anew after each move.
	Label func(name string, place, of int) string
	// Follow has the rows from top to bottom, in this widget's own coordinates, be seen, and returns how far that moved
	// the content up. nil: all is seen always.
	Follow func(top, bottom float32) (scrolled float32)

	// Head is how high the part of a row is that its handle stands beside, where rows are longer than that. 0: all of it.
	Head float32

	rows   []*reorderRow
	line   *canvas.Rectangle
	knob   *canvas.Circle  // at the line's beginning
	held   *reorderRow     // the row in hand; nil: none
	offset float32         // how far it was dragged
	target int             // its place among the movable rows, were it let go
	byKey  bool            // picked up with the keyboard: it stays where it is until it is put down
	over   bool            // the drag was called off: what is left of it means nothing
	glide  *fyne.Animation // of rows to their places; nil: there was none
}

// reorderTime is how long rows take to their new places.
const reorderTime = 140 * time.Millisecond

// NewReorder makes one without rows.
func NewReorder(moved func(id string, order []string)) *Reorder {
	r := &Reorder{Moved: moved, line: &canvas.Rectangle{}, knob: &canvas.Circle{}}
	r.line.Hide()
	r.knob.Hide()
	r.ExtendBaseWidget(r)
	return r
}

// Set changes what the rows are and their order, fixed ones first. Rows keep their focus by their IDs. A row in hand stays
// in hand as long as it is there.
func (r *Reorder) Set(items ...ReorderItem) {
	known := map[string]*reorderRow{}
	for _, row := range r.rows {
		known[row.item.ID] = row
	}
	rows := make([]*reorderRow, 0, len(items))
	for _, item := range items {
		row := known[item.ID]
		if row == nil {
			row = newReorderRow(r)
		}
		row.set(item)
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b *reorderRow) int { return fixedFirst(a) - fixedFirst(b) })
	if r.held != nil && !slices.Contains(rows, r.held) {
		r.let()
	}
	if slices.Equal(r.rows, rows) {
		return
	}
	on := slices.IndexFunc(r.movable(), func(row *reorderRow) bool { return row.grip.focused && !slices.Contains(rows, row) })
	r.rows = rows
	r.Refresh()
	if on >= 0 {
		r.rest(on)
	}
}

// rest takes the keyboard, whose row is gone, to the one in its place.
func (r *Reorder) rest(place int) {
	c, rows := canvasFor(r), r.movable()
	switch {
	case c == nil:
	case len(rows) == 0:
		c.Unfocus()
	default:
		c.Focus(rows[min(place, len(rows)-1)].grip)
	}
}

func fixedFirst(row *reorderRow) int {
	if row.item.Fixed {
		return 0
	}
	return 1
}

// Order is the IDs of the rows that can be moved, as they stand.
func (r *Reorder) Order() (ids []string) {
	for _, row := range r.movable() {
		ids = append(ids, row.item.ID)
	}
	return ids
}

// Handle is what a person takes a row by; nil for one that is not there or fixed.
func (r *Reorder) Handle(id string) *Grip {
	for _, row := range r.rows {
		if row.item.ID == id && !row.item.Fixed {
			return row.grip
		}
	}
	return nil
}

// Holding tells whether a row is in hand.
func (r *Reorder) Holding() bool { return r.held != nil }

// LineAt is where the line that shows the place of the row in hand is; ok is false where none is to be seen.
func (r *Reorder) LineAt() (y float32, ok bool) {
	return r.line.Position().Y, r.line.Visible()
}

func (r *Reorder) movable() (rows []*reorderRow) {
	for _, row := range r.rows {
		if !row.item.Fixed {
			rows = append(rows, row)
		}
	}
	return rows
}

func (r *Reorder) place(row *reorderRow) int { return slices.Index(r.movable(), row) }

// drag carries a row dy further.
func (r *Reorder) drag(row *reorderRow, dy float32) {
	if r.over {
		return
	}
	if r.held != row {
		r.let()
		r.held, r.offset, r.target = row, 0, r.place(row)
	}
	r.offset += dy
	top := row.top + r.offset
	first := r.movable()[0]
	top = min(max(top, first.top-row.high/3), r.Size().Height-row.high*2/3)
	if r.Follow != nil {
		r.offset += r.Follow(top, top+row.high)
	}
	middle := top + row.high/2
	r.target = 0
	for _, other := range r.movable() {
		if other != row && other.top+other.high/2 < middle {
			r.target++
		}
	}
	r.Refresh()
}

// dragEnd lets go of what was dragged.
func (r *Reorder) dragEnd() {
	if r.over {
		r.over = false
		return
	}
	if r.held != nil {
		r.put()
	}
}

// put lets the row in hand down where it is.
func (r *Reorder) put() {
	row, to, from := r.held, r.target, r.places()
	moved := r.place(row) != to
	r.let()
	if moved {
		r.rearrange(row, to)
	}
	r.settle(from)
	if moved && r.Moved != nil {
		r.Moved(row.item.ID, r.Order())
	}
}

// let forgets what was in hand, where it was.
func (r *Reorder) let() {
	r.held, r.offset, r.byKey = nil, 0, false
	r.Refresh()
}

// call off a move; true where there was one.
func (r *Reorder) callOff() bool {
	if r.held == nil {
		return false
	}
	r.over = !r.byKey // until the button is let go
	from := r.places()
	r.let()
	r.settle(from)
	return true
}

// step moves a row by one place at once.
func (r *Reorder) step(row *reorderRow, by int) {
	to := r.place(row) + by
	if to < 0 || to >= len(r.movable()) {
		return
	}
	from := r.places()
	r.rearrange(row, to)
	r.settle(from)
	if r.Follow != nil {
		r.Follow(row.top, row.top+row.high)
	}
	if r.Moved != nil {
		r.Moved(row.item.ID, r.Order())
	}
}

// rearrange gives a movable row another place among them.
func (r *Reorder) rearrange(row *reorderRow, to int) {
	fixed := len(r.rows) - len(r.movable())
	rows := slices.DeleteFunc(slices.Clone(r.rows), func(other *reorderRow) bool { return other == row })
	r.rows = slices.Insert(rows, fixed+to, row)
	r.Refresh()
}

// places are where rows are seen now.
func (r *Reorder) places() map[*reorderRow]float32 {
	at := map[*reorderRow]float32{}
	for _, row := range r.rows {
		at[row] = row.Position().Y
	}
	return at
}

// settle has rows glide to their places from where they were. Those that still glide from an earlier move go on from there.
func (r *Reorder) settle(from map[*reorderRow]float32) {
	if r.glide != nil {
		r.glide.Stop()
	}
	way := map[*reorderRow]float32{}
	for _, row := range r.rows {
		row.shift = 0
		if distance := from[row] - row.top; distance != 0 {
			way[row] = distance
		}
	}
	if len(way) == 0 {
		return
	}
	r.glide = fyne.NewAnimation(reorderTime, func(done float32) {
		for row, distance := range way {
			row.shift = distance * (1 - done)
		}
		r.arrange(r.Size())
	})
	r.glide.Curve = fyne.AnimationEaseOut
	r.glide.Start()
}

// lead takes the focus to the handle of another row, or the last on the way there.
func (r *Reorder) lead(row *reorderRow, by int) {
	rows := r.movable()
	to := rows[min(max(r.place(row)+by, 0), len(rows)-1)]
	if c := canvasFor(r); c != nil && to != row {
		c.Focus(to.grip)
		if r.Follow != nil {
			r.Follow(to.top, to.top+to.high)
		}
	}
}

// carry picks a row up with the keyboard, or carries it on.
func (r *Reorder) carry(row *reorderRow, by int) {
	if r.held == nil {
		r.held, r.byKey, r.target = row, true, r.place(row)
	}
	r.target = min(max(r.target+by, 0), len(r.movable())-1)
	r.Refresh()
	if y, ok := r.LineAt(); ok && r.Follow != nil {
		r.Follow(y-row.high/2, y+row.high/2)
	}
}

// arrange puts everything where it belongs.
func (r *Reorder) arrange(size fyne.Size) {
	var y float32
	for _, row := range r.rows {
		row.top, row.high = y, row.MinSize().Height
		y += row.high
		at := row.top + row.shift
		if row == r.held {
			at += r.offset
		}
		row.Resize(fyne.NewSize(size.Width, row.high))
		row.Move(fyne.NewPos(0, at))
	}
	r.drawLine(size)
}

// drawLine shows where the row in hand would go, unless that is where it is.
func (r *Reorder) drawLine(size fyne.Size) {
	if r.held == nil || r.place(r.held) == r.target {
		r.line.Hide()
		r.knob.Hide()
		return
	}
	rows := r.movable()
	at := rows[r.target].top
	if r.target > r.place(r.held) {
		at += rows[r.target].high
	}
	const thick, inset, across = 2, 7, 8
	r.line.Resize(fyne.NewSize(size.Width-2*inset, thick))
	r.line.Move(fyne.NewPos(inset, at-thick/2))
	r.line.Show()
	r.knob.Resize(fyne.NewSquareSize(across))
	r.knob.Move(fyne.NewPos(0, at-across/2))
	r.knob.Show()
}

// CreateRenderer is called by Fyne.
func (r *Reorder) CreateRenderer() fyne.WidgetRenderer {
	d := &drawing{}
	d.paint = func() {
		d.objects = d.objects[:0]
		for _, row := range r.rows {
			if row != r.held {
				d.objects = append(d.objects, row)
			}
		}
		if r.held != nil {
			d.objects = append(d.objects, r.held) // above the others, and the line above it
		}
		d.objects = append(d.objects, r.line, r.knob)
		r.line.FillColor, r.line.CornerRadius = hue(r, fynetheme.ColorNamePrimary), 1
		r.knob.FillColor, r.knob.StrokeColor, r.knob.StrokeWidth = hue(r, theme.Card), hue(r, fynetheme.ColorNamePrimary), 2
		r.arrange(r.Size())
	}
	d.layout = r.arrange
	d.least = func() (size fyne.Size) {
		for _, row := range r.rows {
			least := row.MinSize()
			size.Width = max(size.Width, least.Width)
			size.Height += least.Height
		}
		return size
	}
	d.paint()
	return d
}

// reorderRow is a row with its handle.
type reorderRow struct {
	widget.BaseWidget
	item  ReorderItem
	grip  *Grip
	top   float32 // where it belongs
	high  float32
	shift float32 // how far it still is from there
	owner *Reorder
}

func newReorderRow(owner *Reorder) *reorderRow {
	row := &reorderRow{owner: owner}
	row.grip = newGrip(row)
	row.ExtendBaseWidget(row)
	return row
}

func (row *reorderRow) set(item ReorderItem) {
	changed := row.item.Content != item.Content || row.item.Fixed != item.Fixed
	row.item = item
	if changed {
		row.Refresh()
	}
}

// CreateRenderer is called by Fyne.
func (row *reorderRow) CreateRenderer() fyne.WidgetRenderer {
	shadow, ground, veil := &canvas.Rectangle{}, &canvas.Rectangle{}, &canvas.Rectangle{}
	d := &drawing{}
	d.paint = func() {
		row.grip.Hidden = row.item.Fixed
		d.objects = []fyne.CanvasObject{shadow, ground, row.grip, row.item.Content, veil}
		shadow.FillColor, ground.FillColor, veil.FillColor = nil, nil, nil
		ground.StrokeColor, ground.StrokeWidth, ground.CornerRadius = nil, 0, 6
		shadow.CornerRadius, veil.CornerRadius = 8, 6
		switch {
		case row.owner.held == row:
			// It is on its way: the line tells where to.
			shadow.FillColor, ground.FillColor = hue(row, fynetheme.ColorNameShadow), hue(row, theme.Card)
			veil.FillColor = faint(hue(row, theme.Card), 0x88)
			ground.StrokeColor, ground.StrokeWidth = hue(row, fynetheme.ColorNamePrimary), ringWidth
		case row.grip.focused:
			ground.StrokeColor, ground.StrokeWidth = hue(row, fynetheme.ColorNamePrimary), ringWidth
		}
	}
	d.layout = func(size fyne.Size) {
		shadow.Resize(size.AddWidthHeight(2, 3))
		shadow.Move(fyne.NewPos(-1, 0))
		ground.Resize(size)
		veil.Resize(size)
		grip := row.grip.MinSize().Width
		head := size.Height
		if row.owner.Head > 0 {
			head = min(head, row.owner.Head)
		}
		row.grip.Resize(fyne.NewSize(grip, head))
		row.item.Content.Move(fyne.NewPos(grip, 0))
		row.item.Content.Resize(fyne.NewSize(size.Width-grip, size.Height))
	}
	d.least = func() fyne.Size {
		return row.item.Content.MinSize().AddWidthHeight(row.grip.MinSize().Width, 0)
	}
	d.paint()
	return d
}
