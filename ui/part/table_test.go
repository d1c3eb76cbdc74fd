package part_test

import (
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"pulley/ui/part"
)

func TestTableSelectsWithTheMouse(t *testing.T) {
	g := newGrid(t, "a", "b", "c", "d", "e")
	g.press(1, desktop.MouseButtonPrimary, 0)
	g.has(t, "b")
	g.press(3, desktop.MouseButtonPrimary, fyne.KeyModifierShortcutDefault)
	g.has(t, "b", "d")
	g.press(1, desktop.MouseButtonPrimary, fyne.KeyModifierShortcutDefault)
	g.has(t, "d")
	g.press(4, desktop.MouseButtonPrimary, 0)
	g.press(2, desktop.MouseButtonPrimary, fyne.KeyModifierShift)
	g.has(t, "c", "d", "e")
	g.press(0, desktop.MouseButtonPrimary, fyne.KeyModifierShortcutDefault)
	g.press(1, desktop.MouseButtonPrimary, fyne.KeyModifierShortcutDefault|fyne.KeyModifierShift)
	g.has(t, "a", "b", "c", "d", "e")
	if g.window.Canvas().Focused() != fyne.Focusable(g.Table) {
		t.Error("a click does not bring the keyboard")
	}
	g.names = g.names[:2]
	g.Refresh()
	g.pressBelow()
	g.has(t)
}

func TestTableOpensOnTheSecondClick(t *testing.T) {
	g := newGrid(t, "a", "b")
	g.press(0, desktop.MouseButtonPrimary, 0)
	g.press(1, desktop.MouseButtonPrimary, 0)
	g.did(t)
	g.press(1, desktop.MouseButtonPrimary, 0)
	g.press(1, desktop.MouseButtonPrimary, 0) // the third is a first again
	g.did(t, "open b")
}

func TestTableIsForTheKeyboard(t *testing.T) {
	g := newGrid(t, manyNames(20)...)
	g.window.Canvas().Focus(g.Table)
	g.has(t)
	g.key(fyne.KeyDown)
	g.has(t, "row-00001") // the first was under the keyboard already
	g.key(fyne.KeyDown, desktop.KeyShiftLeft)
	g.has(t, "row-00001", "row-00002")
	g.key(fyne.KeyUp, desktop.KeyShiftRight)
	g.key(fyne.KeyUp, desktop.KeyShiftRight)
	g.has(t, "row-00000", "row-00001")
	g.key(fyne.KeyEnd)
	g.has(t, "row-00019")
	if !g.AtEnd() {
		t.Error("the last row is out of sight")
	}
	g.key(fyne.KeyPageUp)
	g.has(t, "row-00015")
	g.key(fyne.KeyHome)
	g.key(fyne.KeyUp) // there is nothing above
	g.has(t, "row-00000")
	g.shortcut(fyne.KeyDown, 0)
	g.shortcut(fyne.KeyDown, 0)
	g.has(t, "row-00000")
	g.shortcut(fyne.KeySpace, 0)
	g.has(t, "row-00000", "row-00002")
	g.shortcut(fyne.KeyDown, fyne.KeyModifierShift)
	g.has(t, "row-00000", "row-00002", "row-00003")
	g.key(fyne.KeyReturn)
	g.key(fyne.KeyDelete)
	g.did(t, "open row-00003", "delete row-00000,row-00002,row-00003")
	g.TypedShortcut(&fyne.ShortcutCopy{})
	if got := fyne.CurrentApp().Clipboard().Content(); got != "row-00000\nrow-00002\nrow-00003" {
		t.Errorf("it copied %q", got)
	}
	g.TypedShortcut(&fyne.ShortcutSelectAll{})
	if n := len(g.Selected()); n != 20 {
		t.Errorf("%d of 20 are selected", n)
	}
	g.key(fyne.KeyEscape)
	g.has(t)
	g.key(fyne.KeyDelete)
	g.did(t)
}

// What the table has no use for, the window gets.
func TestTablePassesKeysOn(t *testing.T) {
	g := newGrid(t, "a")
	var heard []string
	g.window.Canvas().SetOnTypedKey(func(e *fyne.KeyEvent) { heard = append(heard, string(e.Name)) })
	g.window.Canvas().Focus(g.Table)
	g.key(fyne.KeyEscape)
	g.shortcut(fyne.KeyF, 0) // the test driver's windows have no shortcuts
	if !slices.Equal(heard, []string{"Escape"}) {
		t.Errorf("the window heard %v", heard)
	}
}

func TestTableHasAContextMenu(t *testing.T) {
	g := newGrid(t, "a", "b", "c")
	g.press(0, desktop.MouseButtonPrimary, 0)
	g.press(1, desktop.MouseButtonPrimary, fyne.KeyModifierShift)
	g.press(1, desktop.MouseButtonSecondary, 0) // on what is selected
	g.did(t, "menu a,b")
	overlay := g.window.Canvas().Overlays()
	overlay.Remove(overlay.Top())
	g.press(2, desktop.MouseButtonSecondary, 0) // beside it
	g.did(t, "menu c")
	overlay.Remove(overlay.Top())
	g.key(desktop.KeyMenu)
	overlay.Remove(overlay.Top())
	g.key(fyne.KeyF10, desktop.KeyShiftLeft)
	g.did(t, "menu c", "menu c")
	if overlay.Top() == nil {
		t.Error("no menu is open")
	}
}

func TestTableSorts(t *testing.T) {
	g := newGrid(t, manyNames(30)...)
	g.key(fyne.KeyEnd)
	tap := func(x float32) { test.TapCanvas(g.window.Canvas(), fyne.NewPos(x, 12)) }
	tap(60)
	tap(60)
	tap(350)
	tap(450) // cannot be sorted by
	g.did(t, "sort name,false", "sort name,true", "sort size,true")
	if g.AtEnd() {
		t.Error("sorted rows do not begin at the top")
	}
	g.has(t, "row-00029")

	head := g.headOf(t)
	g.window.Canvas().Focus(head.(fyne.Focusable))
	type_ := func(name fyne.KeyName) { head.(fyne.Focusable).TypedKey(&fyne.KeyEvent{Name: name}) }
	type_(fyne.KeyHome)
	type_(fyne.KeySpace)
	type_(fyne.KeyRight)
	type_(fyne.KeyReturn)
	g.did(t, "sort name,false", "sort size,true")
	type_(fyne.KeyDown)
	if g.window.Canvas().Focused() != fyne.Focusable(g.Table) {
		t.Error("down does not lead from the header to the rows")
	}
}

func TestTableKeepsSelectionAndPlaceByID(t *testing.T) {
	g := newGrid(t, manyNames(100)...)
	var heard [][]string
	g.OnSelect = func(ids []string) { heard = append(heard, ids) }
	g.Select("row-00050", "row-00052", "nobody")
	g.has(t, "row-00050", "row-00052")
	if len(heard) != 0 {
		t.Error("it says what it was told")
	}
	top := g.topRow()
	g.names = append([]string{"new-1", "new-2"}, g.names...)
	g.Refresh()
	if got := g.topRow(); got != top {
		t.Errorf("%s is on top, want %s", got, top)
	}
	g.has(t, "row-00050", "row-00052")
	g.names = slices.DeleteFunc(g.names, func(name string) bool { return name == "row-00050" })
	g.Refresh()
	g.has(t, "row-00052")
	if len(heard) != 1 || !slices.Equal(heard[0], []string{"row-00052"}) {
		t.Errorf("it said %v", heard)
	}
	// The one that took the place of the removed row has the keyboard now.
	g.window.Canvas().Focus(g.Table)
	g.key(fyne.KeyReturn)
	g.did(t, "open row-00051")
	g.names = nil
	g.Refresh()
	g.has(t)
	g.key(fyne.KeyDown)
	g.key(fyne.KeyReturn)
	g.did(t)
}

func TestTableFollowsItsEnd(t *testing.T) {
	g := newGrid(t, manyNames(50)...)
	var ends []bool
	g.OnScroll = func(atEnd bool) { ends = append(ends, atEnd) }
	g.Follow = true
	g.ScrollToEnd()
	g.names = append(g.names, "one more", "and another")
	g.Refresh()
	if !g.AtEnd() || g.rowAt(fyne.NewPos(40, gridHead+4*gridPitch+10)).(fyne.Accessible).AccessibilityLabel() != "and another, 11 MiB, note" {
		t.Error("it does not follow its end")
	}
	test.Scroll(g.window.Canvas(), fyne.NewPos(40, 100), 0, 300)
	if g.AtEnd() || len(ends) == 0 || ends[len(ends)-1] {
		t.Errorf("it did not say that it was scrolled away: %v", ends)
	}
	top := g.topRow()
	g.names = append(g.names, "at last")
	g.Refresh()
	if g.AtEnd() || g.topRow() != top {
		t.Error("it follows its end while somebody reads elsewhere")
	}
	test.Scroll(g.window.Canvas(), fyne.NewPos(40, 100), 0, -3000)
	if !g.AtEnd() || !ends[len(ends)-1] {
		t.Error("it did not say that it is at its end again")
	}
}

func TestTableAsksForVisibleRowsAlone(t *testing.T) {
	g := newGrid(t, manyNames(10000)...)
	g.ScrollTo(5000)
	clear(g.visited)
	for range 100 {
		test.Scroll(g.window.Canvas(), fyne.NewPos(40, 100), 0, -gridPitch)
		g.Refresh()
	}
	if n := len(g.visited); n > 110 {
		t.Errorf("it asked for %d rows to show 106", n)
	}
	for i := range g.visited {
		if i < 4990 || i > 5110 {
			t.Errorf("it asked for row %d", i)
		}
	}
}

func TestTableColumnsAreDragged(t *testing.T) {
	g := newGrid(t, "a", "b")
	if len(g.Widths()) != 0 {
		t.Errorf("nobody changed %v", g.Widths())
	}
	edge := float32(500 - 8 - 100) // of Size and Note
	test.Drag(g.window.Canvas(), fyne.NewPos(edge-60, 12), -20, 0)
	if w := g.Widths(); len(w) != 0 {
		t.Errorf("a drag beside an edge does something: %v", w)
	}
	test.Drag(g.window.Canvas(), fyne.NewPos(edge-20, 12), -20, 0) // from the edge, 20 to the left
	if w := g.Widths(); w["size"] != 80 || w["note"] != 120 {
		t.Errorf("widths are %v, want 80 and 120", w)
	}
	was := g.Widths()
	other := newGrid(t, "a", "b")
	was["gone"] = 40
	other.SetWidths(was)
	if got := other.Widths(); got["size"] != 80 || got["note"] != 120 || len(got) != len(was)-1 {
		t.Errorf("remembered widths are %v, want %v", got, was)
	}
	head := g.headOf(t)
	head.(fyne.Focusable).TypedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
	head.(desktop.Keyable).KeyDown(&fyne.KeyEvent{Name: desktop.KeyShiftLeft})
	head.(fyne.Focusable).TypedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
	if got := g.Widths()["size"]; got <= 80 {
		t.Errorf("by the keyboard, the width is %v", got)
	}
}

func TestTableColumnFitsOnSecondClick(t *testing.T) {
	g := newGrid(t, "a", "b")
	edge := float32(500 - 8 - 100)
	for range 2 {
		test.TapCanvas(g.window.Canvas(), fyne.NewPos(edge, 12))
	}
	if got := g.Widths()["size"]; got < 40 || got >= 100 {
		t.Errorf("the width is %v", got)
	}
	g.did(t)
}

func TestTableSaysThatItIsEmpty(t *testing.T) {
	g := newGrid(t)
	seen := func() string {
		var texts []string
		visit(g.Table, fyne.Position{}, func(o fyne.CanvasObject, _ fyne.Position) {
			if text, ok := o.(*part.Text); ok {
				texts = append(texts, text.Words())
			}
		})
		return strings.Join(texts, "|")
	}
	if got := seen(); !strings.Contains(got, "Nothing here|yet") {
		t.Errorf("it says %s", got)
	}
	g.Loading(true)
	if got := seen(); strings.Contains(got, "Nothing here") {
		t.Errorf("it says %s before anybody knows", got)
	}
	g.names = []string{"a"}
	g.Refresh()
	g.Loading(false)
	if got := seen(); strings.Contains(got, "Nothing here") {
		t.Errorf("it says %s beside a row", got)
	}
}

// Who is led to a row before the table was ever shown finds it in sight when it is.
func TestTableRemembersWhereItWasLed(t *testing.T) {
	names := manyNames(100)
	rows := part.Rows{
		Len:  func() int { return len(names) },
		ID:   func(i int) string { return names[i] },
		Cell: func(i int, _ string) part.Cell { return part.Cell{Text: names[i]} },
	}
	led, end, follows := part.NewTable([]part.Column{{Key: "name"}}, rows), part.NewTable([]part.Column{{Key: "name"}}, rows), part.NewTable([]part.Column{{Key: "name"}}, rows)
	led.Select("row-00070")
	end.ScrollToEnd()
	follows.Follow = true
	for table, want := range map[*part.Table]string{led: "row-00070", end: "row-00099", follows: "row-00099"} {
		w := open(t, table)
		w.Resize(fyne.NewSize(300, 180))
		found := false
		visit(w.Canvas().Content(), fyne.Position{}, func(o fyne.CanvasObject, at fyne.Position) {
			row, is := o.(fyne.SecondaryTappable)
			said, _ := row.(fyne.Accessible)
			if is && said.AccessibilityLabel() == want && at.Y >= gridHead && at.Y < 180 {
				found = true
			}
		})
		if !found {
			t.Errorf("%s is not in sight", want)
		}
	}
}
