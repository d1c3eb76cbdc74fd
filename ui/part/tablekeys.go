package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"pulley/ui/lang"
)

// pointer is where the mouse is over a table's rows, from their visible top.
type pointer struct {
	in   bool
	x, y float32
	row  int // -1: none
	col  int
}

var away = pointer{row: -1, col: -1}

// point takes note of where the pointer is, and has the cell under it explained when it stays.
func (t *Table) point(p pointer) {
	p.row, p.col = -1, -1
	if p.in {
		if row := int((t.list.offset() + p.y) / rowPitch); row < t.rows.Len() {
			p.row, p.col = row, t.columns.under(p.x-tableSide)
		}
	}
	was := t.pointer
	t.pointer = p
	if p.row != was.row {
		t.list.reshade()
	}
	if p.row != was.row || p.col != was.col {
		t.tip.off()
		if p.row >= 0 && p.col >= 0 {
			t.tip.on(t, t.explain)
		}
	}
}

// explain is the tip of the cell under the pointer, and where that is.
func (t *Table) explain() (string, fyne.Position, fyne.Size) {
	p := t.pointer
	for _, r := range t.list.seen() {
		if r.index != p.row || p.col < 0 {
			continue
		}
		s := &r.slots[p.col]
		text := s.cell.Tip
		if text == "" && s.cut {
			text = s.cell.Text
		}
		at := fyne.NewPos(tableSide+t.columns.left[p.col]+cellSide, headHeight+float32(r.index)*rowPitch-t.list.offset())
		return text, at, fyne.NewSize(0, rowPitch)
	}
	return "", fyne.Position{}, fyne.Size{}
}

// grab takes the keyboard.
func (t *Table) grab() {
	if c := canvasFor(t); c != nil && !t.focused {
		c.Focus(t)
	}
}

// FocusGained shows where the keyboard is.
func (t *Table) FocusGained() {
	t.focused = true
	if t.picked.cursor.row < 0 && t.rows.Len() > 0 {
		t.picked.cursor = t.picked.at(int((t.list.offset() + rowPitch - 1) / rowPitch))
	}
	t.rim()
	t.list.reshade()
}

// FocusLost hides it.
func (t *Table) FocusLost() {
	t.focused, t.shift = false, false
	t.rim()
	t.list.reshade()
}

// MouseDown beside all rows selects none of them.
func (t *Table) MouseDown(*desktop.MouseEvent) {
	t.grab()
	t.unpick()
}

// MouseUp does nothing.
func (t *Table) MouseUp(*desktop.MouseEvent) {}

func (t *Table) unpick() bool {
	if len(t.picked.rows) == 0 {
		return false
	}
	clear(t.picked.rows)
	t.list.reshade()
	t.tell()
	return true
}

// TypedRune ignores text.
func (t *Table) TypedRune(rune) {}

// KeyDown notes Shift, which Fyne does not say beside an arrow.
func (t *Table) KeyDown(e *fyne.KeyEvent) { t.shift = t.shift || isShift(e) }

// KeyUp forgets it.
func (t *Table) KeyUp(e *fyne.KeyEvent) { t.shift = t.shift && !isShift(e) }

func isShift(e *fyne.KeyEvent) bool {
	return e.Name == desktop.KeyShiftLeft || e.Name == desktop.KeyShiftRight
}

// TypedKey goes through the rows and does what keys do with those that are selected.
func (t *Table) TypedKey(e *fyne.KeyEvent) {
	if to, moves := t.target(e.Name); moves {
		if t.shift {
			t.move(to, func(row int) { t.picked.reach(row, false) })
		} else {
			t.move(to, t.picked.only)
		}
		return
	}
	cursor := t.picked.cursor.row
	switch ids := t.picked.ids(); {
	case (e.Name == fyne.KeyReturn || e.Name == fyne.KeyEnter) && cursor >= 0:
		t.open(t.rows.ID(cursor))
	case e.Name == fyne.KeySpace && cursor >= 0:
		t.move(cursor, t.picked.toggle)
	case (e.Name == fyne.KeyDelete || e.Name == fyne.KeyBackspace) && t.rows.Delete != nil && len(ids) > 0:
		t.rows.Delete(ids)
	case e.Name == desktop.KeyMenu || e.Name == fyne.KeyF10 && t.shift:
		t.menuAtCursor()
	case e.Name == fyne.KeyEscape && t.unpick():
	default:
		PassKey(t, e)
	}
}

// target is the row that a key leads to from the one under the keyboard.
func (t *Table) target(key fyne.KeyName) (row int, moves bool) {
	last, cursor := t.rows.Len()-1, t.picked.cursor.row
	page := max(int(t.list.Size().Height/rowPitch)-1, 1)
	if cursor < 0 && (key == fyne.KeyDown || key == fyne.KeyUp) {
		return 0, last >= 0
	}
	switch key {
	case fyne.KeyDown:
		row = cursor + 1
	case fyne.KeyUp:
		row = cursor - 1
	case fyne.KeyPageDown:
		row = cursor + page
	case fyne.KeyPageUp:
		row = cursor - page
	case fyne.KeyHome:
		row = 0
	case fyne.KeyEnd:
		row = last
	default:
		return 0, false
	}
	return max(min(row, last), 0), last >= 0
}

// move brings the keyboard to a row and selects.
func (t *Table) move(to int, pick func(row int)) {
	pick(to)
	t.tip.off()
	t.ScrollTo(to)
	t.list.reshade()
	t.tell()
}

// TypedShortcut copies, selects everything, and moves without selecting. The window gets the others.
func (t *Table) TypedShortcut(s fyne.Shortcut) {
	custom, _ := s.(*desktop.CustomShortcut)
	switch s.(type) {
	case *fyne.ShortcutSelectAll:
		t.picked.all()
		t.list.reshade()
		t.tell()
		return
	case *fyne.ShortcutCopy:
		if ids := t.picked.ids(); t.rows.Copy != nil && len(ids) > 0 {
			fyne.CurrentApp().Clipboard().SetContent(t.rows.Copy(ids))
			return
		}
	}
	if custom != nil && custom.Modifier&^fyne.KeyModifierShift == fyne.KeyModifierShortcutDefault && t.control(custom) {
		return
	}
	PassShortcut(t, s)
}

// control is a key with Ctrl or Cmd.
func (t *Table) control(s *desktop.CustomShortcut) bool {
	to, moves := t.target(s.KeyName)
	switch {
	case moves && s.Modifier&fyne.KeyModifierShift != 0:
		t.move(to, func(row int) { t.picked.reach(row, true) })
	case moves && (s.KeyName == fyne.KeyHome || s.KeyName == fyne.KeyEnd):
		t.move(to, t.picked.only)
	case moves:
		t.move(to, func(row int) { t.picked.cursor = t.picked.at(row) })
	case s.KeyName == fyne.KeySpace && t.picked.cursor.row >= 0:
		t.move(t.picked.cursor.row, t.picked.toggle)
	default:
		return false
	}
	return true
}

func (t *Table) open(id string) {
	if t.rows.Open != nil {
		t.rows.Open(id)
	}
}

// menu opens the context menu of what is selected, at a place in the window.
func (t *Table) menu(at fyne.Position) {
	t.tip.off()
	if ids := t.picked.ids(); t.rows.Menu != nil && len(ids) > 0 {
		OpenMenuAt(t.rows.Menu(ids), t, at)
	}
}

// menuAtCursor opens it below the row under the keyboard, which it selects if nothing is.
func (t *Table) menuAtCursor() {
	row := t.picked.cursor.row
	if row < 0 {
		return
	}
	if len(t.picked.rows) == 0 {
		t.move(row, t.picked.only)
	}
	t.ScrollTo(row)
	at := fyne.CurrentApp().Driver().AbsolutePositionForObject(t)
	t.menu(at.AddXY(tableSide+cellSide, headHeight+float32(row+1)*rowPitch-t.list.offset()))
}

// spoken is what is said of the table to those who cannot see it.
func (t *Table) spoken() string {
	text := lang.Say("parts.table", "Name", t.Label, "Count", t.rows.Len())
	if t.focused && t.picked.cursor.row >= 0 {
		text += ". " + t.read(t.picked.cursor.row)
	}
	return text
}
