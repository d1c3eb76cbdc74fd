package part_test

import (
	"image/color"
	"math"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/part"
	"pulley/ui/theme"
)

// contrast is WCAG 2.2's ratio of two opaque colours.
func contrast(a, b color.Color) float64 {
	light := func(c color.Color) float64 {
		r, g, b, _ := c.RGBA()
		linear := func(v uint32) float64 {
			if s := float64(v) / 0xffff; s > 0.04045 {
				return math.Pow((s+0.055)/1.055, 2.4)
			} else {
				return s / 12.92
			}
		}
		return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b) + 0.05
	}
	return max(light(a)/light(b), light(b)/light(a))
}

// A box that can be ticked is seen before it is (WCAG 2.2, 1.4.11).
func TestBoxToTickIsSeen(t *testing.T) {
	for _, choice := range []theme.Choice{theme.Light, theme.Dark} {
		c := part.NewCheck("", nil)
		w := look(t, part.NewSheet(c), choice, fyne.NewSize(60, 56), 1)
		picture := w.Canvas().Capture()
		seen := 0
		for x := range 60 {
			if contrast(picture.At(x, 28), picture.At(20, 15)) >= 3 {
				seen++
			}
		}
		if seen < 2 {
			t.Errorf("%s: %d edges of it are seen", choice, seen)
		}
	}
}

// What has the keyboard is seen to have it: enough of it changes its colour at 3:1 (WCAG 2.2, 2.4.13).
func TestFocusIsSeen(t *testing.T) {
	for _, choice := range []theme.Choice{theme.Light, theme.Dark} {
		meant := func(importance widget.Importance) fyne.CanvasObject {
			b := part.NewButton("Remove 3 images", nil)
			b.Importance = importance
			return b
		}
		for name, make := range map[string]func() fyne.CanvasObject{
			"button":        func() fyne.CanvasObject { return meant(widget.MediumImportance) },
			"button, meant": func() fyne.CanvasObject { return meant(widget.HighImportance) },
			"button, grave": func() fyne.CanvasObject { return meant(widget.DangerImportance) },
			"button, quiet": func() fyne.CanvasObject { return meant(widget.LowImportance) },
			"icon":          func() fyne.CanvasObject { return part.NewIconButton(fynetheme.DeleteIcon(), "Remove", nil) },
			"copy":          func() fyne.CanvasObject { return part.NewCopy("Digest", nil, nil) },
			"press":         func() fyne.CanvasObject { return part.NewPress(fynetheme.DeleteIcon(), nil) },
			"link":          func() fyne.CanvasObject { return part.NewLink("Details", nil) },
			"switch, off":   func() fyne.CanvasObject { return part.NewSwitch(nil) },
			"switch, on": func() fyne.CanvasObject {
				s := part.NewSwitch(nil)
				s.Set(true)
				return s
			},
			"check":    func() fyne.CanvasObject { return part.NewCheck("Replace it", nil) },
			"slider":   func() fyne.CanvasObject { return part.NewSlider("Size", 9, func() string { return "9 GiB" }) },
			"segments": func() fyne.CanvasObject { return part.NewSegments([]string{"All", "Failed"}, 0, nil) },
			"choice": func() fyne.CanvasObject {
				c := part.NewChoice(nil)
				c.Set([]part.Option{{Value: "a", Label: "Automatic"}}, "a")
				return c
			},
			"entry":  func() fyne.CanvasObject { return part.NewEntry() },
			"search": func() fyne.CanvasObject { return part.NewSearch("Search", nil) },
			"chart": func() fyne.CanvasObject {
				return part.NewChart(part.Measure{Step: part.BinaryStep, Axis: inMiB, Exact: inMiB}, part.Series{Color: theme.Cached})
			},
			"table":        func() fyne.CanvasObject { return pictured(3) },
			"table, empty": func() fyne.CanvasObject { return pictured(0) },
		} {
			w := open(t, container.NewStack())
			fyne.CurrentApp().Settings().SetTheme(theme.New(choice))
			o := make()
			w.SetContent(container.New(layout.NewCustomPaddedLayout(6, 6, 6, 6), part.NewSheet(o)))
			w.Resize(w.Content().MinSize())
			before := w.Canvas().Capture()
			w.Canvas().Focus(o.(fyne.Focusable))
			after := w.Canvas().Capture()
			changed := 0
			for x := range before.Bounds().Dx() {
				for y := range before.Bounds().Dy() {
					if contrast(before.At(x, y), after.At(x, y)) >= 3 {
						changed++
					}
				}
			}
			if around := int(2 * (o.Size().Width + o.Size().Height)); changed < around*2/3 {
				t.Errorf("%s, %s: %d pixels change, and it is %d around", name, choice, changed, around)
			}
		}
	}
}
