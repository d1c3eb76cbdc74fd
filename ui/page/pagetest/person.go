package pagetest

import (
	"context"
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// Person sits before a window: reads what is to be seen there, presses it, and notes what came of that.
type Person struct {
	T      testing.TB
	Window fyne.Window
	Now    time.Time

	Did     []model.Action
	Toasts  []page.Toast
	Visited []string // a page and the thing on it, parted by a space
	Copied  string   // last
	Picked  string   // by them, in dialogs for files
	Chosen  map[string]string
}

// room is the app of a test. One app and one theme serve all of its windows: each new one has Fyne parse all fonts anew, which is most
// of what a scene costs, and ten times that under the race detector.
var room struct {
	t      testing.TB
	theme  theme.Choice
	looked bool // Looks chose the theme
}

func dress(t testing.TB, look theme.Choice, looked bool) {
	t.Helper()
	same := room.t == t
	if !same {
		test.NewTempApp(t)
	}
	if !same || room.theme != look && !room.looked {
		room.t, room.theme, room.looked = t, look, looked
		fyne.CurrentApp().Settings().SetTheme(theme.New(look))
	}
}

// Sit puts somebody before an empty window; within Looks in the colours of the look.
func Sit(t testing.TB, size fyne.Size, look theme.Choice) *Person {
	t.Helper()
	dress(t, look, false)
	p := &Person{T: t, Now: Noon, Chosen: map[string]string{}, Window: test.NewWindow(nil)}
	t.Cleanup(p.Window.Close)
	p.Window.SetPadded(false)
	p.Window.Resize(size)
	return p
}

// Desk is one on which the person sees all that a page does. Work is done at once; who runs the daemon and the tool is left open.
func (p *Person) Desk() page.Desk {
	return page.Desk{
		Do:     func(a model.Action) { p.Did = append(p.Did, a) },
		Daemon: func() page.Daemon { return nil },
		Work: func(work func(context.Context) func()) {
			if then := work(p.T.Context()); then != nil {
				then()
			}
		},
		Copy:   func(text string) { p.Copied = text },
		Toast:  func(toast page.Toast) { p.Toasts = append(p.Toasts, toast) },
		Visit:  func(name page.Name, thing string) { p.Visited = append(p.Visited, string(name)+" "+thing) },
		Files:  p,
		Memory: p,
		Window: func() fyne.Window { return p.Window },
		Now:    func() time.Time { return p.Now },
	}
}

// Choice implements page.Memory.
func (p *Person) Choice(key string) string { return p.Chosen[key] }

// Choose implements page.Memory.
func (p *Person) Choose(key, value string) { p.Chosen[key] = value }

// Open implements page.Files.
func (p *Person) Open(_ string, _ []string, then func(string)) { then(p.Picked) }

// Save implements page.Files.
func (p *Person) Save(_, _ string, then func(string)) { then(p.Picked) }

// Folder implements page.Files: nobody wants another one.
func (p *Person) Folder(string, func(string)) {}

// Face puts something into the window, which keeps its size.
func (p *Person) Face(o fyne.CanvasObject) {
	size := p.Window.Canvas().Size()
	p.Window.SetContent(o)
	p.Window.Resize(size)
}

// All visits what is seen: what lies over the window, if anything does, else what is in it.
func (p *Person) All(f func(fyne.CanvasObject)) {
	if top := p.Window.Canvas().Overlays().Top(); top != nil {
		Everything(top, f)
		return
	}
	Everything(p.Window.Canvas().Content(), f)
}

// Texts are all that can be read, or is told to those who cannot see it.
func (p *Person) Texts() (list []string) {
	p.All(func(o fyne.CanvasObject) { list = append(list, said(o)...) })
	return list
}

// Reads tells whether a text is to be read.
func (p *Person) Reads(text string) bool {
	return slices.ContainsFunc(p.Texts(), func(said string) bool { return strings.Contains(said, text) })
}

// Expect fails the test for each text that is not to be read.
func (p *Person) Expect(texts ...string) {
	p.T.Helper()
	for _, text := range texts {
		if !p.Reads(text) {
			p.T.Errorf("%q is not to be read: %s", text, strings.Join(p.Texts(), " | "))
		}
	}
}

// Refuse fails the test for each text that is to be read.
func (p *Person) Refuse(texts ...string) {
	p.T.Helper()
	for _, text := range texts {
		if p.Reads(text) {
			p.T.Errorf("%q is to be read", text)
		}
	}
}

// Tap presses the first button, link or check with a text, or icon with a tip; or the n-th, counted from 0.
func (p *Person) Tap(text string, n ...int) {
	p.T.Helper()
	at := 0
	if len(n) > 0 {
		at = n[0]
	}
	var found []fyne.Tappable
	p.All(func(o fyne.CanvasObject) {
		if tappable, ok := o.(fyne.Tappable); ok && pressed(o) == text {
			if b, ok := o.(fyne.Disableable); !ok || !b.Disabled() {
				found = append(found, tappable)
			}
		}
	})
	if at >= len(found) {
		p.T.Fatalf("%q cannot be pressed: %s", text, strings.Join(p.Texts(), " | "))
	}
	found[at].Tapped(&fyne.PointEvent{})
}

// pressed is what a person says they press.
func pressed(o fyne.CanvasObject) string {
	switch o := o.(type) {
	case *part.Button:
		return o.Text
	case *part.Link:
		return o.Words()
	case *part.IconButton:
		return o.Tip()
	case *part.Check:
		return o.Text
	}
	return ""
}

// Entries are the fields to be filled in, from the top.
func (p *Person) Entries() (list []*part.Entry) {
	p.All(func(o fyne.CanvasObject) {
		if e, ok := o.(*part.Entry); ok {
			list = append(list, e)
		}
	})
	return list
}

// Shoot keeps a picture where PULLEY_SHEETS says, for whoever wants to look. Without, nothing is drawn: that takes far longer than
// all the rest, and tests nothing.
func (p *Person) Shoot(name string) {
	p.T.Helper()
	dir := os.Getenv("PULLEY_SHEETS")
	if dir == "" {
		return
	}
	f, err := os.Create(filepath.Join(dir, name+".png"))
	if err != nil {
		p.T.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, p.Window.Canvas().Capture()), f.Close()); err != nil {
		p.T.Fatal(err)
	}
}

// Look is one in which a page is seen.
type Look struct {
	Name, Language string
	Theme          theme.Choice
	Size           fyne.Size
}

// Looks runs f in all looks, for pictures of them; where nobody looks, in the narrowest one and in Chinese.
func Looks(t *testing.T, f func(t *testing.T, look Look)) {
	wide, narrow := fyne.NewSize(920, 690), fyne.NewSize(710, 560)
	all := []Look{
		{"light-wide", "en", theme.Light, wide},
		{"light-narrow", "en", theme.Light, narrow},
		{"dark-wide", "en", theme.Dark, wide},
		{"dark-narrow", "en", theme.Dark, narrow},
		{"zh-wide", "zh-CN", theme.Light, wide},
		{"zh-narrow", "zh-CN", theme.Light, narrow},
		{"light-huge", "en", theme.Light, fyne.NewSize(1240, 800)},
	}
	if os.Getenv("PULLEY_SHEETS") == "" {
		all = []Look{all[1], all[5]}
	}
	for _, look := range all {
		t.Run(look.Name, func(t *testing.T) {
			Speak(t, look.Language)
			dress(t, look.Theme, true)
			f(t, look)
		})
	}
}

// Size and Usual are what a window of 1100×720 leaves a page, more or less.
var (
	Size  = fyne.NewSize(900, 660)
	Usual = fyne.NewSize(900, 690)
)

// Noon and Afternoon are when it is, where a test does not say otherwise.
var (
	Noon      = time.Date(2026, 3, 4, 12, 5, 0, 0, time.UTC)
	Afternoon = time.Date(2026, 5, 4, 14, 20, 0, 0, time.UTC)
)

// Speak has a test run in a language.
func Speak(t *testing.T, language string) {
	t.Helper()
	lang.Use(language)
	t.Cleanup(func() { lang.Use("en") })
}
