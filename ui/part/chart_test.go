package part_test

import (
	"fmt"
	"image"
	"image/color"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/part"
	"pulley/ui/theme"
)

const mib = 1 << 20

func inMiB(v float64) string { return fmt.Sprintf("%.0f MiB", v/mib) }

// traffic is a chart of n slots; each has its number times 10 MiB from the cache and half of that from the network.
func traffic(t *testing.T, n int) *part.Chart {
	t.Helper()
	test.NewTempApp(t).Settings().SetTheme(theme.New(theme.Light))
	c := part.NewChart(part.Measure{Step: part.BinaryStep, Axis: inMiB, Exact: inMiB},
		part.Series{Name: "From cache", Color: theme.Cached}, part.Series{Name: "From network", Color: theme.Fetched})
	c.Set(slots(n, 10*mib))
	c.Explain("480 MiB in all", "Nothing yet", "Pull something")
	return c
}

func slots(n int, unit float64) []part.Slot {
	var all []part.Slot
	for i := range n {
		s := part.Slot{Name: fmt.Sprintf("12:%02d", i), Values: []float64{unit * float64(i), unit * float64(i) / 2}}
		if i%4 == 0 {
			s.Mark = s.Name
		}
		all = append(all, s)
	}
	return all
}

func look(t *testing.T, object fyne.CanvasObject, choice theme.Choice, size fyne.Size, scale float32) fyne.Window {
	t.Helper()
	w := open(t, object)
	fyne.CurrentApp().Settings().SetTheme(theme.New(choice))
	w.Canvas().(interface{ SetScale(float32) }).SetScale(scale)
	w.Resize(size)
	return w
}

// Its picture, light and dark, is as it was found good: a change of fonts or colours is looked at and the new picture put
// from testdata/failed to testdata.
func TestChartLooks(t *testing.T) {
	for _, choice := range []theme.Choice{theme.Light, theme.Dark} {
		c := traffic(t, 24)
		w := look(t, c, choice, fyne.NewSize(560, 200), 1)
		test.AssertImageMatches(t, "chart-"+string(choice)+".png", w.Canvas().Capture())
		w.Canvas().Focus(c)
		for range 6 {
			c.TypedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
		}
		test.AssertImageMatches(t, "chart-pointed-"+string(choice)+".png", w.Canvas().Capture())

		none := traffic(t, 12)
		none.Set(slots(24, 0))
		w = look(t, none, choice, fyne.NewSize(560, 200), 1)
		test.AssertImageMatches(t, "chart-empty-"+string(choice)+".png", w.Canvas().Capture())
	}
}

// At every scale of a screen bars begin and end on a pixel: left of a bar is the ground, right of its edge the bar's colour.
func TestChartIsCrisp(t *testing.T) {
	for _, scale := range []float32{1, 1.25, 1.5, 1.75, 2} {
		c := traffic(t, 24)
		w := look(t, c, theme.Light, fyne.NewSize(563, 201), scale)
		picture := w.Canvas().Capture()
		ground := colour(t, fynetheme.ColorNameBackground)
		cached, fetched := colour(t, theme.Cached), colour(t, theme.Fetched)
		y := int(170 * scale) // through the lower part of the bars
		bars := 0
		for x, was := 1, ground; x < int(480*scale); x++ {
			now := at(picture, x, y)
			switch now {
			case cached, fetched:
				if was != cached && was != fetched {
					bars++
				}
			case ground, colour(t, fynetheme.ColorNameSeparator):
			default:
				t.Fatalf("at %v %%: pixel %d, %d is %v: neither bar nor ground", 100*scale, x, y, now)
			}
			was = now
		}
		if bars < 15 {
			t.Errorf("at %v %%: %d bars", 100*scale, bars)
		}
		// The network lies on the cache, parted by a line of the ground.
		x := int(float32(563-60) * scale * 23.4 / 24)
		var order []color.Color
		for y := int(195 * scale); y > 0; y-- {
			if c := at(picture, x, y); (c == cached || c == fetched) && (len(order) == 0 || order[len(order)-1] != c) {
				order = append(order, c)
			}
		}
		if len(order) != 2 || order[0] != cached || order[1] != fetched {
			t.Errorf("at %v %%: from the axis up it shows %v", 100*scale, order)
		}
	}
}

func colour(t *testing.T, name fyne.ThemeColorName) color.Color {
	t.Helper()
	return color.NRGBAModel.Convert(theme.New(theme.Light).Color(name, fynetheme.VariantLight))
}

func at(picture image.Image, x, y int) color.Color { return color.NRGBAModel.Convert(picture.At(x, y)) }

func TestChartSaysWhatIsPointedAt(t *testing.T) {
	c := traffic(t, 24)
	w := look(t, c, theme.Light, fyne.NewSize(560, 200), 1)
	if got := c.AccessibilityLabel(); got != "480 MiB in all" {
		t.Errorf("it says %q", got)
	}
	test.MoveMouse(w.Canvas(), fyne.NewPos(3, 100))
	if s, ok := c.Pointed(); !ok || s.Name != "12:00" {
		t.Errorf("the pointer is at %q, %v", s.Name, ok)
	}
	c.MouseMoved(&desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(250, 100)}})
	if got, want := c.AccessibilityLabel(), "12:11; From cache 110 MiB; From network 55 MiB"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	c.MouseOut()
	if _, ok := c.Pointed(); ok {
		t.Error("the pointer left and is still there")
	}

	w.Canvas().Focus(c)
	for i, step := range []struct {
		key  fyne.KeyName
		want string
	}{
		{fyne.KeyLeft, "12:23"}, {fyne.KeyRight, "12:23"}, {fyne.KeyLeft, "12:22"}, {fyne.KeyHome, "12:00"},
		{fyne.KeyLeft, "12:00"}, {fyne.KeyRight, "12:01"}, {fyne.KeyEnd, "12:23"}, {fyne.KeyEscape, ""}, {fyne.KeyRight, "12:00"},
	} {
		c.TypedKey(&fyne.KeyEvent{Name: step.key})
		if s, _ := c.Pointed(); s.Name != step.want {
			t.Errorf("%d: after %s at %q, want %q", i, step.key, s.Name, step.want)
		}
	}
	w.Canvas().Unfocus()
	if _, ok := c.Pointed(); ok {
		t.Error("the cursor stays without the keyboard")
	}
}

func TestChartWithNothing(t *testing.T) {
	c := traffic(t, 24)
	look(t, c, theme.Light, fyne.NewSize(560, 200), 1)
	if strings.Contains(texts(c), "Nothing yet") {
		t.Error("it says that there is nothing")
	}
	c.Set(slots(12, 0))
	if got := texts(c); !strings.Contains(got, "Nothing yet") || !strings.Contains(got, "Pull something") || strings.Contains(got, "MiB") {
		t.Errorf("it says %q", got)
	}
	c.TypedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
	if _, ok := c.Pointed(); ok || c.AccessibilityLabel() != "Nothing yet" {
		t.Errorf("it points at nothing; it says %q", c.AccessibilityLabel())
	}
	c.Set(nil)
	if got := texts(c); strings.Contains(got, "Nothing yet") {
		t.Errorf("not known yet, it says %q", got)
	}
}

// However often it is told something new, what can be read changes at most twice a second, and ends at the last.
func TestChartIsCalm(t *testing.T) {
	pass := part.Clock(t)
	c := traffic(t, 24)
	look(t, c, theme.Light, fyne.NewSize(560, 200), 1)
	c.Set(slots(30, mib)) // another axis: at once
	c.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEnd})
	seen := map[string]bool{}
	const seconds = 5
	for i := range seconds * 50 {
		c.Set(slots(30, float64(i)*mib))
		pass(time.Second / 50)
		seen[c.AccessibilityLabel()] = true
	}
	if len(seen) > 2*seconds+1 || len(seen) < seconds {
		t.Errorf("it showed %d values in %d s", len(seen), seconds)
	}
	pass(part.Beat)
	if got, want := c.AccessibilityLabel(), "12:29; From cache 7221 MiB"; !strings.HasPrefix(got, want) {
		t.Errorf("at last it says %q, want %s", got, want)
	}

	c.Set(slots(30, mib))
	c.Set(slots(30, 2*mib))
	c.Set(slots(12, 3*mib)) // a person chose another axis
	if got, want := c.AccessibilityLabel(), "480 MiB in all"; got != want {
		t.Errorf("the cursor is beyond the axis: %q", got)
	}
	c.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEnd})
	pass(part.Beat)
	if got, want := c.AccessibilityLabel(), "12:11; From cache 33 MiB"; !strings.HasPrefix(got, want) {
		t.Errorf("what was told before was drawn after: %q, want %s", got, want)
	}
	c.Set(slots(12, 4*mib))
	c.Set(slots(12, 5*mib))
	c.Rest()
	pass(part.Beat)
	if got, want := c.AccessibilityLabel(), "12:11; From cache 44 MiB"; !strings.HasPrefix(got, want) {
		t.Errorf("it draws after it was told to rest: %q", got)
	}
}

func TestBinaryStep(t *testing.T) {
	for most := 1.; most < 1<<50; most *= 1.37 {
		step := part.BinaryStep(most)
		if lines := most / step; lines > 4 || (lines <= 1 && most > 1) {
			t.Errorf("up to %v: %v lines, %v apart", most, lines, step)
		}
	}
}
