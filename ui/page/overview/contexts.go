package overview

import (
	"cmp"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/words"
)

// contexts are docker's, the one in force first: whether its engine answers, and what it is called.
type contexts struct {
	lines []*contextLine
	list  *rows
	root  *fyne.Container
}

// contextLine is one of them.
type contextLine struct {
	lamp *part.Lamp
	name *part.Text
	said *part.Text
	tick fyne.CanvasObject
	tip  string
	root fyne.CanvasObject
}

// maxContexts is how many have a line at most; all are on the page that the title leads to.
const maxContexts = 6

func newContexts(d page.Desk) *contexts {
	c := &contexts{list: &rows{gap: 6, least: 2}}
	all := part.NewLink(lang.Say("overview.contexts.all"), func() { d.Visit(page.DockerPage, "") })
	head := part.Between(part.Middle(part.NewText(lang.Say("overview.contexts.title")).Bold()), part.Flush(4, all))
	c.root = rowOf(c.list, part.VBox(13, part.NewRule(), head))
	for range maxContexts {
		l := newContextLine()
		c.lines = append(c.lines, l)
		c.root.Add(l.root)
	}
	return c
}

func newContextLine() *contextLine {
	l := &contextLine{lamp: part.NewLamp(), name: part.NewText("").Giving(), said: part.NewMuted("")}
	const side = 16
	l.tick = part.Middle(container.NewGridWrap(fyne.NewSquareSize(side), widget.NewIcon(fynetheme.NewPrimaryThemedResource(fynetheme.ConfirmIcon()))))
	name := part.NewTip(l.name, func() string { return l.tip })
	lamp := container.New(layout.NewCustomPaddedLayout(0, 0, 0, 8), part.Middle(l.lamp))
	l.root = part.Border(nil, nil, lamp, part.HBox(6, part.Middle(l.said), l.tick), name)
	return l
}

func (c *contexts) show(v model.View) {
	list := slices.Clone(v.Contexts)
	slices.SortStableFunc(list, func(a, b model.Context) int { return cmp.Compare(rank(a), rank(b)) })
	c.list.wanted = min(len(list), len(c.lines))
	for i, one := range list[:c.list.wanted] {
		report, asked := v.Reports[one.Name]
		c.lines[i].show(one, report, asked)
	}
	part.Show(c.root, len(list) > 0)
}

// rank puts the one in force before the others.
func rank(c model.Context) int {
	if c.Wins {
		return 0
	}
	return 1
}

func (l *contextLine) show(c model.Context, r model.ContextReport, asked bool) {
	l.name.Set(c.Name)
	light, state := part.LightUnknown, lang.Say("overview.contexts.unknown")
	switch {
	case c.Error != "":
		light, state = part.LightBad, c.Error
	case asked && r.Reachable:
		light, state = part.LightGood, lang.Say("overview.contexts.reachable")
	case asked:
		light, state = part.LightBad, lang.Say("overview.contexts.unreachable")
	}
	l.lamp.Set(light)
	const most = 14
	said := ""
	switch {
	case light == part.LightBad:
		said = lang.Say("overview.contexts.unreachable")
	case c.Mark != nil:
		said = words.Short(c.Mark.Word, most)
	}
	l.said.Set(said)
	part.Show(l.tick, c.Wins)
	l.tip = page.Joined(c.Host, state)
	if c.Wins {
		l.tip = page.Joined(l.tip, lang.Say("overview.contexts.used"))
	}
}
