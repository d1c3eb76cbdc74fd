package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// lines is the list of a table's rows, as far as they can be seen. The table has the keyboard, not the list: it says that it is
// disabled, which is how Fyne passes over it.
type lines struct {
	widget.List
	table    *Table
	scroller *container.Scroll
	drawn    fyne.WidgetRenderer
	live     map[*row]struct{} // those that show something, and some that did before they were scrolled away
	stale    bool              // rows took more room than they have
}

func newLines(t *Table) *lines {
	l := &lines{table: t, live: map[*row]struct{}{}}
	l.Length, l.HideSeparators = t.rows.Len, true
	l.CreateItem = func() fyne.CanvasObject { return newRow(t) }
	l.UpdateItem = func(i widget.ListItemID, o fyne.CanvasObject) {
		r := o.(*row) //nolint:forcetypeassert // CreateItem makes no other
		l.live[r] = struct{}{}
		r.show(i)
	}
	l.ExtendBaseWidget(l)
	return l
}

// Disabled keeps Fyne from giving the list the keyboard.
func (l *lines) Disabled() bool { return true }

// Enable does nothing.
func (l *lines) Enable() {}

// Disable does nothing.
func (l *lines) Disable() {}

// MouseDown beside all rows is the table's: Fyne finds the list first.
func (l *lines) MouseDown(e *desktop.MouseEvent) { l.table.MouseDown(e) }

// MouseUp does nothing.
func (l *lines) MouseUp(*desktop.MouseEvent) {}

// CreateRenderer is called by Fyne. The list's renderer is kept: a new one would begin at the top again.
func (l *lines) CreateRenderer() fyne.WidgetRenderer {
	if l.drawn != nil {
		return l.drawn
	}
	l.drawn = l.List.CreateRenderer()
	l.scroller = l.drawn.Objects()[0].(*container.Scroll) //nolint:forcetypeassert // a list is nothing but that
	follow := l.scroller.OnScrolled
	l.scroller.OnScrolled = func(at fyne.Position) {
		follow(at)
		l.settle()
		l.table.scrolled()
	}
	return l.drawn
}

// offset is how far the rows are scrolled.
func (l *lines) offset() float32 {
	if l.scroller == nil {
		return 0
	}
	return l.scroller.Offset.Y
}

// last is the offset with the last row at the bottom, by the rows that were there when it was last drawn.
func (l *lines) last() float32 {
	height := float32(l.table.shown) * rowPitch
	if height > 0 && l.scroller != nil {
		height -= extent(l, fynetheme.SizeNamePadding) // there is none after the last
	}
	return max(height-l.Size().Height, 0)
}

// scroll brings the rows to an offset.
func (l *lines) scroll(to float32) {
	to = max(min(to, l.last()), 0)
	if l.scroller == nil || to == l.offset() {
		return
	}
	l.ScrollToOffset(to)
	l.settle()
	l.table.scrolled()
}

// rebuild has the list find out how many rows there are.
func (l *lines) rebuild() {
	clear(l.live)
	l.List.Refresh()
	l.settle()
}

// seen are the rows that show something now.
func (l *lines) seen() []*row {
	first := int(l.offset() / rowPitch)
	last := int((l.offset() + l.Size().Height) / rowPitch)
	var seen []*row
	for r := range l.live {
		if r.index >= first && r.index <= last && r.index < l.table.rows.Len() {
			seen = append(seen, r)
		}
	}
	return seen
}

// renew shows in the rows what is in them now.
func (l *lines) renew() {
	for _, r := range l.seen() {
		r.show(r.index)
	}
	l.settle()
}

// reshade draws anew which rows are selected, under the pointer and under the keyboard.
func (l *lines) reshade() {
	for _, r := range l.seen() {
		r.shade()
		r.ground.Refresh()
	}
}

// layout puts everything under its column.
func (l *lines) layout() {
	for r := range l.live {
		r.arrange()
	}
}

// settle lays rows out again after one of them showed a unit that was wider than all before.
func (l *lines) settle() {
	if l.stale {
		l.stale = false
		l.layout()
	}
}
