// Package docker is the page of container engines: those of this machine and whether they use Pulley, the docker contexts that
// lead to engines elsewhere, and Pulley lent to those.
package docker

import (
	"context"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/page/engine"
	"pulley/ui/part"
)

// Page is the page of the engines that are here and of docker's contexts.
type Page struct {
	desk     page.Desk
	view     model.View
	now      time.Time
	engines  *engine.List
	contexts *contexts
	again    *part.IconButton
	root     fyne.CanvasObject

	front   bool
	asking  bool
	asked   time.Time
	wanted  string // what Take was told before it was known
	unwatch func() // of the shares; nil: not in front
}

// New makes the page.
func New(d page.Desk) *Page {
	p := &Page{desk: d}
	if p.desk.Shares == nil {
		p.desk.Shares = model.NewShares()
	}
	p.engines = engine.NewList(p.desk, p.ask)
	p.contexts = newContexts(p.desk, p.ask)
	p.again = part.NewIconButton(fynetheme.ViewRefreshIcon(), lang.Say("docker.refresh"), p.fresh)
	backups := part.NewIconButton(fynetheme.HistoryIcon(), lang.Say("docker.backups.title"), func() { showBackups(p.desk) })
	guide := part.NewLink(lang.Say("docker.guide"), func() { p.desk.Visit(page.FirstPage, "") })
	head := part.NewPageHead(lang.Say("docker.title"), nil, guide, part.HBox(4, backups, p.again))
	body := container.New(&halves{page: p}, p.engines.Root, p.contexts.root)
	p.root = p.contexts.beside(container.New(layout.NewCustomPaddedLayout(part.PageTop, part.Margin, part.Margin, part.Margin),
		part.Border(container.New(layout.NewCustomPaddedLayout(0, part.Gap, 0, 0), head), nil, nil, nil, body)))
	return p
}

// Root implements Page.
func (p *Page) Root() fyne.CanvasObject { return p.root }

// Show implements Page.
func (p *Page) Show(v model.View, now time.Time) {
	p.view, p.now = v, now
	p.contexts.registries = v.State.Registries
	p.contexts.show(now)
	p.refresh()
}

// Enter implements Guest.
func (p *Page) Enter() {
	p.front = true
	p.now = p.desk.Now()
	p.contexts.now = p.now
	if p.unwatch == nil {
		p.unwatch = p.desk.Shares.Watch(func() { fyne.Do(p.contexts.draw) })
	}
	p.contexts.draw()
	p.refresh()
}

// Leave implements Guest.
func (p *Page) Leave() {
	p.front = false
	if p.unwatch != nil {
		p.unwatch()
		p.unwatch = nil
	}
}

// Escape implements Layered: it closes what is open at the side.
func (p *Page) Escape() bool { return p.contexts.side.Shut() }

// Take implements Taker: thing is an engine's ID or a context's name.
func (p *Page) Take(thing string) {
	p.wanted = thing
	p.arrive()
}

// arrive leads to what was wanted, as soon as it is known.
func (p *Page) arrive() {
	if p.wanted == "" {
		return
	}
	if e, ok := p.engines.Get(p.wanted); ok {
		p.wanted = ""
		if e.Connectable() {
			engine.Connect(p.desk, e, func(model.Wiring) { p.ask() })
		}
		return
	}
	if _, ok := p.contexts.model.Get(p.wanted); ok {
		p.contexts.table.Select(p.wanted)
		p.contexts.open(p.wanted)
		p.wanted = ""
	}
}

// fresh is what a person does who wants to see how things are now.
func (p *Page) fresh() {
	p.contexts.model.Stale()
	p.ask()
}

// refresh asks if nobody has for a while.
func (p *Page) refresh() {
	if p.front && p.now.Sub(p.asked) >= model.Rest {
		p.ask()
	}
}

// ask asks which engines and contexts there are, and then how the contexts' engines are.
func (p *Page) ask() {
	if p.asking || p.desk.Tool == nil {
		return
	}
	p.asking, p.asked = true, p.desk.Now()
	p.again.Disable()
	tool := p.desk.Tool
	p.desk.Work(func(ctx context.Context) func() {
		var list []model.Context
		err := tool.Run(ctx, &list, "context", "ls")
		return func() {
			p.contexts.listed(list, err)
			p.arrive()
			p.test()
		}
	})
	p.desk.Work(func(ctx context.Context) func() {
		var list []model.Engine
		err := tool.Run(ctx, &list, "connect")
		return func() {
			p.asking = false
			p.again.Enable()
			p.engines.Found(list, err)
			p.root.Refresh()
			p.arrive()
		}
	})
}

// test asks the contexts' engines, if that is due.
func (p *Page) test() {
	if !p.front || p.contexts.testing || !p.contexts.model.Due(p.desk.Now()) {
		return
	}
	p.contexts.testing = true
	names := p.contexts.model.Names()
	slices.Sort(names)
	tool := p.desk.Tool
	p.desk.Work(func(ctx context.Context) func() {
		var reports []model.ContextReport
		// One that does not answer is an error of the whole; its report says so as well.
		err := tool.Run(ctx, &reports, append([]string{"context", "test", "--timeout", "5s"}, names...)...)
		return func() {
			p.contexts.testing = false
			if len(reports) == 0 && err != nil {
				for _, name := range names {
					reports = append(reports, model.ContextReport{Name: name, Error: strings.TrimPrefix(err.Error(), name+": "), Disk: -1})
				}
			}
			p.contexts.model.Report(reports, p.desk.Now())
			p.contexts.draw()
		}
	})
}

// Widths are those of the columns, to be remembered.
func (p *Page) Widths() map[string]float32 { return p.contexts.table.Widths() }

// SetWidths has columns as wide as they were.
func (p *Page) SetWidths(widths map[string]float32) { p.contexts.table.SetWidths(widths) }

// halves gives the engines what they need as long as that leaves room for the contexts.
type halves struct{ page *Page }

func (l *halves) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(420, 300) }

func (l *halves) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	const between = 16
	wanted, least := l.page.engines.Height(), min(l.page.contexts.height(), size.Height*0.55)
	height := max(min(wanted, size.Height-between-least), 110)
	objects[0].Move(fyne.NewPos(0, 0))
	objects[0].Resize(fyne.NewSize(size.Width, height))
	objects[1].Move(fyne.NewPos(0, height+between))
	objects[1].Resize(fyne.NewSize(size.Width, max(size.Height-height-between, 0)))
}

// quietButton is a button of the second rank.
func quietButton(key string, icon fyne.Resource, tapped func()) *part.Button {
	b := part.NewButtonWithIcon(lang.Say(key), icon, tapped)
	b.Importance = widget.MediumImportance
	return b
}
