package part_test

import (
	"image/color"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/part"
	"pulley/ui/theme"
)

// How much of the ring is filled is what is left; the sides of the picture are probed, where a quarter and three quarters
// of it are.
func TestGaugeIsFilledAsFarAsIsLeft(t *testing.T) {
	for _, scale := range []float32{1, 1.5, 2} {
		for _, probe := range []struct {
			left       float64
			west, east bool
		}{{0, false, false}, {0.5, true, false}, {1, true, true}, {7, true, true}} {
			test.NewTempApp(t).Settings().SetTheme(theme.New(theme.Light))
			g := part.NewGauge(60)
			w := look(t, g, theme.Light, fyne.NewSquareSize(60), scale)
			g.Set(probe.left, "76", fynetheme.ColorNamePrimary, "76 of 100 pulls left")
			picture := w.Canvas().Capture()
			filled := func(x int) bool {
				switch c := at(picture, x, picture.Bounds().Dy()/2); c {
				case colour(t, fynetheme.ColorNamePrimary):
					return true
				case colour(t, theme.Track):
				default:
					t.Errorf("at %v %%: neither full nor empty: %v", 100*scale, c.(color.NRGBA))
				}
				return false
			}
			if west, east := filled(int(2.5*scale)), filled(int(57*scale)); west != probe.west || east != probe.east {
				t.Errorf("%v left, at %v %%: it is filled %v, %v", probe.left, 100*scale, west, east)
			}
			if texts(g) != "76" || g.AccessibilityLabel() != "76 of 100 pulls left" {
				t.Errorf("it says %q, %q", texts(g), g.AccessibilityLabel())
			}
		}
	}
}
