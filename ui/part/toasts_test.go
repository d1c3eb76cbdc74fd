package part_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/part"
)

// board is a window with toasts over a page, and what became of them.
type board struct {
	*part.Toasts
	window fyne.Window
	heard  []string
}

func newBoard(t *testing.T, page fyne.CanvasObject) *board {
	t.Helper()
	b := &board{window: open(t, container.NewStack()), Toasts: part.NewToasts()}
	b.window.SetContent(container.NewStack(page, b.Toasts))
	b.window.Resize(fyne.NewSize(500, 400))
	return b
}

// toast is one that can be undone and says what becomes of it.
func (b *board) toast(name string) part.Toast {
	return part.Toast{
		Text: name,
		Undo: func() { b.heard = append(b.heard, "undo "+name) },
		Done: func() { b.heard = append(b.heard, "done "+name) },
	}
}

func (b *board) did(t *testing.T, what ...string) {
	t.Helper()
	if !slices.Equal(b.heard, what) {
		t.Errorf("it did %q, want %q", b.heard, what)
	}
	b.heard = nil
}

// inWidget finds a widget of a kind, with where it is.
func inWidget[W fyne.CanvasObject](b *board, is func(W) bool) (found W, at fyne.Position) {
	visit(b.window.Canvas().Content(), fyne.Position{}, func(o fyne.CanvasObject, pos fyne.Position) {
		if w, ok := o.(W); ok && is(w) {
			found, at = w, pos
		}
	})
	return found, at
}

func TestToastsGoAndAreDoneOnce(t *testing.T) {
	pass := part.Clock(t)
	b := newBoard(t, container.NewStack())
	b.Add(b.toast("one"))
	pass(3 * time.Second)
	b.Add(b.toast("two"))
	pass(2 * time.Second)
	b.did(t)
	pass(2 * time.Second)
	b.did(t, "done one")
	pass(5 * time.Second)
	b.did(t, "done two")
	b.Flush()
	b.did(t)
	if b.Undo() {
		t.Error("there was something to undo")
	}
}

func TestToastsAreUndone(t *testing.T) {
	pass := part.Clock(t)
	b := newBoard(t, container.NewStack())
	b.Add(b.toast("one"))
	b.Add(b.toast("two"))
	b.Add(part.Toast{Text: "nothing to undo"})
	if !b.Undo() {
		t.Error("there was nothing to undo")
	}
	b.did(t, "undo two")
	link, at := inWidget(b, func(l *part.Link) bool { return l.Words() == "Undo" })
	if link == nil {
		t.Fatal("there is no button")
	}
	test.TapCanvas(b.window.Canvas(), at.AddXY(5, 5))
	b.did(t, "undo one")
	pass(time.Minute)
	b.did(t)
	if got := b.Texts(); len(got) != 0 {
		t.Errorf("%v are still there", got)
	}
}

func TestToastsWaitForThePointerAndTheKeyboard(t *testing.T) {
	pass := part.Clock(t)
	b := newBoard(t, container.NewStack())
	b.Add(b.toast("one"))
	link, at := inWidget(b, func(l *part.Link) bool { return true })
	test.MoveMouse(b.window.Canvas(), at.AddXY(-20, 5)) // on the text
	pass(10 * time.Second)
	test.MoveMouse(b.window.Canvas(), at.AddXY(5, 5)) // on the button
	pass(10 * time.Second)
	b.did(t)
	b.window.Canvas().Focus(link)
	test.MoveMouse(b.window.Canvas(), fyne.NewPos(1, 1))
	pass(10 * time.Second)
	b.did(t)
	b.window.Canvas().Unfocus()
	pass(7 * time.Second)
	b.did(t, "done one")

	b.Add(b.toast("two"))
	pass(5 * time.Second)
	test.MoveMouse(b.window.Canvas(), at.AddXY(-20, 5))
	test.MoveMouse(b.window.Canvas(), fyne.NewPos(1, 1))
	pass(1500 * time.Millisecond) // there were but 5 s of 6, and yet it stays a moment
	b.did(t)
	pass(time.Second)
	b.did(t, "done two")
}

func TestToastsThatAreBadStay(t *testing.T) {
	pass := part.Clock(t)
	b := newBoard(t, container.NewStack())
	b.Add(part.Toast{Text: "it failed", Bad: true, Done: func() { b.heard = append(b.heard, "seen") }})
	for _, name := range []string{"one", "two", "three"} {
		b.Add(b.toast(name))
		pass(time.Second) // two that went at once would go in any order
	}
	b.did(t, "done one") // there was room for two others
	pass(time.Hour)
	b.did(t, "done two", "done three")
	dismiss, at := inWidget(b, func(b *part.IconButton) bool { return b.Tip() == "Dismiss" })
	b.window.Canvas().Focus(dismiss)
	test.TapCanvas(b.window.Canvas(), at.AddXY(5, 5))
	b.did(t, "seen")
	if b.window.Canvas().Focused() != nil {
		t.Error("what is gone has the keyboard")
	}
}

func TestToastsAreDoneWhenTheWindowCloses(t *testing.T) {
	pass := part.Clock(t)
	b := newBoard(t, container.NewStack())
	again := b.toast("one")
	done := again.Done
	again.Done = func() { done(); b.Flush() } // whoever is done may do anything
	b.Add(again)
	b.Add(b.toast("two"))
	b.Flush()
	b.did(t, "done one", "done two")
	pass(time.Minute)
	b.did(t)
}

func TestToastsLieInTheirWindow(t *testing.T) {
	tapped := 0
	below := part.NewLink("below", func() { tapped++ })
	b := newBoard(t, container.NewCenter(below))
	b.Add(part.Toast{Text: strings.Repeat("a sentence that is far too long for one line, 以及中文字符, ", 9), Bad: true})
	b.Add(b.toast("short"))
	for _, width := range []float32{900, 500, 320} {
		b.window.Resize(fyne.NewSize(width, 400))
		visit(b.Toasts, fyne.Position{}, func(o fyne.CanvasObject, at fyne.Position) {
			if o != fyne.CanvasObject(b.Toasts) && (at.X < 0 || at.X+o.Size().Width > width || at.Y+o.Size().Height > 400) {
				t.Errorf("at %v, %T lies at %v %v", width, o, at, o.Size())
			}
		})
	}
	_, at := inWidget(b, func(l *part.Link) bool { return l == below })
	test.TapCanvas(b.window.Canvas(), at.AddXY(5, 5))
	if tapped != 1 {
		t.Error("what lies below cannot be tapped")
	}
	b.Flush()
}

func TestTipsWaitForThePointerToRest(t *testing.T) {
	pass := part.Clock(t)
	words := "2026-11-21 16:58:03"
	tip := part.NewTip(part.NewText("3 minutes ago"), func() string { return words })
	button := part.NewIconButton(fynetheme.DeleteIcon(), "Remove", nil)
	b := newBoard(t, container.NewVBox(tip, button))
	over := func(y float32) { test.MoveMouse(b.window.Canvas(), fyne.NewPos(10, y)) }
	over(5)
	pass(300 * time.Millisecond)
	over(6)
	if got := b.Explained(); got != "" {
		t.Errorf("it says %q at once", got)
	}
	pass(300 * time.Millisecond)
	if got := b.Explained(); got != words {
		t.Errorf("it says %q, want %q", got, words)
	}
	over(button.Position().Y + 5)
	if got := b.Explained(); got != "" {
		t.Errorf("it says %q while the pointer is elsewhere", got)
	}
	pass(time.Second)
	if got := b.Explained(); got != "Remove" {
		t.Errorf("it says %q of the button", got)
	}
	test.Tap(button)
	if got := b.Explained(); got != "" {
		t.Errorf("it says %q after a tap", got)
	}
	words = ""
	over(5)
	pass(time.Second)
	if got := b.Explained(); got != "" {
		t.Errorf("it says %q of nothing", got)
	}
}

func TestCopySaysThatItDid(t *testing.T) {
	pass := part.Clock(t)
	var got []string
	c := part.NewCopy("", func() string { return "docker pull alpine" }, func(text string) { got = append(got, text) })
	b := newBoard(t, container.NewVBox(container.NewHBox(c)))
	b.window.Canvas().Focus(c)
	c.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	if len(got) != 1 || got[0] != "docker pull alpine" {
		t.Errorf("it copied %q", got)
	}
	if b.Explained() != "Copied" || c.AccessibilityLabel() != "Copied: docker pull alpine" {
		t.Errorf("it says %q", b.Explained())
	}
	pass(2 * time.Second)
	if b.Explained() != "" || c.AccessibilityLabel() != "Copy: docker pull alpine" {
		t.Errorf("it says %q later", b.Explained())
	}
}

func TestTableExplainsCells(t *testing.T) {
	pass := part.Clock(t)
	names := []string{strings.Repeat("a long name ", 30), "b"}
	g := newGrid(t, names...)
	b := &board{Toasts: part.NewToasts(), window: g.window}
	g.window.SetContent(container.NewStack(g.Table, b.Toasts))
	g.window.Resize(fyne.NewSize(500, 400))
	for _, step := range []struct {
		x, y float32
		want string
	}{
		{450, gridHead + 10, "a note"},
		{40, gridHead + 10, names[0]},       // it is cut
		{40, gridHead + gridPitch + 10, ""}, // it is not
		{450, gridHead + gridPitch + 10, "a note"},
		{40, 390, ""},
	} {
		test.MoveMouse(g.window.Canvas(), fyne.NewPos(step.x, step.y))
		pass(time.Second)
		if got := b.Explained(); got != step.want {
			t.Errorf("at %v, %v it says %q, want %q", step.x, step.y, got, step.want)
		}
	}
}
