package part_test

import (
	"image"
	"reflect"
	"slices"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/part"
	"pulley/ui/theme"
)

func TestSearchIsCleared(t *testing.T) {
	var heard []string
	s := part.NewSearch("Search images", func(text string) { heard = append(heard, text) })
	w := open(t, container.NewVBox(s))
	w.Resize(fyne.NewSize(300, 60))
	var window []fyne.KeyName
	w.Canvas().SetOnTypedKey(func(e *fyne.KeyEvent) { window = append(window, e.Name) })
	w.Canvas().Focus(s)
	escape := &fyne.KeyEvent{Name: fyne.KeyEscape}
	s.TypedKey(escape)
	for _, r := range "ab" {
		s.TypedRune(r)
	}
	s.TypedKey(escape)
	if !slices.Equal(heard, []string{"a", "ab", ""}) || s.Text != "" {
		t.Errorf("heard %q", heard)
	}
	if !slices.Equal(window, []fyne.KeyName{fyne.KeyEscape}) {
		t.Errorf("the window heard %v, want the Esc that found nothing to clear", window)
	}
	s.SetText("c")
	test.TapCanvas(w.Canvas(), fyne.NewPos(285, 15))
	if s.Text != "" || w.Canvas().Focused() != fyne.Focusable(s) {
		t.Error("the button does not clear it, or keeps the keyboard")
	}
}

func TestSegmentsAreChosen(t *testing.T) {
	var heard []int
	s := part.NewSegments([]string{"All", "Pulls", "Problems"}, 0, func(i int) { heard = append(heard, i) })
	w := open(t, container.NewVBox(container.NewHBox(s)))
	width := s.Size().Width
	test.TapCanvas(w.Canvas(), fyne.NewPos(width*0.9, 10))
	for _, key := range []fyne.KeyName{fyne.KeyRight, fyne.KeyLeft, fyne.KeySpace, fyne.KeyReturn, fyne.KeyLeft} {
		s.TypedKey(&fyne.KeyEvent{Name: key})
	}
	s.Set(2) // told, not asked
	s.Choose(7)
	if !slices.Equal(heard, []int{2, 1, 2, 0}) || s.Chosen() != 2 {
		t.Errorf("heard %v, %d is chosen", heard, s.Chosen())
	}
	s.MouseIn(&desktop.MouseEvent{})
	s.MouseOut()
	part.NewSegments(nil, 0, nil).TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
}

// A click leaves the pointer where it is: the mark goes to what was clicked all the same.
func TestSegmentsShowWhatIsClickedUnderThePointer(t *testing.T) {
	s := part.NewSegments([]string{"All", "Pulls", "Problems"}, 0, nil)
	w := open(t, container.NewVBox(container.NewHBox(s)))
	width := s.Size().Width
	test.MoveMouse(w.Canvas(), fyne.NewPos(width*0.9, 10))
	test.TapCanvas(w.Canvas(), fyne.NewPos(width*0.9, 10))
	picture := w.Canvas().Capture()
	for option, want := range []fyne.ThemeColorName{theme.Track, theme.Track, theme.Card} {
		x := int(width*float32(option)/3) + 5
		if got := at(picture, x, 14); got != colour(t, want) {
			t.Errorf("option %d is drawn on %v, want %s, %v", option, got, want, colour(t, want))
		}
	}
}

// What cannot be flipped does not look as if it could.
func TestSwitchThatIsDisabledLooksSo(t *testing.T) {
	for _, choice := range []theme.Choice{theme.Light, theme.Dark} {
		picture := func(on, allowed bool) image.Image {
			s := part.NewSwitch(nil)
			w := look(t, part.NewSheet(s), choice, s.MinSize(), 1)
			s.Set(on)
			s.Allow(allowed)
			return w.Canvas().Capture()
		}
		for _, on := range []bool{false, true} {
			if reflect.DeepEqual(picture(on, true), picture(on, false)) {
				t.Errorf("%s: on: %v: it looks the same", choice, on)
			}
		}
	}
}

// Home and End lead to the ends of whatever arrows go through.
func TestHomeAndEnd(t *testing.T) {
	w := open(t, part.NewText(""))
	segments := part.NewSegments([]string{"a", "b", "c"}, 1, nil)
	choice := part.NewChoice(nil)
	choice.Set([]part.Option{{Value: "a"}, {Value: "b"}, {Value: "c"}}, "b")
	w.SetContent(container.NewVBox(segments, choice))
	for _, c := range []struct {
		key  fyne.KeyName
		at   int
		want string
	}{{fyne.KeyEnd, 2, "c"}, {fyne.KeyHome, 0, "a"}} {
		segments.TypedKey(&fyne.KeyEvent{Name: c.key})
		choice.TypedKey(&fyne.KeyEvent{Name: c.key})
		if segments.Chosen() != c.at || choice.Value() != c.want {
			t.Errorf("%s leads to %d and %s", c.key, segments.Chosen(), choice.Value())
		}
	}
}

func TestIconButtonThatIsDisabledDoesNothing(t *testing.T) {
	pressed := 0
	b := part.NewIconButton(fynetheme.DeleteIcon(), "Remove", func() { pressed++ })
	open(t, b)
	b.Disable()
	test.Tap(b)
	b.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	if pressed != 0 || b.Cursor() == desktop.PointerCursor {
		t.Error("it can be pressed")
	}
	b.Enable()
	test.Tap(b)
	b.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	if pressed != 2 {
		t.Errorf("it was pressed %d times, want 2", pressed)
	}
}

// Everything that can be pressed is reached by Tab, in the order in which it stands, and a table is one stop for its rows.
func TestTabGoesThroughTheParts(t *testing.T) {
	search := part.NewSearch("", nil)
	segments := part.NewSegments([]string{"a", "b"}, 0, nil)
	icon := part.NewIconButton(fynetheme.DeleteIcon(), "Remove", nil)
	copied, link := part.NewCopy("Digest", nil, nil), part.NewLink("more", nil)
	table := newGrid(t, "a", "b")
	w := table.window
	w.SetContent(part.Border(container.NewVBox(search, container.NewHBox(segments, icon, copied, link)), nil, nil, nil, table.Table))
	w.Resize(fyne.NewSize(400, 400))
	want := []fyne.Focusable{search, segments, icon, copied, link, table.Table}
	for i, next := range want {
		w.Canvas().FocusNext()
		if got := w.Canvas().Focused(); got != next {
			t.Errorf("stop %d is %T, want %T", i, got, next)
		}
	}
	w.Canvas().FocusNext() // the header
	if _, drags := w.Canvas().Focused().(fyne.Draggable); !drags {
		t.Errorf("after the rows comes %T", w.Canvas().Focused())
	}
	w.Canvas().FocusNext()
	if got := w.Canvas().Focused(); got != want[0] {
		t.Errorf("and then %T", got)
	}
}
