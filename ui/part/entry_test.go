package part_test

import (
	"slices"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"

	"pulley/ui/part"
	"pulley/ui/theme"
)

// heard is a window that hears what who has the focus has no use for.
type heard struct {
	fyne.Window
	keys []fyne.KeyName
}

func listen(t *testing.T, o fyne.CanvasObject) *heard {
	t.Helper()
	test.NewTempApp(t).Settings().SetTheme(theme.New(theme.Light))
	h := &heard{Window: test.NewTempWindow(t, container.NewStack(o))}
	h.Canvas().SetOnTypedKey(func(e *fyne.KeyEvent) { h.keys = append(h.keys, e.Name) })
	return h
}

func TestButtonLeavesEscapeToTheWindow(t *testing.T) {
	pressed := 0
	b := part.NewButton("press", func() { pressed++ })
	h := listen(t, b)
	h.Canvas().Focus(b)
	for _, key := range []fyne.KeyName{fyne.KeyEscape, fyne.KeySpace} {
		b.TypedKey(&fyne.KeyEvent{Name: key})
	}
	if len(h.keys) != 1 || h.keys[0] != fyne.KeyEscape || pressed != 1 {
		t.Errorf("the window heard %v, and the button was pressed %d times", h.keys, pressed)
	}
}

// Return presses as Space does, and whoever pressed with the keyboard goes on from there.
func TestButtonKeepsTheKeyboard(t *testing.T) {
	pressed := 0
	b := part.NewButton("press", func() { pressed++ })
	h := listen(t, b)
	h.Canvas().Focus(b)
	for i, key := range []fyne.KeyName{fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter} {
		b.TypedKey(&fyne.KeyEvent{Name: key})
		if pressed != i+1 || h.Canvas().Focused() != fyne.Focusable(b) {
			t.Errorf("after %s it was pressed %d times, and %v has the keyboard", key, pressed, h.Canvas().Focused())
		}
	}
	b.Disable()
	b.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	if pressed != 3 {
		t.Error("it can be pressed though it is disabled")
	}
}

func TestCheckIsForKeyboardAndMouse(t *testing.T) {
	var said []bool
	c := part.NewCheck("Replace what is there", func(on bool) { said = append(said, on) })
	h := listen(t, c)
	h.Canvas().Focus(c)
	for _, key := range []fyne.KeyName{fyne.KeyReturn, fyne.KeySpace, fyne.KeyEscape} {
		c.TypedKey(&fyne.KeyEvent{Name: key})
		c.TypedRune(' ') // comes beside the key
	}
	test.Tap(c)
	if got := c.AccessibilityLabel(); got != "Replace what is there: on" {
		t.Errorf("it says %q", got)
	}
	c.Disable()
	test.Tap(c)
	if !slices.Equal(said, []bool{true, false, true}) || !slices.Equal(h.keys, []fyne.KeyName{fyne.KeyEscape}) {
		t.Errorf("told %v, and the window heard %v", said, h.keys)
	}
}

func TestSliderIsForTheKeyboard(t *testing.T) {
	s := part.NewSlider("Size", 50, func() string { return "" })
	h := listen(t, s)
	h.Canvas().Focus(s)
	for _, step := range []struct {
		key  fyne.KeyName
		want float64
	}{
		{fyne.KeyRight, 1}, {fyne.KeyPageUp, 6}, {fyne.KeyLeft, 5}, {fyne.KeyPageDown, 0}, {fyne.KeyPageDown, 0}, {fyne.KeyEnd, 50},
		{fyne.KeyPageUp, 50}, {fyne.KeyHome, 0}, {fyne.KeyEscape, 0},
	} {
		if s.TypedKey(&fyne.KeyEvent{Name: step.key}); s.Value != step.want {
			t.Errorf("%s leads to %v, want %v", step.key, s.Value, step.want)
		}
	}
	if !slices.Equal(h.keys, []fyne.KeyName{fyne.KeyEscape}) {
		t.Errorf("the window heard %v", h.keys)
	}
}

// A chart has a use for Escape while its cursor is somewhere, and for few other keys.
func TestChartLeavesKeysToTheWindow(t *testing.T) {
	c := part.NewChart(part.Measure{Step: part.BinaryStep, Axis: inMiB, Exact: inMiB}, part.Series{Color: theme.Cached})
	h := listen(t, c)
	c.Set(slots(4, mib))
	h.Canvas().Focus(c)
	for _, key := range []fyne.KeyName{fyne.KeyEnd, fyne.KeyEscape, fyne.KeyEscape, fyne.KeyF1} {
		c.TypedKey(&fyne.KeyEvent{Name: key})
	}
	if !slices.Equal(h.keys, []fyne.KeyName{fyne.KeyEscape, fyne.KeyF1}) {
		t.Errorf("the window heard %v", h.keys)
	}
}

func TestEntryLeavesEscapeToTheWindow(t *testing.T) {
	search := part.NewSearch("search", nil)
	for name, e := range map[string]interface {
		fyne.Focusable
		fyne.CanvasObject
		SetText(string)
	}{"entry": part.NewEntry(), "search": search} {
		t.Run(name, func(t *testing.T) {
			h := listen(t, e)
			h.Canvas().Focus(e)
			e.TypedRune('x')
			e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape}) // clears a search
			e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
			if want := map[string]int{"entry": 2, "search": 1}[name]; len(h.keys) != want || h.keys[0] != fyne.KeyEscape {
				t.Errorf("the window heard %v", h.keys)
			}
		})
	}
}
