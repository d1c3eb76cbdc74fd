package part

import (
	"maps"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Column is one of a table's.
type Column struct {
	Key   string  // its name in Rows
	Title string  // what stands in the header
	Width float32 // at first
	Grow  bool    // takes the room that is left, and gives it first when there is little
	Right bool    // its cells end at the right edge: amounts. A unit after a space is set apart, so that numbers stand below each other.
	// Whole has it keep its Width where there is little room: its texts say nothing once they are cut, as a time of day.
	Whole bool
	// NoSort has nothing happen when the header is clicked.
	NoSort bool
}

// Cell is what a table shows in one row under one column.
type Cell struct {
	Text  string
	Muted bool
	Bold  bool
	Icon  fyne.Resource       // before the text; drawn in the colour of the text if it is one of the theme's
	Tip   string              // shown while the pointer rests on it: the exact time. A text that is cut is shown whole if this is "".
	Color fyne.ThemeColorName // of the text; "" is the usual one
	Bar   float64             // how much of the width is tinted behind the text, 0 … 1; none at 0 and below
}

// Rows are what a table shows. All of them are called on the UI goroutine, often, and must be quick. Len, ID and Cell are needed,
// any other may be nil.
type Rows struct {
	Len    func() int
	ID     func(row int) string              // stays with a thing while rows come and go: the selection goes by it
	Cell   func(row int, column string) Cell // called for rows that can be seen alone
	Sort   func(column string, down bool)    // a header was clicked: the page sorts, and the table shows its rows anew
	Open   func(id string)                   // Enter, double click
	Delete func(ids []string)                // Delete
	Copy   func(ids []string) string         // what Ctrl+C puts on the clipboard
	Menu   func(ids []string) *fyne.Menu     // right click, the menu key, Shift+F10
	Empty  func() (title, hint string)       // what stands where there are no rows
}

// Table shows rows under a header. Rows are selected as everywhere: by click, with Ctrl or Cmd and Shift, by arrows; what is selected,
// and the row that is on top, stay so by their IDs when the rows change.
type Table struct {
	widget.BaseWidget
	// OnScroll is called when other rows came into sight. nil: nobody listens.
	OnScroll func(atEnd bool)
	// OnSelect is called when a person selected other rows, or selected ones went. nil: nobody listens.
	OnSelect func(ids []string)
	// Follow keeps the last row in sight while it is: for logs.
	Follow bool
	// Label is what the table is called for those who cannot see it.
	Label string

	rows    Rows
	columns *columns
	picked  *selection
	sorted  string // the column that has the arrow; "": none
	down    bool

	list    *lines
	head    *header
	blank   *blank
	ring    *canvas.Rectangle
	look    look
	drawn   fyne.WidgetRenderer
	loading bool
	shown   int   // rows at the last Refresh
	top     place // the row on top then
	wanted  int   // the row to bring into sight once there is room; -1: none
	fresh   bool  // the rows are in another order: begin at the top

	focused, shift bool
	pressed        bool // a button of the mouse is down on a row
	tapped         string
	tappedAt       time.Time
	pointer        pointer
	tip            resting
}

// NewTable makes one.
func NewTable(all []Column, rows Rows) *Table {
	t := &Table{rows: rows, columns: newColumns(all), top: nowhere, wanted: -1, pointer: away}
	t.picked = newSelection(rows.Len, rows.ID)
	t.list, t.head, t.blank, t.ring = newLines(t), newHeader(t), newBlank(t), &canvas.Rectangle{}
	t.ExtendBaseWidget(t)
	t.look = look{of: t, units: make([]float32, len(all))}
	t.look.renew()
	return t
}

var _ = []interface {
	fyne.Focusable
	fyne.Shortcutable
	desktop.Keyable
	desktop.Mouseable
}{&Table{}}

// Refresh shows what the rows are now.
func (t *Table) Refresh() {
	otherTheme := t.look.renew()
	t.show()
	if otherTheme {
		t.BaseWidget.Refresh()
		t.list.rebuild()
	}
}

// show brings rows, selection and scrolling to what the rows are now.
func (t *Table) show() {
	atEnd, n := t.AtEnd(), t.rows.Len()
	unpicked := t.picked.follow()
	if n == t.shown && !t.fresh && t.stays() {
		t.list.renew()
	} else {
		t.shown = n
		t.list.rebuild()
		switch {
		case t.fresh:
			t.list.scroll(0)
		case t.Follow && atEnd:
			t.list.scroll(t.list.last())
		case t.list.offset() > 0:
			t.keep()
		}
	}
	t.fresh = false
	t.note()
	t.blank.show()
	if unpicked {
		t.tell()
	}
}

// stays reports whether the row on top is still the same.
func (t *Table) stays() bool {
	return t.top.row < 0 || t.top.row < t.rows.Len() && t.rows.ID(t.top.row) == t.top.id
}

// keep scrolls so that the row that was on top is there again. If it is gone, the one in its place is.
func (t *Table) keep() {
	if t.top.row < 0 {
		return
	}
	if row := find(t.top, t.rows.Len(), t.rows.ID); row >= 0 && row != t.top.row {
		t.list.scroll(t.list.offset() + float32(row-t.top.row)*rowPitch)
	}
}

// note remembers which row is on top.
func (t *Table) note() { t.top = t.picked.at(int(t.list.offset() / rowPitch)) }

// scrolled follows every movement of the rows.
func (t *Table) scrolled() {
	t.note()
	t.tip.off()
	t.point(t.pointer)
	if t.OnScroll != nil {
		t.OnScroll(t.AtEnd())
	}
}

// Selected are the IDs of the selected rows, from the top.
func (t *Table) Selected() []string { return t.picked.ids() }

// Select selects these rows and no others, and brings the first into sight. IDs that there are not are ignored.
func (t *Table) Select(ids ...string) {
	if first := t.picked.these(ids); first >= 0 {
		t.ScrollTo(first)
	}
	t.list.renew()
}

// tell says what is selected now.
func (t *Table) tell() {
	if t.OnSelect != nil {
		t.OnSelect(t.picked.ids())
	}
}

// SortedBy says which column's header has the arrow, and its direction.
func (t *Table) SortedBy(column string, down bool) {
	t.sorted, t.down = column, down
	t.head.Refresh()
}

// sort is what a click on a header does. Amounts begin with the largest.
func (t *Table) sort(i int) {
	column := t.columns.all[i]
	if column.NoSort || t.rows.Sort == nil {
		return
	}
	down := column.Right
	if t.sorted == column.Key {
		down = !t.down
	}
	t.SortedBy(column.Key, down)
	t.fresh = true
	t.rows.Sort(column.Key, down)
	if t.fresh { // the page did not refresh it already
		t.Refresh()
	}
}

// Widths are the columns' by their keys as far as a person changed them, to be remembered.
func (t *Table) Widths() map[string]float32 { return maps.Clone(t.columns.set) }

// SetWidths has columns as wide as they were. Keys that there are not are ignored.
func (t *Table) SetWidths(widths map[string]float32) {
	clear(t.columns.set)
	for key, width := range widths {
		if t.columns.index(key) >= 0 && width > 0 {
			t.columns.set[key] = width
		}
	}
	t.divide()
}

// divide gives columns their widths and lays out what is under them.
func (t *Table) divide() {
	t.columns.fit(max(t.Size().Width-2*tableSide, 0))
	t.head.Refresh()
	t.list.layout()
	t.blank.Refresh()
}

// fitColumn makes a column as wide as what can be seen in it, for a growing one the next.
func (t *Table) fitColumn(i int) {
	if t.columns.all[i].Grow && i+1 < len(t.columns.all) {
		i++
	}
	widest := t.head.widest(i)
	for _, r := range t.list.seen() {
		widest = max(widest, r.widest(i))
	}
	t.columns.set[t.columns.all[i].Key] = widest + 2*cellSide
	t.divide()
}

// ScrollTo brings a row into sight.
func (t *Table) ScrollTo(row int) {
	if row < 0 || row >= t.rows.Len() {
		return
	}
	if !t.laid() {
		t.wanted = row
		return
	}
	top := float32(row) * rowPitch
	switch height := t.list.Size().Height; {
	case top < t.list.offset():
		t.list.scroll(top)
	case top+rowPitch > t.list.offset()+height:
		t.list.scroll(top + rowPitch - height)
	}
}

// ScrollToEnd brings the last row into sight.
func (t *Table) ScrollToEnd() {
	if !t.laid() {
		t.wanted = t.rows.Len() - 1
		return
	}
	t.list.scroll(t.list.last())
}

// AtEnd reports whether the last row is in sight. A table that was not shown yet is at its end.
func (t *Table) AtEnd() bool { return !t.laid() || t.list.offset() >= t.list.last()-rowPitch/2 }

// laid reports whether there is any room for rows.
func (t *Table) laid() bool { return t.list.Size().Height > 0 }

// Loading shows a skeleton in place of rows until there are any.
func (t *Table) Loading(loading bool) {
	t.loading = loading
	t.blank.show()
}

// AccessibilityLabel is its name, how many rows it has, and the row that the keyboard is on.
func (t *Table) AccessibilityLabel() string { return t.spoken() }

// AccessibilityRole is text: a container would be passed over.
func (t *Table) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

const (
	tableSide  = 8  // left and right of all columns
	headHeight = 30 // of the header, with the hairline below it
	leastRows  = 3
)

// CreateRenderer is called by Fyne.
func (t *Table) CreateRenderer() fyne.WidgetRenderer {
	if t.drawn != nil {
		return t.drawn // Fyne forgets the renderers of what is out of sight for a minute
	}
	d := &drawing{objects: []fyne.CanvasObject{t.list, t.blank, t.head, t.ring}}
	d.paint = func() { t.rim() }
	d.layout = func(size fyne.Size) {
		atEnd := t.Follow && t.AtEnd()
		body := fyne.NewSize(size.Width, max(size.Height-headHeight, 0))
		t.columns.fit(max(size.Width-2*tableSide, 0))
		t.head.Resize(fyne.NewSize(size.Width, headHeight))
		for _, o := range []fyne.CanvasObject{t.list, t.blank, t.ring} {
			o.Move(fyne.NewPos(0, headHeight))
			o.Resize(body)
		}
		t.divide()
		if atEnd {
			t.ScrollToEnd()
		}
		if t.wanted >= 0 && t.laid() {
			t.ScrollTo(t.wanted)
			t.wanted = -1
		}
		t.note()
	}
	d.least = func() fyne.Size { return fyne.NewSize(280, headHeight+leastRows*rowPitch) }
	d.paint()
	t.drawn = d
	t.shown = t.rows.Len()
	t.blank.show()
	return d
}

// rim draws the ring of the keyboard around a table that has no row to draw it around.
func (t *Table) rim() {
	t.ring.FillColor, t.ring.StrokeWidth, t.ring.CornerRadius = nil, ringWidth, 5
	t.ring.StrokeColor = hue(t, fynetheme.ColorNamePrimary)
	t.ring.Hidden = !t.focused || t.rows.Len() > 0
	t.ring.Refresh()
}
