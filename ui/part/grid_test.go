package part_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"pulley/ui/part"
)

// grid is a table of names with amounts, and what was heard of it.
type grid struct {
	*part.Table
	window  fyne.Window
	names   []string
	asked   []string // what the table did
	visited map[int]bool
}

const (
	gridPitch = 30
	gridHead  = 30
)

func newGrid(t *testing.T, names ...string) *grid {
	t.Helper()
	g := &grid{names: names, visited: map[int]bool{}, window: open(t, container.NewStack())}
	say := func(what string, ids ...string) { g.asked = append(g.asked, what+" "+strings.Join(ids, ",")) }
	g.Table = part.NewTable([]part.Column{
		{Key: "name", Title: "Name", Grow: true, Width: 200},
		{Key: "size", Title: "Size", Right: true, Width: 100},
		{Key: "note", Title: "Note", Width: 100, NoSort: true},
	}, part.Rows{
		Len: func() int { return len(g.names) },
		ID:  func(i int) string { return g.names[i] },
		Cell: func(i int, column string) part.Cell {
			g.visited[i] = true
			switch column {
			case "name":
				return part.Cell{Text: g.names[i]}
			case "size":
				return part.Cell{Text: fmt.Sprintf("%d MiB", len(g.names[i]))}
			}
			return part.Cell{Text: "note", Tip: "a note"}
		},
		Sort: func(column string, down bool) {
			say("sort", column, fmt.Sprint(down))
			slices.Sort(g.names)
			if down {
				slices.Reverse(g.names)
			}
		},
		Open:   func(id string) { say("open", id) },
		Delete: func(ids []string) { say("delete", ids...) },
		Copy:   func(ids []string) string { return strings.Join(ids, "\n") },
		Menu: func(ids []string) *fyne.Menu {
			say("menu", ids...)
			return fyne.NewMenu("", fyne.NewMenuItem("Remove", func() { say("remove", ids...) }))
		},
		Empty: func() (string, string) { return "Nothing here", "yet" },
	})
	g.window.SetContent(g.Table)
	g.window.Resize(fyne.NewSize(500, gridHead+5*gridPitch))
	return g
}

func manyNames(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("row-%05d", i))
	}
	return names
}

// press is a click on a row that can be seen, from the top.
func (g *grid) press(line int, button desktop.MouseButton, modifier fyne.KeyModifier) {
	at := fyne.NewPos(40, gridHead+float32(line)*gridPitch+10)
	e := &desktop.MouseEvent{Button: button, Modifier: modifier}
	e.AbsolutePosition = at
	row := g.rowAt(at)
	row.(desktop.Mouseable).MouseDown(e)
	row.(desktop.Mouseable).MouseUp(e)
	if button == desktop.MouseButtonSecondary {
		row.(fyne.SecondaryTappable).TappedSecondary(&e.PointEvent)
	} else {
		row.(fyne.Tappable).Tapped(&e.PointEvent)
	}
}

// pressBelow is a click below all rows, on what Fyne's drivers find there.
func (g *grid) pressBelow() {
	var found desktop.Mouseable
	visit(g.window.Canvas().Content(), fyne.Position{}, func(o fyne.CanvasObject, pos fyne.Position) {
		_, row := o.(fyne.SecondaryTappable)
		_, focused := o.(fyne.Focusable)
		mouse, pressed := o.(desktop.Mouseable)
		if bottom := pos.Y + o.Size().Height; bottom > gridHead+4*gridPitch && !row && (focused || pressed) {
			found = mouse
		}
	})
	found.MouseDown(&desktop.MouseEvent{Button: desktop.MouseButtonPrimary})
}

func (g *grid) rowAt(at fyne.Position) fyne.CanvasObject {
	var found fyne.CanvasObject
	visit(g.window.Canvas().Content(), fyne.Position{}, func(o fyne.CanvasObject, pos fyne.Position) {
		_, tapped := o.(fyne.SecondaryTappable)
		if tapped && at.Y >= pos.Y && at.Y < pos.Y+o.Size().Height {
			found = o
		}
	})
	return found
}

// visit calls f for every object that can be seen and where it is.
func visit(o fyne.CanvasObject, at fyne.Position, f func(fyne.CanvasObject, fyne.Position)) {
	if !o.Visible() {
		return
	}
	at = at.Add(o.Position())
	f(o, at)
	switch o := o.(type) {
	case *fyne.Container:
		for _, child := range o.Objects {
			visit(child, at, f)
		}
	case fyne.Widget:
		for _, child := range test.WidgetRenderer(o).Objects() {
			visit(child, at, f)
		}
	}
}

func (g *grid) key(name fyne.KeyName, held ...fyne.KeyName) {
	for _, k := range held {
		g.KeyDown(&fyne.KeyEvent{Name: k})
	}
	g.TypedKey(&fyne.KeyEvent{Name: name})
	for _, k := range held {
		g.KeyUp(&fyne.KeyEvent{Name: k})
	}
}

func (g *grid) shortcut(key fyne.KeyName, also fyne.KeyModifier) {
	g.TypedShortcut(&desktop.CustomShortcut{KeyName: key, Modifier: fyne.KeyModifierShortcutDefault | also})
}

func (g *grid) has(t *testing.T, ids ...string) {
	t.Helper()
	if got := g.Selected(); !slices.Equal(got, ids) {
		t.Errorf("%v are selected, want %v", got, ids)
	}
}

func (g *grid) did(t *testing.T, what ...string) {
	t.Helper()
	if !slices.Equal(g.asked, what) {
		t.Errorf("it did %q, want %q", g.asked, what)
	}
	g.asked = nil
}

func (g *grid) headOf(t *testing.T) fyne.CanvasObject {
	t.Helper()
	var head fyne.CanvasObject
	visit(g.Table, fyne.Position{}, func(o fyne.CanvasObject, _ fyne.Position) {
		if _, drags := o.(interface {
			fyne.Draggable
			fyne.Focusable
		}); drags {
			head = o
		}
	})
	if head == nil {
		t.Fatal("there is no header")
	}
	return head
}

// topRow is the ID of the first row that can be seen.
func (g *grid) topRow() string {
	row := g.rowAt(fyne.NewPos(40, gridHead+1))
	label, _, _ := strings.Cut(row.(fyne.Accessible).AccessibilityLabel(), ",")
	return label
}
