package part_test

import (
	"reflect"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/test"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/part"
	"pulley/ui/theme"
)

// Pictures of the parts, light and dark. After a change that is meant, look at testdata/failed and copy what is right from there to
// testdata.
func looks(t *testing.T, name string, size fyne.Size, prepare func(fyne.Window) fyne.CanvasObject, then func(fyne.Window)) {
	t.Helper()
	for _, choice := range []theme.Choice{theme.Light, theme.Dark} {
		w := open(t, container.NewStack())
		fyne.CurrentApp().Settings().SetTheme(theme.New(choice))
		w.SetContent(prepare(w))
		w.Resize(size)
		if then != nil {
			then(w)
		}
		test.AssertImageMatches(t, name+"-"+string(choice)+".png", w.Canvas().Capture())
	}
}

func pictured(n int) *part.Table {
	names := []string{"library/alpine:3.22", "ghcr.io/home-assistant/home-assistant:2026.3.1", "library/postgres:17", "pause:3.10", "pihole/pihole:latest", "grafana/grafana:12"}
	sizes := []string{"8.2 MiB", "1.9 GiB", "431 MiB", "737 KiB", "–", "172 MiB"}
	return part.NewTable([]part.Column{
		{Key: "name", Title: "Image", Grow: true, Width: 200},
		{Key: "size", Title: "Size", Right: true, Width: 84},
		{Key: "used", Title: "Last used", Width: 100},
		{Key: "pin", Title: "Pinned", Width: 60},
	}, part.Rows{
		Len: func() int { return n },
		ID:  func(i int) string { return names[i] },
		Cell: func(i int, column string) part.Cell {
			switch column {
			case "name":
				return part.Cell{Text: names[i], Bold: i == 2}
			case "size":
				return part.Cell{Text: sizes[i], Bar: []float64{0.05, 1, 0.4, 0, 0, 0.2}[i]}
			case "used":
				if i == 3 {
					return part.Cell{Text: "incomplete", Color: fynetheme.ColorNameWarning}
				}
				return part.Cell{Text: "3 minutes ago", Muted: true}
			}
			if i%3 == 1 {
				return part.Cell{Icon: fynetheme.ConfirmIcon(), Color: fynetheme.ColorNamePrimary}
			}
			return part.Cell{}
		},
		Sort:  func(string, bool) {},
		Empty: func() (string, string) { return "No images yet", "What you pull through Pulley is kept here" },
	})
}

func TestTableLooks(t *testing.T) {
	size := fyne.NewSize(470, 196)
	var table *part.Table
	looks(t, "table", size, func(fyne.Window) fyne.CanvasObject {
		table = pictured(6)
		return table
	}, func(w fyne.Window) {
		table.SortedBy("size", true)
		w.Canvas().Focus(table)
		table.Select("ghcr.io/home-assistant/home-assistant:2026.3.1")
		table.KeyDown(&fyne.KeyEvent{Name: desktop.KeyShiftLeft})
		table.TypedKey(&fyne.KeyEvent{Name: fyne.KeyDown})
		test.MoveMouse(w.Canvas(), fyne.NewPos(100, 30+3*30+15))
	})
	looks(t, "table-empty", size, func(fyne.Window) fyne.CanvasObject { return pictured(0) }, nil)
	looks(t, "table-loading", size, func(fyne.Window) fyne.CanvasObject {
		table := pictured(0)
		table.Loading(true)
		return table
	}, nil)
	looks(t, "table-narrow", fyne.NewSize(300, 150), func(fyne.Window) fyne.CanvasObject { return pictured(6) }, nil)
}

func TestToastsLook(t *testing.T) {
	var toasts *part.Toasts
	pass := part.Clock(t)
	looks(t, "toasts", fyne.NewSize(420, 190), func(fyne.Window) fyne.CanvasObject {
		toasts = part.NewToasts()
		tip := part.NewTip(part.NewText("3 minutes ago"), func() string { return "Saturday, 21 November 2026, 16:58:03" })
		return container.NewStack(container.NewVBox(container.NewHBox(tip)), toasts)
	}, func(w fyne.Window) {
		toasts.Add(part.Toast{Text: "The mirror could not be tested: dial tcp 203.0.113.9:443: connection refused; check its address", Bad: true})
		toasts.Add(part.Toast{Text: "3 images removed (1.2 GiB)", Undo: func() {}})
		test.MoveMouse(w.Canvas(), fyne.NewPos(20, 8))
		pass(time.Second)
	})
}

func TestControlsLook(t *testing.T) {
	var segments *part.Segments
	var press *part.IconButton
	looks(t, "controls", fyne.NewSize(440, 300), func(fyne.Window) fyne.CanvasObject {
		segments = part.NewSegments([]string{"All", "Pulls", "Failed"}, 1, nil)
		press = part.NewIconButton(fynetheme.DeleteIcon(), "Remove", nil)
		off := part.NewIconButton(fynetheme.ViewRefreshIcon(), "Again", nil)
		off.Disable()
		on := part.NewSwitch(nil)
		on.Set(true)
		route := part.NewChoice(nil)
		route.Set([]part.Option{{Value: "a", Label: "Automatic"}}, "a")
		empty, filled := part.NewSearch("Search images", nil), part.NewSearch("Search images", nil)
		filled.SetText("alpine")
		progress := part.NewProgress()
		progress.Set(0.4, "1.2 of 3.0 GiB")
		return container.New(layout.NewCustomPaddedLayout(8, 8, 8, 8), container.NewVBox(
			container.NewHBox(segments, press, off, part.NewCopy("Digest", nil, nil), part.NewLink("Free space…", nil)),
			container.NewHBox(part.NewBadge("running", fynetheme.ColorNameSuccess), part.NewBadge("12", ""), part.NewBadge("failed", fynetheme.ColorNameError)),
			container.NewGridWithColumns(2, empty, filled),
			progress,
			part.NewSheet(container.NewVBox(part.NewField("Start at login", "The icon comes with your desktop", on), part.NewRule(), part.NewField("Route", "", route))),
			part.NewSkeleton(2),
		))
	}, func(w fyne.Window) {
		w.Canvas().Focus(segments)
		visit(w.Canvas().Content(), fyne.Position{}, func(o fyne.CanvasObject, at fyne.Position) {
			if o == fyne.CanvasObject(press) {
				test.MoveMouse(w.Canvas(), at.AddXY(4, 4))
			}
		})
	})
}

// Another theme, and a screen of another density, are taken over by what is shown already.
func TestTableTakesAnotherLook(t *testing.T) {
	size := fyne.NewSize(470, 196)
	for name, change := range map[string]func(fyne.Canvas){
		"theme": func(fyne.Canvas) { fyne.CurrentApp().Settings().SetTheme(theme.New(theme.Dark)) },
		"scale": func(c fyne.Canvas) { c.(interface{ SetScale(float32) }).SetScale(1.5) },
	} {
		table := pictured(6)
		w := open(t, table)
		w.Resize(size)
		table.Refresh()
		change(w.Canvas())
		table.Refresh()
		changed := w.Canvas().Capture()
		w.SetContent(pictured(6))
		w.Resize(size)
		if fresh := w.Canvas().Capture(); !reflect.DeepEqual(changed, fresh) {
			t.Errorf("%s: what was shown before looks other than what is new", name)
		}
	}
}
