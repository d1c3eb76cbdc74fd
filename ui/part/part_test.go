package part_test

import (
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/part"
	"pulley/ui/theme"
)

func open(t *testing.T, object fyne.CanvasObject) fyne.Window {
	t.Helper()
	app := test.NewTempApp(t)
	app.Settings().SetTheme(theme.New(theme.Light))
	w := app.NewWindow("")
	w.SetPadded(false)
	w.SetContent(object)
	w.Show()
	return w
}

func TestTextIsCutToItsRoom(t *testing.T) {
	long := part.NewText("registry.example/a/rather/long/name").Giving()
	w := open(t, long)
	w.Resize(fyne.NewSize(100, 30))
	if got := long.MinSize().Width; got > 60 {
		t.Errorf("it wants %v", got)
	}
	if long.Words() != "registry.example/a/rather/long/name" {
		t.Errorf("it forgot its words: %q", long.Words())
	}
	stiff := part.NewText("registry.example/a/rather/long/name")
	open(t, stiff)
	if got := stiff.MinSize().Width; got < 100 {
		t.Errorf("a text that does not give wants %v", got)
	}
	if part.NewText("").MinSize().Height != part.NewText("x").MinSize().Height {
		t.Error("an empty line has no height")
	}
}

func TestSwitchIsForKeyboardAndMouse(t *testing.T) {
	var heard []bool
	s := part.NewSwitch(func(on bool) { heard = append(heard, on) })
	w := open(t, s)
	w.Canvas().Focus(s)
	s.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	s.TypedKey(&fyne.KeyEvent{Name: fyne.KeyA})
	s.TypedRune(' ')
	s.MouseIn(&desktop.MouseEvent{})
	test.Tap(s)
	s.MouseOut()
	s.Set(true) // told, not asked
	s.Allow(false)
	test.Tap(s)
	if s.Cursor() == desktop.PointerCursor {
		t.Error("a hand over what cannot be flipped")
	}
	s.Allow(true)
	test.Tap(s)
	if len(heard) != 3 || !heard[0] || heard[1] || heard[2] {
		t.Errorf("heard %v", heard)
	}
}

func TestChoiceSaysOnlyWhatAPersonDid(t *testing.T) {
	var heard []string
	c := part.NewChoice(func(v string) { heard = append(heard, v) })
	open(t, c)
	options := []part.Option{{Value: "auto", Label: "Automatic"}, {Value: "direct", Label: "Direct"}}
	c.Set(options, "auto")
	c.Choose("auto")
	c.TypedKey(&fyne.KeyEvent{Name: fyne.KeyUp}) // there is nothing above
	c.TypedKey(&fyne.KeyEvent{Name: fyne.KeyDown})
	c.TypedKey(&fyne.KeyEvent{Name: fyne.KeyDown}) // nor below
	c.Set(options, "auto")
	if len(heard) != 1 || heard[0] != "direct" {
		t.Errorf("heard %v", heard)
	}
	c.Set(nil, "a-mirror-that-is-gone")
	if c.Value() != "a-mirror-that-is-gone" {
		t.Error("an unknown value is not kept")
	}
	c.FocusGained()
	c.MouseIn(nil)
	c.MouseMoved(nil)
	c.MouseOut()
	c.FocusLost()
}

// A tenth of a per cent is still seen, and shares never leave the bar.
func TestMeterKeepsItsPiecesInside(t *testing.T) {
	m := part.NewMeter()
	w := open(t, m)
	w.Resize(fyne.NewSize(200, 20))
	for _, shares := range [][]part.Share{
		{{Part: 0.999, Color: theme.Cached}, {Part: 0.001, Color: theme.Fetched}},
		{{Part: 0.001, Color: theme.Cached}, {Part: 0.999, Color: theme.Fetched}},
		{{Part: 1.7, Color: theme.Cached}},
		{{Part: 0, Color: theme.Cached}, {Part: 1, Color: theme.Fetched}},
		nil,
	} {
		m.Set(shares...)
		seen := 0
		for _, piece := range test.WidgetRenderer(m).Objects()[1:] {
			if !piece.Visible() {
				continue
			}
			seen++
			if right := piece.Position().X + piece.Size().Width; right > m.Size().Width+0.01 {
				t.Errorf("%v: a piece ends at %v of %v", shares, right, m.Size().Width)
			}
		}
		want := 0
		for _, share := range shares {
			if share.Part > 0 {
				want++
			}
		}
		if seen != want {
			t.Errorf("%v: %d pieces are seen, want %d", shares, seen, want)
		}
	}
}

func TestMarkTakesTheColourOfTheTheme(t *testing.T) {
	m := part.NewMark(20)
	w := open(t, m)
	w.Resize(fyne.NewSize(20, 20))
	m.Set([]byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><path d="M0 0 H10 V10 H0 Z" fill="#123456"/></svg>`), fynetheme.ColorNameError)
	r, g, b, _ := w.Canvas().Capture().At(10, 10).RGBA()
	wr, wg, wb, _ := theme.New(theme.Light).Color(fynetheme.ColorNameError, fynetheme.VariantLight).RGBA()
	if r>>8 != wr>>8 || g>>8 != wg>>8 || b>>8 != wb>>8 {
		t.Errorf("it is drawn in %x%x%x, want %x%x%x", r>>8, g>>8, b>>8, wr>>8, wg>>8, wb>>8)
	}
	m.Set([]byte("no drawing"), fynetheme.ColorNameError) // stays as it was
}
