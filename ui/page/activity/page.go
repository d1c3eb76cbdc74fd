// Package activity is the page of every request as it is answered: what was asked for, by whom, where its bytes came from, and
// the story of each.
package activity

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/words"
)

// Page is the page of all that was asked for and answered, as it happens.
type Page struct {
	desk page.Desk
	view model.View
	now  time.Time

	log    *model.Requests
	front  bool
	listen *page.Stream // nil: nobody does
	begun  time.Time
	mail   page.Mailbox[control.Event]
	heard  atomic.Bool // the past has come
	known  bool
	failed string // why nothing is heard

	count    *part.Text
	search   *part.Search
	only     *part.Segments
	registry *part.Choice
	door     *part.Choice
	table    *part.Table
	pill     *part.Button
	side     *part.Side
	detail   string // the ID of the request at the side; "": none
}

const (
	// past is how many requests of before are asked for.
	past = 2000
	// logPace is how often news are drawn at most.
	logPace = 100 * time.Millisecond
	// relisten is how long to wait before listening again after that broke off.
	relisten = 2 * time.Second
)

// New makes the page.
func New(d page.Desk) *Page {
	p := &Page{desk: d, log: model.NewRequests(), now: d.Now(), count: part.NewMuted("")}
	p.search = part.NewSearch(lang.Say("activity.search"), func(string) { p.sift() })
	p.only = part.NewSegments([]string{lang.Say("activity.only.all"), lang.Say("activity.only.network"), lang.Say("activity.only.failures")}, 0, func(int) { p.narrow() })
	p.only.Label = lang.Say("activity.only.label")
	p.registry = part.NewChoice(func(string) { p.narrow() })
	p.registry.Label = lang.Say("activity.registry_label")
	p.door = part.NewChoice(func(string) { p.narrow() })
	p.door.Label = lang.Say("activity.door_label")
	p.remembered()
	p.registries(nil)
	p.table = p.newTable()
	p.pill = part.NewButtonWithIcon("", fynetheme.MoveDownIcon(), p.follow)
	p.pill.Importance = widget.HighImportance
	p.pill.Hide()
	head := part.NewPageHead(lang.Say("activity.title"), p.count, container.NewGridWrap(fyne.NewSize(260, p.pill.MinSize().Height), p.search))
	filters := part.Between(part.HBox(0, p.only), part.HBox(6, part.Middle(p.registry), part.Middle(p.door)))
	top := part.VBox(part.Gap, head, filters)
	log := container.NewStack(p.table, container.New(pillLayout{}, p.pill))
	main := container.New(layout.NewCustomPaddedLayout(part.PageTop, part.Margin, part.Margin, part.Margin),
		container.New(layout.NewBorderLayout(top, nil, nil, nil), top, container.New(layout.NewCustomPaddedLayout(part.Gap, 0, 0, 0), log)))
	p.side = part.NewSide(main, func() { p.detail = "" })
	p.side.Back = p.table
	p.table.Loading(true)
	p.log.Finish(p.log.Begin(p.filter()), nil)
	return p
}

// Where the choices above the log are remembered.
const (
	keptOnly     = "activity.only"
	keptRegistry = "activity.registry"
	keptDoor     = "activity.door"
)

// onlyNames are the classes of requests as they are remembered, in the order in which they stand above the log.
var onlyNames = []string{"", "network", "failures"}

// remembered has the log narrowed down as it was last.
func (p *Page) remembered() {
	if only := slices.Index(onlyNames, p.desk.Memory.Choice(keptOnly)); only > 0 {
		p.only.Set(only)
	}
	p.registry.Set(nil, p.desk.Memory.Choice(keptRegistry))
	door := p.desk.Memory.Choice(keptDoor)
	if !slices.ContainsFunc(doors(), func(o part.Option) bool { return o.Value == door }) {
		door = ""
	}
	p.door.Set(doors(), door)
}

// narrow is what a person chose above the log, put in force.
func (p *Page) narrow() {
	p.desk.Memory.Choose(keptOnly, onlyNames[p.only.Chosen()])
	p.desk.Memory.Choose(keptRegistry, p.registry.Value())
	p.desk.Memory.Choose(keptDoor, p.door.Value())
	p.sift()
}

// pillLayout puts a button over the lower edge of what is beneath it.
type pillLayout struct{}

func (pillLayout) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.Size{} }

func (pillLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	const above = 14
	least := objects[0].MinSize()
	objects[0].Resize(least)
	objects[0].Move(fyne.NewPos((size.Width-least.Width)/2, size.Height-least.Height-above))
}

// doors are those that requests come in by, and what is done for nobody at one.
func doors() []part.Option {
	options := []part.Option{{Value: "", Label: lang.Say("activity.doors")}}
	for _, door := range []string{"http", "socks5", "tls", "mirror", "pull", "fill", "heal"} {
		options = append(options, part.Option{Value: door, Label: lang.Say("activity.door." + door)})
	}
	return options
}

// registries has those to choose from.
func (p *Page) registries(list []control.Registry) {
	options := []part.Option{{Value: "", Label: lang.Say("activity.registries")}}
	for _, r := range list {
		options = append(options, part.Option{Value: r.Name, Label: r.Name})
	}
	chosen := p.registry.Value()
	if !slices.ContainsFunc(options, func(o part.Option) bool { return o.Value == chosen }) {
		options = append(options, part.Option{Value: chosen, Label: chosen})
	}
	p.registry.Set(options, chosen)
}

// Root is what to put into the window.
func (p *Page) Root() fyne.CanvasObject { return p.side.Root }

// Show brings the page to what v says.
func (p *Page) Show(v model.View, now time.Time) {
	p.view, p.now = v, now
	p.registries(v.State.Registries)
	if p.front && p.listen == nil && v.Phase == model.Running && now.Sub(p.begun) >= relisten {
		p.hear()
	}
	p.refresh()
}

// Enter has the page listen.
func (p *Page) Enter() {
	p.front = true
	p.hear()
	p.refresh()
}

// Leave has it stop.
func (p *Page) Leave() {
	p.front = false
	if p.listen != nil {
		p.listen.Stop()
		p.listen = nil
	}
}

// Seek puts the focus into the search field.
func (p *Page) Seek() { page.Focus(p.desk, p.search) }

// Escape closes what is open at the side.
func (p *Page) Escape() bool { return p.side.Shut() }

// Take shows the requests of one thing: a registry, an image.
func (p *Page) Take(thing string) {
	if slices.ContainsFunc(p.view.State.Registries, func(r control.Registry) bool { return r.Name == thing }) {
		p.registry.Choose(thing)
		return
	}
	if thing != "" {
		p.search.SetText(page.Searchable(thing))
	}
}

// Widths are those of the columns.
func (p *Page) Widths() map[string]float32 { return p.table.Widths() }

// SetWidths has columns as wide as they were.
func (p *Page) SetWidths(widths map[string]float32) { p.table.SetWidths(widths) }

// hear listens for requests. It listens before it asks for the past, so that none is lost between the two.
func (p *Page) hear() {
	d := p.desk.Daemon()
	if d == nil || p.listen != nil {
		return
	}
	p.begun = p.desk.Now()
	p.listen = page.NewStream(p.desk, logPace, func(ctx context.Context, moved func()) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		asked := false
		err := d.Watch(ctx, true, func(m control.Message) {
			if m.State != nil && !asked {
				asked = true
				events, err := d.Events(ctx, past)
				if err != nil {
					cancel(err)
					return
				}
				p.mail.Put(events...)
				p.heard.Store(true)
				moved()
			}
			if m.Event != nil {
				p.mail.Put(*m.Event)
				moved()
			}
		})
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return err
	}, p.take, func(err error) {
		p.listen = nil
		if err != nil {
			p.failed = words.Reason(err)
		}
		p.refresh()
	})
}

// take shows what has come.
func (p *Page) take() {
	if p.heard.Load() {
		p.known, p.failed = true, ""
	}
	p.log.Add(p.mail.Take()...)
	p.refresh()
}

// scrolled notes whether the end is looked at.
func (p *Page) scrolled(atEnd bool) {
	if atEnd == !p.log.Holding() {
		return
	}
	if atEnd {
		p.log.Follow()
	} else {
		p.log.Hold()
	}
	p.showPill()
}

// follow goes to the end and stays there.
func (p *Page) follow() {
	p.log.Follow()
	p.table.Refresh()
	p.table.ScrollToEnd()
	p.showPill()
}

func (p *Page) showPill() {
	n := p.log.Unseen()
	if n > 0 {
		if text := lang.Say("activity.new", "Count", n, "Number", words.Number(int64(n))); text != p.pill.Text {
			p.pill.SetText(text)
		}
	}
	if shown := n > 0 && p.log.Holding(); shown != p.pill.Visible() {
		part.Show(p.pill, shown)
		p.side.Root.Refresh()
	}
}

// refresh draws what is known.
func (p *Page) refresh() {
	p.table.Loading(!p.known && p.failed == "" && p.view.Phase != model.Down)
	p.table.Refresh()
	p.showPill()
	switch shown, all := p.log.Len(), p.log.All(); {
	case !p.known:
		p.count.Set("")
	case shown != all:
		p.count.Set(lang.Say("activity.found", "Found", words.Number(int64(shown)), "All", words.Number(int64(all))))
	default:
		p.count.Set(words.Number(int64(all)))
	}
}

// filter is what was chosen above the log.
func (p *Page) filter() model.Filter {
	return model.Filter{Text: p.search.Text, Registry: p.registry.Value(), Door: p.door.Value(), Only: model.Only(p.only.Chosen())}
}

// sift puts the filter in force, beside the UI goroutine: a log may be long.
func (p *Page) sift() {
	sift := p.log.Begin(p.filter())
	p.desk.Work(func(ctx context.Context) func() {
		found, done := sift.Run(ctx)
		return func() {
			if done && p.log.Finish(sift, found) {
				p.refresh()
				p.follow()
			}
		}
	})
}
