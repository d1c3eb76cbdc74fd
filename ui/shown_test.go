package ui_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"pulley/ui"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// shown is a window with what a person asked for in it.
type shown struct {
	*ui.Window
	app    fyne.App
	model  *model.Model
	asked  []model.Action
	closed int
}

// machine is the person's own machine: what `pulley ARGS` prints there.
type machine map[string]string

func (m machine) Run(_ context.Context, into any, args ...string) error {
	return json.Unmarshal([]byte(m[strings.Join(args, " ")]), into)
}

func (m machine) AsRoot(ctx context.Context, into any, args ...string) error {
	return m.Run(ctx, into, args...)
}

func (machine) Follow(context.Context, func(string), ...string) error { return nil }

// nobody is a machine on which nothing can be found out.
type nobody struct{}

func (nobody) Run(context.Context, any, ...string) error { return os.ErrNotExist }

func (nobody) AsRoot(context.Context, any, ...string) error { return os.ErrNotExist }

func (nobody) Follow(context.Context, func(string), ...string) error { return os.ErrNotExist }

func show(t *testing.T, prepare func(*model.Model), more ...func(*ui.Options)) *shown {
	t.Helper()
	lang.Use("en")
	s := &shown{app: test.NewTempApp(t), model: model.New()}
	s.app.Settings().SetTheme(theme.New(theme.Light))
	prepare(s.model)
	o := ui.Options{
		Model: s.model, Do: func(a model.Action) { s.asked = append(s.asked, a) }, Now: func() time.Time { return noon }, Version: "1.2.3",
		Daemon: func() page.Daemon { return nil }, Tool: nobody{}, Close: func() { s.closed++ },
		Work: func(work func(context.Context) func()) {
			if then := work(t.Context()); then != nil {
				then()
			}
		},
	}
	for _, f := range more {
		f(&o)
	}
	s.Window = ui.New(s.app, o)
	s.Reveal()
	return s
}

// remembering keeps the window's file at path.
func remembering(path string) func(*ui.Options) { return func(o *ui.Options) { o.Memory = path } }

// visit calls f for every object that can be seen.
func (s *shown) visit(f func(fyne.CanvasObject)) {
	var walk func(fyne.CanvasObject)
	walk = func(o fyne.CanvasObject) {
		if !o.Visible() {
			return
		}
		f(o)
		switch o := o.(type) {
		case *fyne.Container:
			for _, child := range o.Objects {
				walk(child)
			}
		case fyne.Widget:
			for _, child := range test.WidgetRenderer(o).Objects() {
				walk(child)
			}
		}
	}
	walk(s.Canvas().Content())
	for _, overlay := range s.Canvas().Overlays().List() {
		walk(overlay)
	}
}

// all are the visible widgets of one kind, from the top.
func all[W fyne.CanvasObject](s *shown) []W {
	var found []W
	s.visit(func(o fyne.CanvasObject) {
		if w, ok := o.(W); ok {
			found = append(found, w)
		}
	})
	return found
}

// says tells whether a text can be read somewhere.
func (s *shown) says(text string) bool {
	return slices.ContainsFunc(all[*part.Text](s), func(w *part.Text) bool { return w.Words() == text }) ||
		slices.ContainsFunc(all[*widget.Label](s), func(w *widget.Label) bool { return strings.Contains(w.Text, text) })
}

func (s *shown) check(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !s.says(text) {
			t.Errorf("the window does not say %q", text)
		}
	}
}

// entry is what stands in the sidebar for a page: a line that can be focused and is read out by its name.
type entry interface {
	fyne.Focusable
	fyne.Tappable
	fyne.Accessible
}

func (s *shown) entry(t *testing.T, title string) entry {
	t.Helper()
	var found entry
	s.visit(func(o fyne.CanvasObject) {
		if e, ok := o.(entry); ok && strings.HasPrefix(e.AccessibilityLabel(), title+", ") {
			found = e
		}
	})
	if found == nil {
		t.Fatalf("nothing in the sidebar for %q", title)
	}
	return found
}

// inFront checks which page is marked, to the eye and to the ear.
func (s *shown) inFront(t *testing.T, title string) {
	t.Helper()
	var marked []string
	s.visit(func(o fyne.CanvasObject) {
		if e, ok := o.(entry); ok && strings.HasSuffix(e.AccessibilityLabel(), ", the page in front") {
			marked = append(marked, e.AccessibilityLabel())
		}
	})
	if want := title + ", the page in front"; len(marked) != 1 || marked[0] != want {
		t.Errorf("in front: %q, want %q", marked, want)
	}
}

func (s *shown) shortcut(key fyne.KeyName) {
	s.TypedShortcut(&desktop.CustomShortcut{KeyName: key, Modifier: fyne.KeyModifierShortcutDefault})
}

func (s *shown) key(name fyne.KeyName) { s.Canvas().OnTypedKey()(&fyne.KeyEvent{Name: name}) }

func running(m *model.Model) { m.Heard(sample()) }
