package part_test

import (
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/part"
)

// What gets the keyboard comes into view, in the scroll that it is in and in no other.
func TestScrollFollowsTheKeyboard(t *testing.T) {
	rows := func() (list []fyne.CanvasObject) {
		for range 8 {
			list = append(list, part.NewButton("Test", nil), part.NewEntry(), part.NewSwitch(nil), part.NewSlider("Size", 9, func() string { return "9 GiB" }), part.NewIconButton(fynetheme.ContentCopyIcon(), "Copy", nil))
		}
		return list
	}
	lefts, rights := rows(), rows()
	left, right := part.NewScroll(container.NewVBox(lefts...)), part.NewScroll(container.NewVBox(rights...))
	below := part.NewButton("Help", nil)
	w := open(t, container.NewBorder(nil, below, nil, nil, container.NewGridWithColumns(2, left, right)))
	w.Resize(fyne.NewSize(500, 300))
	told := left.Offset
	left.OnScrolled = func(to fyne.Position) { told = to }
	seen := func(s *part.Scroll, o fyne.CanvasObject) bool {
		driver := fyne.CurrentApp().Driver()
		top := driver.AbsolutePositionForObject(o).Y - driver.AbsolutePositionForObject(s).Y
		return top >= 0 && top+o.Size().Height <= s.Size().Height
	}
	for i, o := range append(lefts, below) {
		w.Canvas().FocusNext()
		if o != below && !seen(left, o) {
			t.Errorf("thing %d is not seen at %v", i, left.Offset)
		}
	}
	at := left.Offset
	if told != at {
		t.Errorf("it is at %v, and said %v", at, told)
	}
	for i, o := range rights {
		w.Canvas().Focus(o.(fyne.Focusable))
		if !seen(right, o) {
			t.Errorf("thing %d at the right is not seen at %v", i, right.Offset)
		}
	}
	w.Canvas().Focus(below)
	if left.Offset != at {
		t.Errorf("the left is at %v, was at %v", left.Offset, at)
	}
	for i := len(lefts) - 1; i >= 0; i-- {
		w.Canvas().Focus(lefts[i].(fyne.Focusable))
		if !seen(left, lefts[i]) {
			t.Errorf("back at thing %d: not seen at %v", i, left.Offset)
		}
	}
	if left.Offset.Y > 24 {
		t.Errorf("at the first thing: %v", left.Offset)
	}
}

// What the pointer is on stays there while it is clicked, also at the edge.
func TestScrollStaysUnderThePointer(t *testing.T) {
	for name, make := range map[string]func(told func()) fyne.CanvasObject{
		"button": func(told func()) fyne.CanvasObject { return part.NewButton("Test", told) },
		"link":   func(told func()) fyne.CanvasObject { return part.NewLink("Test", told) },
	} {
		var list []fyne.CanvasObject
		for range 20 {
			list = append(list, make(nil))
		}
		clicked := false
		list[5] = make(func() { clicked = true })
		s := part.NewScroll(container.NewVBox(list...))
		w := open(t, s)
		gap := list[1].Position().Y - list[0].Position().Y
		w.SetPadded(false)
		w.Resize(fyne.NewSize(200, 5*gap+6))
		at := fyne.NewPos(20, 5*gap+4)
		test.MoveMouse(w.Canvas(), at)
		w.Canvas().Focus(list[5].(fyne.Focusable)) // as a press does
		if s.Offset.Y != 0 {
			t.Errorf("%s: it moved to %v", name, s.Offset)
		}
		test.TapCanvas(w.Canvas(), at)
		if !clicked {
			t.Errorf("%s: the click was lost", name)
		}
		w.Canvas().Focus(list[6].(fyne.Focusable))
		if s.Offset.Y == 0 {
			t.Errorf("%s: the next one is not brought into view", name)
		}
	}
}
