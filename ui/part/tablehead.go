package part

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/theme"
)

// header holds the titles of a table's columns. A click sorts, an edge is dragged; with the keyboard, arrows go from one to the next,
// space and return sort, Shift and an arrow move the edge.
type header struct {
	widget.BaseWidget
	table   *Table
	titles  []*Text
	grounds []*canvas.Rectangle
	arrow   *canvas.Image
	grip    *canvas.Rectangle
	rule    *canvas.Rectangle
	drawn   *drawing

	hovered, at    int // the column under the pointer, and the one under the keyboard; -1: none
	edge           int // the edge under the pointer; -1: none
	dragged        int // the edge that is being dragged; -1: none
	focused, shift bool
	start          float32 // where the pointer took it, from the edge
	tapped         int     // the edge that was tapped
	tappedAt       time.Time
}

var _ = []interface {
	fyne.Focusable
	fyne.Tappable
	fyne.Draggable
	desktop.Hoverable
	desktop.Cursorable
	desktop.Keyable
}{&header{}}

func newHeader(t *Table) *header {
	h := &header{table: t, hovered: -1, edge: -1, dragged: -1, tapped: -1}
	for _, column := range t.columns.all {
		h.titles = append(h.titles, NewMuted(column.Title).Giving())
		h.grounds = append(h.grounds, &canvas.Rectangle{CornerRadius: 5})
	}
	h.ExtendBaseWidget(h)
	return h
}

func (h *header) sortable(i int) bool {
	return i >= 0 && h.table.rows.Sort != nil && !h.table.columns.all[i].NoSort
}

const arrowSide = 18 // with much air around the arrow

// widest is the width of a title with its arrow.
func (h *header) widest(i int) float32 {
	title := h.titles[i]
	width := title.measure(title.Words()).Width
	if h.sortable(i) {
		width += arrowSide
	}
	return width
}

// CreateRenderer is called by Fyne.
func (h *header) CreateRenderer() fyne.WidgetRenderer {
	if h.drawn != nil {
		return h.drawn
	}
	h.arrow = &canvas.Image{FillMode: canvas.ImageFillContain}
	h.grip, h.rule = &canvas.Rectangle{CornerRadius: 1}, &canvas.Rectangle{}
	d := &drawing{objects: []fyne.CanvasObject{h.rule}}
	for i := range h.titles {
		d.objects = append(d.objects, h.grounds[i], h.titles[i])
	}
	d.objects = append(d.objects, h.arrow, h.grip)
	d.paint = h.paint
	d.layout = h.layout
	d.least = func() fyne.Size { return fyne.NewSize(leastColumn, headHeight) }
	h.drawn = d
	d.paint()
	return d
}

func (h *header) paint() {
	h.rule.FillColor = hue(h, fynetheme.ColorNameSeparator)
	h.grip.FillColor = hue(h, fynetheme.ColorNamePrimary)
	h.grip.Hidden = h.edge < 0 && h.dragged < 0
	for i, ground := range h.grounds {
		ground.FillColor, ground.StrokeColor, ground.StrokeWidth = nil, nil, 0
		if i == h.hovered && h.sortable(i) && h.grip.Hidden {
			ground.FillColor = hue(h, fynetheme.ColorNameHover)
		}
		if h.focused && i == h.at {
			ground.StrokeColor, ground.StrokeWidth = hue(h, fynetheme.ColorNamePrimary), ringWidth
		}
		name := theme.Muted
		if h.table.columns.all[i].Key == h.table.sorted {
			name = fynetheme.ColorNameForeground
		}
		h.titles[i].Tint(name)
	}
	icon := fynetheme.MenuDropUpIcon()
	if h.table.down {
		icon = fynetheme.MenuDropDownIcon()
	}
	h.arrow.Resource = fynetheme.NewColoredResource(icon, fynetheme.ColorNameForeground)
	h.arrow.Refresh() // a Resize before it would remember the former drawing under the new one's name
	h.arrow.Hidden = h.table.columns.index(h.table.sorted) < 0
}

func (h *header) layout(size fyne.Size) {
	h.rule.Move(fyne.NewPos(0, size.Height-1))
	h.rule.Resize(fyne.NewSize(size.Width, 1))
	c := h.table.columns
	for i, title := range h.titles {
		left, width := tableSide+c.left[i], c.wide[i]
		h.grounds[i].Move(fyne.NewPos(left+1, 3))
		h.grounds[i].Resize(fyne.NewSize(max(width-2, 0), size.Height-7))
		least, room := title.measure(title.Words()), width-2*cellSide
		sorted := c.all[i].Key == h.table.sorted
		if sorted {
			room -= arrowSide
		}
		taken := max(min(least.Width, room), 0)
		top := (size.Height - 1 - least.Height) / 2
		at, arrow := left+cellSide, left+cellSide+taken
		if c.all[i].Right { // the title ends where the numbers do
			at = left + width - cellSide - taken
			arrow = at - arrowSide
		}
		title.Move(fyne.NewPos(at, top))
		title.Resize(fyne.NewSize(taken, least.Height))
		if sorted {
			h.arrow.Move(fyne.NewPos(arrow, (size.Height-1-arrowSide)/2))
			h.arrow.Resize(fyne.NewSquareSize(arrowSide))
		}
	}
	edge := h.edge
	if h.dragged >= 0 {
		edge = h.dragged
	}
	if edge >= 0 {
		h.grip.Move(fyne.NewPos(tableSide+c.left[edge+1]-1, 6))
		h.grip.Resize(fyne.NewSize(2, size.Height-13))
	}
}

// MouseIn follows the pointer.
func (h *header) MouseIn(e *desktop.MouseEvent) { h.MouseMoved(e) }

// MouseMoved notes which title or edge is under the pointer.
func (h *header) MouseMoved(e *desktop.MouseEvent) {
	x := e.Position.X - tableSide
	if edge, hovered := h.table.columns.edge(x), h.table.columns.under(x); edge != h.edge || hovered != h.hovered {
		h.edge, h.hovered = edge, hovered
		h.Refresh()
	}
}

// MouseOut forgets it.
func (h *header) MouseOut() {
	h.edge, h.hovered = -1, -1
	h.Refresh()
}

// Cursor says what can be done here.
func (h *header) Cursor() desktop.Cursor {
	switch {
	case h.edge >= 0 || h.dragged >= 0:
		return desktop.HResizeCursor
	case h.sortable(h.hovered):
		return desktop.PointerCursor
	default:
		return desktop.DefaultCursor
	}
}

// Dragged moves the edge that it began at.
func (h *header) Dragged(e *fyne.DragEvent) {
	if h.dragged < 0 {
		if h.dragged = h.table.columns.edge(e.Position.X - e.Dragged.DX - tableSide); h.dragged < 0 {
			return
		}
		h.start = e.Position.X - e.Dragged.DX - h.table.columns.left[h.dragged+1]
	}
	h.table.columns.drag(h.dragged, e.Position.X-h.start-h.table.columns.left[h.dragged+1])
	h.table.divide()
}

// DragEnd lets go of the edge.
func (h *header) DragEnd() {
	h.dragged = -1
	h.Refresh()
}

// Tapped sorts; on an edge, the second time, it fits the column to what is in it.
func (h *header) Tapped(e *fyne.PointEvent) {
	x := e.Position.X - tableSide
	edge, now := h.table.columns.edge(x), time.Now()
	twice := edge >= 0 && edge == h.tapped && now.Sub(h.tappedAt) < fyne.CurrentApp().Driver().DoubleTapDelay()
	h.tapped, h.tappedAt = edge, now
	switch column := h.table.columns.under(x); {
	case twice:
		h.tapped = -1
		h.table.fitColumn(edge)
	case edge < 0 && column >= 0:
		h.at = column
		h.table.sort(column)
	}
}

// FocusGained draws the ring.
func (h *header) FocusGained() {
	h.focused = true
	h.Refresh()
}

// FocusLost takes it away.
func (h *header) FocusLost() {
	h.focused, h.shift = false, false
	h.Refresh()
}

// TypedRune ignores text.
func (h *header) TypedRune(rune) {}

// KeyDown notes Shift.
func (h *header) KeyDown(e *fyne.KeyEvent) { h.shift = h.shift || isShift(e) }

// KeyUp forgets it.
func (h *header) KeyUp(e *fyne.KeyEvent) { h.shift = h.shift && !isShift(e) }

// TypedKey goes from title to title, sorts, and with Shift moves edges.
func (h *header) TypedKey(e *fyne.KeyEvent) {
	const step = 12
	last := len(h.titles) - 1
	switch {
	case presses(e):
		h.table.sort(h.at)
	case e.Name == fyne.KeyLeft && h.shift:
		h.nudge(-step)
	case e.Name == fyne.KeyRight && h.shift:
		h.nudge(step)
	case e.Name == fyne.KeyLeft:
		h.at = max(h.at-1, 0)
	case e.Name == fyne.KeyRight:
		h.at = min(h.at+1, last)
	case e.Name == fyne.KeyHome:
		h.at = 0
	case e.Name == fyne.KeyEnd:
		h.at = last
	case e.Name == fyne.KeyDown:
		h.table.grab()
	default:
		PassKey(h, e)
		return
	}
	h.Refresh()
}

// nudge moves the right edge of the title under the keyboard, of the last one its left edge.
func (h *header) nudge(by float32) {
	if h.at == len(h.titles)-1 {
		h.table.columns.drag(h.at-1, -by)
	} else {
		h.table.columns.drag(h.at, by)
	}
	h.table.divide()
}

// AccessibilityLabel is the title under the keyboard and how the table is sorted.
func (h *header) AccessibilityLabel() string {
	title := h.table.columns.all[h.at].Title
	if h.table.columns.all[h.at].Key != h.table.sorted {
		return title
	}
	if h.table.down {
		return lang.Say("parts.sortedDown", "Column", title)
	}
	return lang.Say("parts.sortedUp", "Column", title)
}

// AccessibilityRole is a button: it can be pressed.
func (h *header) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }
