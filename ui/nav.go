package ui

import (
	"fmt"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/assets"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/tray"
)

// order is that of the pages in the sidebar and of their keys.
var order = []page.Name{page.OverviewPage, page.ImagesPage, page.MirrorsPage, page.DockerPage, page.ActivityPage, page.SettingsPage}

// What the sidebar measures: wide with names, slim with icons alone.
const (
	wide      = 184
	slim      = 60
	entryTall = 36
	brandTall = 60
	sideInset = 10
)

// nav is the sidebar: the mark in its present form, and an entry for each page.
type nav struct {
	mark    *part.Mark
	form    tray.Form
	name    *part.Text
	entries []*entry
	ground  *canvas.Rectangle
	line    *canvas.Rectangle
	root    *fyne.Container
	slim    bool
}

func newNav(goTo func(page.Name)) *nav {
	n := &nav{mark: part.NewMark(24), name: part.NewText(lang.Say("app.name")).Bold(), ground: &canvas.Rectangle{}, line: &canvas.Rectangle{}}
	n.name.Scale = fynetheme.SizeNameSubHeadingText
	objects := []fyne.CanvasObject{n.ground, n.line, n.mark, n.name}
	for i, name := range order {
		e := newEntry(name, i+1, goTo)
		e.step = func(by int) { n.step(i + by) }
		n.entries = append(n.entries, e)
		objects = append(objects, e)
	}
	n.root = &fyne.Container{Layout: n, Objects: objects}
	n.paint()
	return n
}

// step gives the focus to another entry.
func (n *nav) step(to int) {
	if to >= 0 && to < len(n.entries) {
		if c := fyne.CurrentApp().Driver().CanvasForObject(n.root); c != nil {
			c.Focus(n.entries[to])
		}
	}
}

// choose marks the page in front; "" for none.
func (n *nav) choose(name page.Name) {
	for _, e := range n.entries {
		if chosen := e.page == name; e.chosen != chosen {
			e.chosen = chosen
			e.Refresh()
		}
	}
}

// show brings the mark and the dots to what v says.
func (n *nav) show(v model.View) {
	if form := tray.FormOf(v); form != n.form {
		n.form = form
		if svg, err := assets.Icons.ReadFile("icons/" + string(form) + ".svg"); err == nil {
			n.mark.Set(svg, tint(form))
		}
	}
	count := map[page.Name]int{}
	if v.Phase == model.Running {
		for _, p := range v.State.Problems {
			count[page.PlaceOf(p)]++
		}
	}
	for _, e := range n.entries {
		if e.problems != count[e.page] {
			e.problems = count[e.page]
			e.Refresh()
		}
	}
}

func tint(form tray.Form) fyne.ThemeColorName {
	switch form {
	case tray.Trouble:
		return fynetheme.ColorNameError
	case tray.Off:
		return theme.Muted
	default:
		return fynetheme.ColorNamePrimary
	}
}

// narrow shows icons alone, or names too.
func (n *nav) narrow(slim bool) {
	if n.slim == slim {
		return
	}
	n.slim = slim
	n.name.Hidden = slim
	for _, e := range n.entries {
		e.slim = slim
		e.Refresh()
	}
}

// paint takes its colours from the theme in force.
func (n *nav) paint() {
	n.ground.FillColor = hue(fynetheme.ColorNameHeaderBackground)
	n.line.FillColor = hue(fynetheme.ColorNameSeparator)
	canvas.Refresh(n.ground)
	canvas.Refresh(n.line)
}

func hue(name fyne.ThemeColorName) color.Color {
	settings := fyne.CurrentApp().Settings()
	return settings.Theme().Color(name, settings.ThemeVariant())
}

// MinSize implements fyne.Layout.
func (n *nav) MinSize([]fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(n.width(), brandTall+float32(len(n.entries))*(entryTall+2)+sideInset)
}

func (n *nav) width() float32 {
	if n.slim {
		return slim
	}
	return wide
}

// Layout implements fyne.Layout.
func (n *nav) Layout(_ []fyne.CanvasObject, size fyne.Size) {
	n.ground.Resize(size)
	n.line.Move(fyne.NewPos(size.Width-1, 0))
	n.line.Resize(fyne.NewSize(1, size.Height))
	const side = 24
	left := float32(sideInset + 9)
	if n.slim {
		left = (size.Width - side) / 2
	}
	n.mark.Move(fyne.NewPos(left, (brandTall-side)/2+2))
	n.mark.Resize(fyne.NewSquareSize(side))
	word := n.name.MinSize()
	n.name.Move(fyne.NewPos(left+side+10, (brandTall-word.Height)/2+2))
	n.name.Resize(word)
	for i, e := range n.entries {
		e.Move(fyne.NewPos(sideInset, brandTall+float32(i)*(entryTall+2)))
		e.Resize(fyne.NewSize(size.Width-2*sideInset, entryTall))
	}
}

// entry is a page's line in the sidebar.
type entry struct {
	widget.BaseWidget
	page     page.Name
	number   int // of its key
	chosen   bool
	slim     bool
	problems int
	goTo     func(page.Name)
	step     func(by int)

	hovered, focused bool
	hint             *hint
}

var _ interface {
	fyne.Focusable
	fyne.Tappable
	desktop.Hoverable
	fyne.Accessible
} = (*entry)(nil)

func newEntry(name page.Name, number int, goTo func(page.Name)) *entry {
	e := &entry{page: name, number: number, goTo: goTo}
	e.hint = newHint(e, func() string { return fmt.Sprintf("%s  %s", e.title(), keyLabel(fmt.Sprint(number))) })
	e.ExtendBaseWidget(e)
	return e
}

func (e *entry) title() string { return lang.Say("shell.page." + string(e.page)) }

// Tapped goes to the page.
func (e *entry) Tapped(*fyne.PointEvent) {
	e.hint.hide()
	e.goTo(e.page)
}

// TypedKey goes to the page on space and return, and the arrows walk.
func (e *entry) TypedKey(k *fyne.KeyEvent) {
	switch k.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		e.goTo(e.page)
	case fyne.KeyUp:
		e.step(-1)
	case fyne.KeyDown:
		e.step(1)
	default:
		part.PassKey(e, k)
	}
}

// TypedRune ignores text.
func (e *entry) TypedRune(rune) {}

// FocusGained draws the ring.
func (e *entry) FocusGained() { e.focused = true; e.Refresh() }

// FocusLost takes it away.
func (e *entry) FocusLost() { e.focused = false; e.Refresh() }

// MouseIn lightens the line, and says its name where only its icon is seen.
func (e *entry) MouseIn(*desktop.MouseEvent) {
	e.hovered = true
	e.Refresh()
	if e.slim {
		e.hint.soon()
	}
}

// MouseMoved is of no interest.
func (e *entry) MouseMoved(*desktop.MouseEvent) {}

// MouseOut takes both away.
func (e *entry) MouseOut() {
	e.hovered = false
	e.Refresh()
	e.hint.hide()
}

// Cursor is a hand.
func (e *entry) Cursor() desktop.Cursor { return desktop.PointerCursor }

// AccessibilityLabel is the page's name, whether it is in front, and how many problems it has.
func (e *entry) AccessibilityLabel() string {
	switch {
	case e.problems > 0:
		return lang.Say("shell.name.trouble", "Page", e.title(), "Problems", lang.Say("shell.problems", "Count", e.problems))
	case e.chosen:
		return lang.Say("shell.name.chosen", "Page", e.title())
	default:
		return lang.Say("shell.name.page", "Page", e.title())
	}
}

// AccessibilityRole is a button's.
func (e *entry) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleButton }

// CreateRenderer is called by Fyne.
func (e *entry) CreateRenderer() fyne.WidgetRenderer {
	r := &entryRenderer{
		entry: e, ground: &canvas.Rectangle{CornerRadius: 7}, bar: &canvas.Rectangle{CornerRadius: 1.5},
		mark: part.NewMark(iconSide), name: part.NewText(""), dot: part.NewDot(fynetheme.ColorNameWarning),
	}
	r.svg, _ = assets.Icons.ReadFile("icons/page-" + string(e.page) + ".svg")
	r.Refresh()
	return r
}

const iconSide = 18

type entryRenderer struct {
	entry       *entry
	ground, bar *canvas.Rectangle
	mark        *part.Mark
	svg         []byte
	tint        fyne.ThemeColorName
	name        *part.Text
	dot         *part.Dot
}

func (r *entryRenderer) Destroy() {}

func (r *entryRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.ground, r.bar, r.mark, r.name, r.dot}
}

func (r *entryRenderer) MinSize() fyne.Size { return fyne.NewSize(slim-2*sideInset, entryTall) }

func (r *entryRenderer) Layout(size fyne.Size) {
	const tall, dot = 16, 8
	r.ground.Resize(size)
	r.bar.Move(fyne.NewPos(0, (size.Height-tall)/2))
	r.bar.Resize(fyne.NewSize(3, tall))
	left := float32(12)
	if r.entry.slim {
		left = (size.Width - iconSide) / 2
	}
	r.mark.Move(fyne.NewPos(left, (size.Height-iconSide)/2))
	r.mark.Resize(fyne.NewSquareSize(iconSide))
	word := r.name.MinSize()
	r.name.Move(fyne.NewPos(left+iconSide+11, (size.Height-word.Height)/2))
	r.name.Resize(word)
	at := fyne.NewPos(size.Width-dot-10, (size.Height-dot)/2)
	if r.entry.slim {
		at = fyne.NewPos(left+iconSide-3, (size.Height-iconSide)/2-4)
	}
	r.dot.Move(at)
	r.dot.Resize(fyne.NewSquareSize(dot))
}

// Refresh shows the page in front by a bar, a sheet and bold letters, not by colour alone.
func (r *entryRenderer) Refresh() {
	e := r.entry
	r.ground.FillColor, r.ground.StrokeWidth = color.Transparent, 0
	switch {
	case e.chosen:
		r.ground.FillColor = hue(theme.Card)
	case e.hovered:
		r.ground.FillColor = hue(fynetheme.ColorNameHover)
	}
	if e.chosen {
		r.ground.StrokeColor, r.ground.StrokeWidth = hue(theme.CardBorder), 1
	}
	if e.focused {
		r.ground.StrokeColor, r.ground.StrokeWidth = hue(fynetheme.ColorNamePrimary), 1.5
	}
	r.bar.FillColor, r.bar.Hidden = hue(fynetheme.ColorNamePrimary), !e.chosen
	tint := theme.Muted
	if e.chosen {
		tint = fynetheme.ColorNamePrimary
	}
	if tint != r.tint {
		r.tint = tint
		r.mark.Set(r.svg, tint)
	} else {
		r.mark.Refresh() // the theme may be another one
	}
	r.name.Style.Bold, r.name.Hidden = e.chosen, e.slim
	r.name.Set(e.title())
	r.name.Refresh()
	r.dot.Hidden = e.problems == 0
	r.dot.Refresh()
	r.Layout(e.Size())
	canvas.Refresh(r.ground)
	canvas.Refresh(r.bar)
}
