package part_test

import (
	"fmt"
	"slices"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"pulley/ui/part"
)

// moved is the row that the last test of letters was told of.
var moved string

// letters is a Reorder with a fixed row "origin" and four that can be moved, 20 high each.
func letters(t *testing.T) (r *part.Reorder, w fyne.Window, moves *[]string) {
	t.Helper()
	moves, moved = &[]string{}, ""
	w = open(t, part.NewText("")) // the parts take their colours from its theme
	r = part.NewReorder(func(id string, order []string) { *moves, moved = append(*moves, fmt.Sprint(order)), id })
	r.Label = func(name string, place, of int) string { return fmt.Sprintf("%s %d/%d", name, place, of) }
	items := []part.ReorderItem{}
	for _, id := range []string{"a", "b", "origin", "c", "d"} {
		items = append(items, part.ReorderItem{ID: id, Name: id, Content: part.NewText(id), Fixed: id == "origin"})
	}
	r.Set(items...)
	w.SetContent(r)
	w.Resize(fyne.NewSize(200, 300))
	return r, w, moves
}

func rowHeight(r *part.Reorder) float32 { return r.MinSize().Height / 5 }

func drag(r *part.Reorder, id string, rows float32) {
	r.Handle(id).Dragged(&fyne.DragEvent{Dragged: fyne.NewDelta(0, rows*rowHeight(r))})
}

func alt(key fyne.KeyName) fyne.Shortcut {
	return &desktop.CustomShortcut{KeyName: key, Modifier: fyne.KeyModifierAlt}
}

func TestReorderByDragging(t *testing.T) {
	r, w, moves := letters(t)
	high := rowHeight(r)
	if r.Handle("origin") != nil {
		t.Error("a fixed row has a handle")
	}
	drag(r, "a", 1)
	drag(r, "a", 1.1)
	if y, ok := r.LineAt(); !ok || y < 4*high-2 || y > 4*high {
		t.Errorf("the line is at %v, %v; rows are %v high", y, ok, high)
	}
	if w.Canvas().Focused() != fyne.Focusable(r.Handle("a")) {
		t.Error("what is dragged does not hear Escape")
	}
	if len(*moves) != 0 {
		t.Errorf("it moved before it was let go: %v", *moves)
	}
	r.Handle("a").DragEnd()
	if !slices.Equal(r.Order(), []string{"b", "c", "a", "d"}) || len(*moves) != 1 || (*moves)[0] != "[b c a d]" || moved != "a" {
		t.Errorf("%v, told %v", r.Order(), *moves)
	}
	if _, ok := r.LineAt(); ok || r.Holding() {
		t.Error("the line stays")
	}
	drag(r, "d", -40) // far over the top
	r.Handle("d").DragEnd()
	if got := r.Order(); got[0] != "d" {
		t.Errorf("%v", got)
	}
	drag(r, "d", 0.3) // not as far as its neighbour
	r.Handle("d").DragEnd()
	if len(*moves) != 2 {
		t.Errorf("a row that did not move was told of: %v", *moves)
	}
}

func TestEscapeCallsADragOff(t *testing.T) {
	r, w, moves := letters(t)
	passed := 0
	w.Canvas().SetOnTypedKey(func(*fyne.KeyEvent) { passed++ })
	drag(r, "a", 2)
	r.Handle("a").TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	drag(r, "a", 1) // the hand is still on its way
	if _, ok := r.LineAt(); ok || r.Holding() {
		t.Error("it is still carried")
	}
	r.Handle("a").DragEnd()
	if len(*moves) != 0 || r.Order()[0] != "a" || passed != 0 {
		t.Errorf("%v %v, passed %d", *moves, r.Order(), passed)
	}
	drag(r, "a", 1.1) // the next drag is one again
	r.Handle("a").DragEnd()
	if r.Order()[1] != "a" {
		t.Errorf("%v", r.Order())
	}
	r.Handle("a").TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if passed != 1 {
		t.Error("with nothing in hand, Escape is the window's")
	}
}

func TestReorderByKeyboard(t *testing.T) {
	r, w, moves := letters(t)
	w.Canvas().Focus(r.Handle("b"))
	r.Handle("b").TypedShortcut(alt(fyne.KeyUp))
	r.Handle("b").TypedShortcut(alt(fyne.KeyUp)) // it is the first
	if len(*moves) != 1 || (*moves)[0] != "[b a c d]" || moved != "b" {
		t.Errorf("%v", *moves)
	}
	if got := r.Handle("b").AccessibilityLabel(); got != "b 1/4" {
		t.Errorf("announced %q", got)
	}
	r.Handle("b").TypedKey(&fyne.KeyEvent{Name: fyne.KeyDown}) // leads on, moves nothing
	if w.Canvas().Focused() != fyne.Focusable(r.Handle("a")) || len(*moves) != 1 {
		t.Error("an arrow alone leads to the next handle")
	}
	for _, key := range []fyne.KeyName{fyne.KeySpace, fyne.KeyDown, fyne.KeyDown, fyne.KeyDown} {
		r.Handle("a").TypedKey(&fyne.KeyEvent{Name: key})
	}
	if _, ok := r.LineAt(); !ok || len(*moves) != 1 {
		t.Errorf("in hand: line %v, %v", ok, *moves)
	}
	r.Handle("a").TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if len(*moves) != 2 || (*moves)[1] != "[b c d a]" {
		t.Errorf("%v", *moves)
	}
	r.Handle("a").TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	r.Handle("a").TypedKey(&fyne.KeyEvent{Name: fyne.KeyUp})
	r.Handle("a").TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	r.Handle("a").TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	r.Handle("a").TypedKey(&fyne.KeyEvent{Name: fyne.KeyUp})
	w.Canvas().Unfocus()
	if len(*moves) != 2 || r.Holding() {
		t.Errorf("%v, in hand %v", *moves, r.Holding())
	}
}

// The keyboard stays in the list when the row that it is on goes away.
func TestReorderKeepsTheKeyboard(t *testing.T) {
	r, w, _ := letters(t)
	left := func(ids ...string) {
		var items []part.ReorderItem
		for _, id := range ids {
			items = append(items, part.ReorderItem{ID: id, Name: id, Content: part.NewText(id), Fixed: id == "origin"})
		}
		r.Set(items...)
	}
	w.Canvas().Focus(r.Handle("b"))
	for _, step := range []struct {
		left []string
		on   string
	}{{[]string{"origin", "d", "b", "c"}, "b"}, {[]string{"origin", "d", "c"}, "c"}, {[]string{"origin", "d"}, "d"}} {
		if left(step.left...); w.Canvas().Focused() != fyne.Focusable(r.Handle(step.on)) {
			t.Errorf("of %v, it is on %v, want %s", step.left, w.Canvas().Focused(), step.on)
		}
	}
	if left("origin"); w.Canvas().Focused() != nil {
		t.Error("what is gone has the keyboard")
	}
}

func TestReorderHomeAndEnd(t *testing.T) {
	r, w, moves := letters(t)
	w.Canvas().Focus(r.Handle("b"))
	press := func(keys ...fyne.KeyName) {
		for _, key := range keys {
			w.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: key})
		}
	}
	if press(fyne.KeyEnd); w.Canvas().Focused() != fyne.Focusable(r.Handle("d")) {
		t.Error("End does not lead to the last handle")
	}
	if press(fyne.KeySpace, fyne.KeyHome, fyne.KeySpace); !slices.Equal(*moves, []string{"[d a b c]"}) {
		t.Errorf("carried home: %v", *moves)
	}
	if press(fyne.KeySpace, fyne.KeyEnd, fyne.KeyReturn); r.Order()[3] != "d" {
		t.Errorf("carried to the end: %v", r.Order())
	}
	if press(fyne.KeyHome); w.Canvas().Focused() != fyne.Focusable(r.Handle("a")) {
		t.Error("Home does not lead to the first handle")
	}
}

// Who looks at a long list follows the row.
func TestReorderFollows(t *testing.T) {
	r, _, _ := letters(t)
	var seen []float32
	r.Follow = func(top, _ float32) float32 { seen = append(seen, top); return 0 }
	r.Handle("a").TypedShortcut(alt(fyne.KeyDown))
	drag(r, "a", 1)
	r.Handle("a").DragEnd()
	high := rowHeight(r)
	if len(seen) != 2 || seen[0] != 2*high || seen[1] != 3*high {
		t.Errorf("%v, rows are %v high", seen, high)
	}
}

// A list that is told anew while a row is in hand does not let it fall; one that goes away does.
func TestReorderIsToldWhileARowIsInHand(t *testing.T) {
	r, _, moves := letters(t)
	drag(r, "b", 1)
	item := func(id string) part.ReorderItem {
		return part.ReorderItem{ID: id, Name: id, Content: part.NewText(id)}
	}
	r.Set(item("a"), item("b"), item("c"))
	if !r.Holding() {
		t.Error("it fell")
	}
	r.Set(item("a"), item("c"))
	if r.Holding() || len(*moves) != 0 {
		t.Errorf("held %v, moves %v", r.Holding(), *moves)
	}
	test.WidgetRenderer(r).Refresh()
}
