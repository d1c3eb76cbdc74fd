package part_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/part"
	"pulley/ui/theme"
)

// images are as many rows as a large cache has.
func images(n int) ([]part.Column, part.Rows) {
	return []part.Column{
			{Key: "name", Title: "Image", Grow: true, Width: 260},
			{Key: "size", Title: "Size", Right: true, Width: 100},
			{Key: "used", Title: "Last used", Width: 120},
			{Key: "pulls", Title: "Pulls", Right: true, Width: 70},
			{Key: "state", Title: "State", Width: 90},
		}, part.Rows{
			Len: func() int { return n },
			ID:  func(i int) string { return fmt.Sprintf("sha256:%064x", i) },
			Cell: func(i int, column string) part.Cell {
				switch column {
				case "name":
					return part.Cell{Text: fmt.Sprintf("registry%d.example/team-%d/service-number-%d:v%d.%d", i%7, i%40, i, i%9, i%31), Icon: fynetheme.StorageIcon()}
				case "size":
					return part.Cell{Text: fmt.Sprintf("%d.%d MiB", i%977, i%10), Bar: float64(i%100) / 100}
				case "used":
					return part.Cell{Text: fmt.Sprintf("%d minutes ago", i%60), Muted: true, Tip: "2026-11-21 16:58:03"}
				case "pulls":
					return part.Cell{Text: fmt.Sprint(i % 211), Muted: true}
				}
				return part.Cell{Text: "complete", Color: fynetheme.ColorNameSuccess}
			},
		}
}

// requests are as many lines as a long log has, no two the same.
func requests(n *int) ([]part.Column, part.Rows) {
	began := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	return []part.Column{
			{Key: "at", Title: "Time", Width: 90},
			{Key: "method", Title: "Method", Width: 70},
			{Key: "path", Title: "Path", Grow: true, Width: 300},
			{Key: "status", Title: "Status", Right: true, Width: 70},
			{Key: "bytes", Title: "Size", Right: true, Width: 90},
			{Key: "took", Title: "Took", Right: true, Width: 80},
		}, part.Rows{
			Len: func() int { return *n },
			ID:  func(i int) string { return fmt.Sprint(i) },
			Cell: func(i int, column string) part.Cell {
				switch column {
				case "at":
					return part.Cell{Text: began.Add(time.Duration(i) * 137 * time.Millisecond).Format("15:04:05.000"), Muted: true}
				case "method":
					return part.Cell{Text: []string{"GET", "HEAD"}[i%2]}
				case "path":
					return part.Cell{Text: fmt.Sprintf("/v2/library/image-%d/blobs/sha256:%064x", i%300, i)}
				case "status":
					return part.Cell{Text: []string{"200", "206", "404"}[i%3]}
				case "bytes":
					return part.Cell{Text: fmt.Sprintf("%d.%d KiB", i%900, i%10)}
				}
				return part.Cell{Text: fmt.Sprintf("%d ms", i%1700), Muted: true}
			},
		}
}

func inWindow(tb testing.TB, columns []part.Column, rows part.Rows) (*part.Table, fyne.Window) {
	tb.Helper()
	app := test.NewTempApp(tb)
	app.Settings().SetTheme(theme.New(theme.Light))
	w := app.NewWindow("")
	w.SetPadded(false)
	table := part.NewTable(columns, rows)
	w.SetContent(table)
	w.Resize(fyne.NewSize(1100, 720))
	w.Show()
	return table, w
}

// frames measures each frame by itself: what a person sees is the slowest, not the mean.
func frames(b *testing.B, frame func()) {
	b.Helper()
	var took []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		frame()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(took[(len(took)-1)*p/100])/float64(time.Millisecond), fmt.Sprintf("ms/p%d", p))
	}
	b.ReportMetric(0, "ns/op")
}

// A screen of 60 Hz has 16.7 ms for a frame. Painting by the software painter is no measure of OpenGL, but an upper bound.
func BenchmarkTable(b *testing.B) {
	const top, page = 100, 690
	lines := 100_000
	imageColumns, imageRows := images(10_000)
	logColumns, logRows := requests(&lines)
	for _, c := range []struct {
		name    string
		columns []part.Column
		rows    part.Rows
		length  float32
	}{{"images=10000", imageColumns, imageRows, 10_000 * 30}, {"lines=100000", logColumns, logRows, 100_000 * 30}} {
		b.Run(c.name, func(b *testing.B) {
			table, w := inWindow(b, c.columns, c.rows)
			at, canvas := fyne.NewPos(300, top), w.Canvas()
			offset := float32(0)
			scroll := func(by float32) {
				if offset += by; offset > c.length-2*page {
					test.Scroll(canvas, at, 0, offset)
					offset = 0
				}
				test.Scroll(canvas, at, 0, -by)
			}
			b.Run("page", func(b *testing.B) { frames(b, func() { scroll(page) }) })
			b.Run("wheel", func(b *testing.B) { frames(b, func() { scroll(40) }) })
			b.Run("refresh", func(b *testing.B) { frames(b, table.Refresh) })
			// Fyne asks everything that is seen for its least size before it paints, which is when new texts are shaped.
			b.Run("page-measured", func(b *testing.B) {
				frames(b, func() {
					scroll(page)
					visit(table, fyne.Position{}, func(o fyne.CanvasObject, _ fyne.Position) { o.MinSize() })
				})
			})
			b.Run("page-painted", func(b *testing.B) { frames(b, func() { scroll(page); canvas.Capture() }) })
			b.Run("still-painted", func(b *testing.B) { frames(b, func() { canvas.Capture() }) })
		})
	}
	b.Run("lines=100000/follow", func(b *testing.B) {
		table, _ := inWindow(b, logColumns, logRows)
		table.Follow = true
		table.ScrollToEnd()
		frames(b, func() { lines += 3; table.Refresh() })
	})
}

// Rows out of sight cost nothing: it takes as many allocations to scroll through many as through few. A thousand times the rows
// would take hundreds of times as many; up to twice as many is chance, since a sync.Pool forgets at random under the race detector.
func TestTableCostsNothingForRowsOutOfSight(t *testing.T) {
	cost := func(n int) float64 {
		columns, rows := images(n)
		_, w := inWindow(t, columns, rows)
		at, up := fyne.NewPos(300, 300), false
		return testing.AllocsPerRun(20, func() {
			dy := float32(-300)
			if up = !up; up {
				dy = 300
			}
			test.Scroll(w.Canvas(), at, 0, dy)
		})
	}
	few, many := cost(100), cost(100_000)
	if many > 2*few+20 {
		t.Errorf("%v allocations among 100,000 rows, %v among 100", many, few)
	}
}
