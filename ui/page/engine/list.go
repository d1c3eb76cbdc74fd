// Package engine is what pages show of the container engines of this machine: their list, the sheet that connects or
// disconnects one, and the question that is asked before the daemon ends while engines are wired to it. It is no page.
package engine

import (
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// List is the list of engines.
type List struct {
	desk  page.Desk
	again func() // the list is to be asked for once more
	list  []model.Engine
	known bool
	rows  *fyne.Container
	Root  fyne.CanvasObject
}

const rowHeight = 54

func NewList(d page.Desk, again func()) *List {
	e := &List{desk: d, again: again, rows: part.VBox(0)}
	card := part.NewSheet(part.NewScroll(e.rows))
	card.Padding = fyne.NewSize(1, 1)
	e.Root = part.Border(container.New(layout.NewCustomPaddedLayout(0, 6, 0, 0), part.NewHeading(lang.Say("docker.engines.title"), nil)), nil, nil, nil, card)
	e.draw()
	if d.Tool == nil {
		e.message(lang.Say("docker.no_tool.title"), lang.Say("docker.no_tool.hint"))
	}
	return e
}

// Height is what all of it wants.
func (e *List) Height() float32 { return 26 + e.rows.MinSize().Height + 4 }

// done follows a connecting or disconnecting, whatever came of it.
func (e *List) done(model.Wiring) { e.again() }

// Engines are those of which is known.
func (e *List) Engines() []model.Engine { return e.list }

// Forget has what is found next be drawn, be it the same or not.
func (e *List) Forget() { e.list, e.known = nil, false }

// Rows are the engines with no heading and no frame, for a page that has its own.
func (e *List) Rows() fyne.CanvasObject { return e.rows }

// Get is the engine with that id.
func (e *List) Get(id string) (model.Engine, bool) {
	i := slices.IndexFunc(e.list, func(x model.Engine) bool { return x.ID == id })
	if i < 0 {
		return model.Engine{}, false
	}
	return e.list[i], true
}

// Found takes what was found.
func (e *List) Found(list []model.Engine, err error) {
	if err != nil && len(list) == 0 {
		if !e.known {
			cause, step := model.Step(err.Error())
			e.message(words.Because(words.CauseOf(err), cause), step)
		}
		return
	}
	model.SortEngines(list)
	if e.known && slices.EqualFunc(list, e.list, same) {
		return
	}
	e.list, e.known = list, true
	e.draw()
}

func same(a, b model.Engine) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Version == b.Version && a.Running == b.Running && a.Wired.Way == b.Wired.Way && a.Wired.Ours == b.Wired.Ours &&
		slices.Equal(a.Wired.To, b.Wired.To) && slices.Equal(a.Ways, b.Ways) && slices.Equal(a.Notes, b.Notes)
}

func (e *List) draw() {
	switch {
	case !e.known:
		e.rows.Objects = []fyne.CanvasObject{container.New(layout.NewCustomPaddedLayout(14, 14, 16, 16), part.NewSkeleton(4))}
	case len(e.list) == 0:
		e.message(lang.Say("docker.engines.none.title"), lang.Say("docker.engines.none.hint"))
		return
	default:
		e.rows.Objects = nil
		for i, engine := range e.list {
			if i > 0 {
				e.rows.Add(part.NewRule())
			}
			e.rows.Add(e.row(engine))
		}
	}
	e.rows.Refresh()
}

// message stands where there are no engines.
func (e *List) message(title, hint string) {
	e.rows.Objects = []fyne.CanvasObject{container.New(layout.NewCustomPaddedLayout(18, 18, 16, 16),
		part.VBox(4, part.NewText(title).Bold().Giving(), part.NewMuted(hint).Giving()))}
	e.rows.Refresh()
}

func (e *List) row(engine model.Engine) fyne.CanvasObject {
	name := part.NewText(engine.Name).Bold().Giving()
	version := part.NewMuted(engine.Version)
	state, color := stateOf(engine)
	said := part.NewMuted(state).Giving()
	left := part.VBox(2, container.New(&trailing{}, name, version), part.NewTip(said, func() string { return tipOf(engine) }))
	return container.New(&rowLayout{}, part.NewDot(color), left, part.Middle(e.button(engine)))
}

func (e *List) button(engine model.Engine) fyne.CanvasObject {
	switch {
	case engine.Standing() == model.Connected:
		again := part.NewIconButton(fynetheme.SettingsIcon(), lang.Say("docker.connect.again", "Engine", engine.Name), func() { Connect(e.desk, engine, e.done) })
		out := part.NewButton(lang.Say("docker.disconnect.button"), func() { Disconnect(e.desk, engine, e.done) }).Saying(lang.Say("docker.wire.disconnect", "Engine", engine.Name))
		if len(engine.Ways) == 0 {
			return out
		}
		return part.HBox(6, part.Middle(again), out)
	case !engine.Connectable():
		return part.NewMuted(lang.Say("docker.no_way"))
	}
	b := part.NewButton(lang.Say("docker.connect.button"), func() { Connect(e.desk, engine, e.done) }).Saying(lang.Say("docker.wire.connect", "Engine", engine.Name))
	if engine.Running && engine.Standing() == model.Apart {
		b.Importance = widget.HighImportance
	}
	return b
}

// stateOf is how an engine stands, in words, and the colour of its dot.
func stateOf(e model.Engine) (text string, color fyne.ThemeColorName) {
	way := wayWord(e.Wired.Way)
	switch e.Standing() {
	case model.Connected:
		text, color = lang.Say("docker.state.connected", "Way", way), theme.Cached
	case model.ByHand:
		text, color = lang.Say("docker.state.by_hand", "Way", way), theme.Cached
	case model.Elsewhere:
		text, color = lang.Say("docker.state.elsewhere", "To", strings.Join(e.Wired.To, ", ")), theme.Fetched
	case model.Apart:
		text, color = lang.Say("docker.state.apart"), theme.Muted
	}
	if !e.Running {
		text, color = lang.Say("docker.state.stopped", "State", text), theme.Track
	}
	if said := e.Said(); len(said) > 0 {
		text += " · " + said[0]
	}
	return text, color
}

// wayWord is what a way is called in a sentence.
func wayWord(way string) string {
	if way == model.ByProxy {
		return lang.Say("docker.way.proxy.word")
	}
	return lang.Say("docker.way.mirror.word")
}

// tipOf is what else is known of an engine.
func tipOf(e model.Engine) string {
	lines := append([]string{}, e.Wired.To...)
	lines = append(lines, e.Wired.Where...)
	lines = append(lines, e.Said()...)
	return strings.Join(lines, "\n")
}

// rowLayout is a dot, what there is to say, and a button.
type rowLayout struct{}

func (*rowLayout) MinSize(o []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(16+8+12+o[1].MinSize().Width+12+o[2].MinSize().Width+12, rowHeight)
}

func (*rowLayout) Layout(o []fyne.CanvasObject, size fyne.Size) {
	const left, dot, right = 16, 8, 12
	button := o[2].MinSize().Width
	text := o[1].MinSize().Height
	top := (size.Height - text) / 2
	o[0].Move(fyne.NewPos(left, top+5))
	o[0].Resize(fyne.NewSquareSize(dot))
	o[1].Move(fyne.NewPos(left+dot+12, top))
	o[1].Resize(fyne.NewSize(max(size.Width-left-dot-12-button-right-16, 0), text))
	o[2].Move(fyne.NewPos(size.Width-button-right, 0))
	o[2].Resize(fyne.NewSize(button, size.Height))
}

// trailing puts a text of second rank right behind one of first, on its baseline; the first gives where there is no room.
type trailing struct{}

func (*trailing) MinSize(o []fyne.CanvasObject) fyne.Size {
	a, b := o[0].MinSize(), o[1].MinSize()
	return fyne.NewSize(a.Width+8+b.Width, max(a.Height, b.Height))
}

func (*trailing) Layout(o []fyne.CanvasObject, size fyne.Size) {
	b := o[1].MinSize()
	first := o[0].MinSize()
	if text, ok := o[0].(*part.Text); ok {
		full := fyne.MeasureText(text.Words(), fynetheme.SizeForWidget(text.Scale, text), text.Style)
		first.Width = full.Width + 1
	}
	width := max(min(first.Width, size.Width-8-b.Width), 0)
	o[0].Move(fyne.NewPos(0, 0))
	o[0].Resize(fyne.NewSize(width, first.Height))
	o[1].Move(fyne.NewPos(width+8, first.Height-b.Height-0.5))
	o[1].Resize(b)
}
