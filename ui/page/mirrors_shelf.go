package page

import (
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/words"
)

// mirrorShelf is the list of registries, those used lately first.
type mirrorShelf struct {
	choose  func(string)
	tabs    map[string]*mirrorTab
	lately  []*mirrorTab
	others  []*mirrorTab
	heading []fyne.CanvasObject // of the two groups
	nothing fyne.CanvasObject   // before a state is known
}

func newMirrorShelf(choose func(string)) *mirrorShelf {
	s := &mirrorShelf{choose: choose, tabs: map[string]*mirrorTab{}, nothing: part.NewSkeleton(6)}
	for _, key := range []string{lang.Say("mirrors.lately"), lang.Say("mirrors.others")} {
		s.heading = append(s.heading, container.New(layout.NewCustomPaddedLayout(4, 2, 10, 0), part.NewMuted(key)))
	}
	return s
}

func (s *mirrorShelf) show(v model.View, chosen string, now time.Time) {
	lately, others := model.Shelve(v.State.Registries, now)
	s.lately, s.others = s.group(lately, chosen, now), s.group(others, chosen, now)
}

func (s *mirrorShelf) group(list []control.Registry, chosen string, now time.Time) (tabs []*mirrorTab) {
	for _, r := range list {
		tab := s.tabs[r.Name]
		if tab == nil {
			tab = newMirrorTab(r.Name, s)
			s.tabs[r.Name] = tab
		}
		tab.show(r, r.Name == chosen, now)
		tabs = append(tabs, tab)
	}
	return tabs
}

// rows are what there is to see, from the top.
func (s *mirrorShelf) rows() (rows []fyne.CanvasObject) {
	if len(s.lately) == 0 {
		return []fyne.CanvasObject{s.nothing}
	}
	for i, group := range [][]*mirrorTab{s.lately, s.others} {
		if len(group) > 0 {
			rows = append(rows, s.heading[i])
		}
		for _, tab := range group {
			rows = append(rows, tab)
		}
	}
	return rows
}

// next is the registry by places further down, or up.
func (s *mirrorShelf) next(tab *mirrorTab, by int) *mirrorTab {
	all := slices.Concat(s.lately, s.others)
	at := slices.Index(all, tab) + by
	if at < 0 || at >= len(all) {
		return nil
	}
	return all[at]
}

// mirrorTab is one registry in the list: its name, its route, and when it was used.
type mirrorTab struct {
	widget.BaseWidget
	shelf   *mirrorShelf
	name    string
	chosen  bool
	hovered bool
	focused bool
	title   *part.Text
	route   *part.Text
	used    *part.Text
	exact   string // when it was used
}

var _ = []interface {
	fyne.Tappable
	fyne.Focusable
	fyne.Accessible
	desktop.Hoverable
}{&mirrorTab{}}

func newMirrorTab(name string, shelf *mirrorShelf) *mirrorTab {
	t := &mirrorTab{name: name, shelf: shelf, title: part.NewText(name).Giving(), route: part.NewMuted("").Giving(), used: part.NewMuted("")}
	t.ExtendBaseWidget(t)
	return t
}

func (t *mirrorTab) show(r control.Registry, chosen bool, now time.Time) {
	route := words.Route(r.Route)
	if r.Route == "auto" && r.Best != "" {
		route += " · " + mirrorSource(r.Best)
	}
	t.route.Set(route)
	t.used.Set(words.Ago(r.LastUsed, now))
	t.exact = ""
	if r.LastUsed != nil {
		t.exact = words.Exact(*r.LastUsed, now)
	}
	if t.chosen != chosen {
		t.chosen = chosen
		t.title.Style.Bold = chosen
		t.title.Refresh()
		t.Refresh()
	}
}

// mirrorSource is what a source is called for a person.
func mirrorSource(name string) string {
	if name == "origin" {
		return lang.Say("mirrors.origin")
	}
	return name
}

// Tapped shows it.
func (t *mirrorTab) Tapped(*fyne.PointEvent) { t.shelf.choose(t.name) }

// TypedKey goes through the list: what has the focus is shown.
func (t *mirrorTab) TypedKey(e *fyne.KeyEvent) {
	by := map[fyne.KeyName]int{fyne.KeyUp: -1, fyne.KeyDown: 1}[e.Name]
	switch next := t.shelf.next(t, by); {
	case by != 0 && next != nil:
		next.Tapped(nil)
		fyne.CurrentApp().Driver().CanvasForObject(t).Focus(next)
	case e.Name == fyne.KeySpace || e.Name == fyne.KeyReturn || e.Name == fyne.KeyEnter:
		t.Tapped(nil)
	case by == 0:
		part.PassKey(t, e)
	}
}

// AccessibilityLabel says all that is in it.
func (t *mirrorTab) AccessibilityLabel() string {
	parts := slices.DeleteFunc([]string{t.name, t.route.Words(), t.used.Words()}, func(s string) bool { return s == "" })
	return strings.Join(parts, ", ")
}

// AccessibilityRole is that of a button.
func (t *mirrorTab) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// FocusGained, and the following, are what Fyne calls when the keyboard and the pointer come and go.
func (t *mirrorTab) FocusGained()                   { t.focused = true; t.Refresh() }
func (t *mirrorTab) FocusLost()                     { t.focused = false; t.Refresh() }
func (t *mirrorTab) TypedRune(rune)                 {}
func (t *mirrorTab) MouseIn(*desktop.MouseEvent)    { t.hovered = true; t.Refresh() }
func (t *mirrorTab) MouseMoved(*desktop.MouseEvent) {}
func (t *mirrorTab) MouseOut()                      { t.hovered = false; t.Refresh() }

// CreateRenderer is called by Fyne.
func (t *mirrorTab) CreateRenderer() fyne.WidgetRenderer {
	ground := &canvas.Rectangle{CornerRadius: 7}
	below := container.NewBorder(nil, nil, nil, part.NewTip(t.used, func() string { return t.exact }), t.route)
	content := container.New(layout.NewCustomPaddedLayout(6, 7, 10, 10), column(1, t.title, below))
	return &lit{
		inner: widget.NewSimpleRenderer(container.NewStack(ground, content)),
		paint: func() {
			ground.FillColor, ground.StrokeColor, ground.StrokeWidth = nil, nil, 0
			switch {
			case t.chosen:
				ground.FillColor = fynetheme.ColorForWidget(fynetheme.ColorNameSelection, t)
			case t.hovered:
				ground.FillColor = fynetheme.ColorForWidget(fynetheme.ColorNameHover, t)
			}
			if t.focused {
				ground.StrokeColor, ground.StrokeWidth = fynetheme.ColorForWidget(fynetheme.ColorNamePrimary, t), 1
			}
		},
	}
}

// lit is the renderer of what shows focus and pointer by its ground.
type lit struct {
	inner fyne.WidgetRenderer
	paint func()
}

// Layout, and the following, are called by Fyne.
func (l *lit) Layout(size fyne.Size)        { l.paint(); l.inner.Layout(size) }
func (l *lit) MinSize() fyne.Size           { return l.inner.MinSize() }
func (l *lit) Objects() []fyne.CanvasObject { return l.inner.Objects() }
func (l *lit) Destroy()                     { l.inner.Destroy() }
func (l *lit) Refresh()                     { l.paint(); l.inner.Refresh() }
