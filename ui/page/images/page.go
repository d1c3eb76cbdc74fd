// Package images is the page of what the cache holds: the images, what each is made of and where it came from, how full the
// disk is, and what is being fetched, exported and imported.
package images

import (
	"context"
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

// Page is the page of what is in the cache: looked through, pinned, removed, carried elsewhere and fetched ahead.
type Page struct {
	desk page.Desk
	view model.View
	now  time.Time

	list   *model.Images
	jobs   *model.Jobs
	front  bool
	asking bool   // for the list
	again  bool   // ask once more after that
	old    bool   // what is being asked for is overtaken by something done since
	failed string // why the list could not be had

	seen  control.Cache // when the list was asked for
	asked time.Time
	took  time.Duration

	count  *part.Text
	search *part.Search
	fetch  *fetchBar
	disk   *diskCard
	work   *jobCard
	table  *part.Table
	chosen *chosenBar
	side   *part.Side
	detail string // the ID of the image at the side; "": none
	drawn  drawn
	wanted string // the image to open when the list is there

	arriving map[string]float64 // of images that are being fetched, by ID, how much of them is here
}

// New makes the page.
func New(d page.Desk) *Page {
	p := &Page{desk: d, list: model.NewImages(), jobs: d.Jobs, now: d.Now(), count: part.NewMuted("")}
	if p.jobs == nil {
		p.jobs = &model.Jobs{}
	}
	p.search = part.NewSearch(lang.Say("images.search"), p.seek)
	importing := part.NewButton(lang.Say("images.import.button"), p.importFile)
	fetching := part.NewButton(lang.Say("images.fetch.button"), func() { p.fetch.toggle() })
	fetching.Importance = widget.HighImportance
	p.fetch = newFetchBar(p)
	p.disk = newDiskCard(p)
	p.work = newJobCard(p)
	p.table = p.newTable()
	p.chosen = newChosenBar(p)
	head := part.NewPageHead(lang.Say("images.title"), p.count,
		container.NewGridWrap(fyne.NewSize(210, fetching.MinSize().Height), p.search), importing, fetching)
	top := part.VBox(part.Gap, head, p.fetch.root, p.disk.root, p.work.root)
	main := container.New(layout.NewCustomPaddedLayout(part.PageTop, part.Margin, part.Margin, part.Margin),
		part.Border(top, p.chosen.root, nil, nil, container.New(layout.NewCustomPaddedLayout(part.Gap, 0, 0, 0), p.table)))
	p.side = part.NewSide(main, func() { p.detail = "" })
	p.side.Back = p.table
	p.table.Loading(true)
	return p
}

// Root is what to put into the window.
func (p *Page) Root() fyne.CanvasObject { return p.side.Root }

// Show brings the page to what v says.
func (p *Page) Show(v model.View, now time.Time) {
	came := v.Phase == model.Running && p.view.Phase != model.Running
	p.view, p.now = v, now
	if p.front && v.Phase == model.Running && (came || v.State.Cache != p.seen || now.Sub(p.asked) >= freshFor) {
		p.load()
	}
	p.work.show() // jobs may have been begun on a page before this one
	p.refresh()
}

// freshFor is how long the list holds while nothing says otherwise: when images were used last is in nothing else.
const freshFor = 30 * time.Second

// Enter has the page ask for what it shows.
func (p *Page) Enter() {
	p.front = true
	p.load()
}

// Leave has it stop.
func (p *Page) Leave() {
	p.front = false
	p.jobs.Clear()
	p.work.show()
}

// Seek puts the focus into the search field.
func (p *Page) Seek() { page.Focus(p.desk, p.search) }

// Escape closes what is open at the side.
func (p *Page) Escape() bool { return p.side.Shut() }

// Take opens an image, by its reference; before the list is there, once it is.
func (p *Page) Take(thing string) {
	p.wanted = ""
	switch row := p.list.Named(thing); {
	case thing == "":
	case row != nil:
		p.open(row.ID)
		p.table.Select(row.ID)
	case !p.list.Known():
		p.wanted = thing
	default:
		p.search.SetText(page.Searchable(thing))
	}
}

// Widths are those of the columns.
func (p *Page) Widths() map[string]float32 { return p.table.Widths() }

// SetWidths has columns as wide as they were.
func (p *Page) SetWidths(widths map[string]float32) { p.table.SetWidths(widths) }

// load asks for the list, unless that is done already.
func (p *Page) load() {
	d := p.desk.Daemon()
	if d == nil {
		return
	}
	if p.asking {
		p.again = true
		return
	}
	p.asking, p.again, p.old = true, false, false
	p.seen = p.view.State.Cache
	wait := p.pause()
	p.desk.Work(func(ctx context.Context) func() {
		rest(ctx, wait)
		began := time.Now()
		images, err := d.Images(ctx)
		rows := model.ImageRows(images)
		took := time.Since(began)
		return func() { p.loaded(rows, err, took) } //nolint:contextcheck // what a person begins then has a life of its own
	})
}

// pause is how long to wait before asking again: a list of thousands is no small thing to make, so that takes a tenth of the
// time at most.
func (p *Page) pause() time.Duration {
	if p.asked.IsZero() {
		return 0
	}
	return max(time.Second, 10*p.took) - p.desk.Now().Sub(p.asked)
}

func rest(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (p *Page) loaded(rows []*model.ImageRow, err error, took time.Duration) {
	p.asking, p.asked, p.took = false, p.desk.Now(), took
	switch {
	case p.old:
		p.again = true
	case err != nil:
		p.failed = words.Reason(err)
	default:
		p.failed = ""
		p.list.Heard(rows)
		p.Take(p.wanted)
	}
	if p.again && p.front {
		p.load()
	}
	p.refresh()
}

// overtaken has the list asked for anew after something was done.
func (p *Page) overtaken() {
	p.old = p.asking
	p.load()
}

// refresh draws what is known.
func (p *Page) refresh() {
	p.arriving = nil
	if p.view.Phase == model.Running {
		p.arriving = p.list.Arriving(p.view.State.Active)
	}
	down := p.view.Phase == model.Down || p.failed != ""
	p.table.Loading(!p.list.Known() && !down)
	p.table.Refresh()
	p.disk.show()
	p.chosen.show()
	switch found, all := p.list.Len(), p.list.All(); {
	case !p.list.Known():
		p.count.Set("")
	case found != all:
		p.count.Set(lang.Say("images.found", "Found", words.Number(int64(found)), "All", words.Number(int64(all))))
	default:
		p.count.Set(words.Number(int64(all)))
	}
	if p.detail != "" {
		p.open(p.detail)
	}
}

// reveal shows or hides something that others make room for.
func (p *Page) reveal(object fyne.CanvasObject, shown bool) {
	if object.Visible() != shown {
		part.Show(object, shown)
		p.side.Root.Refresh()
	}
}

func (p *Page) seek(query string) {
	p.list.Search(query)
	p.refresh()
}

// ask runs a call of the daemon's beside the UI goroutine; then is given what came of it.
func (p *Page) ask(call func(ctx context.Context, d page.Daemon) error, then func(error)) {
	ask(p.desk, call, then)
}

func ask(desk page.Desk, call func(ctx context.Context, d page.Daemon) error, then func(error)) {
	d := desk.Daemon()
	if d == nil {
		then(model.ErrNotRunning)
		return
	}
	desk.Work(func(ctx context.Context) func() {
		err := call(ctx, d)
		return func() { then(err) }
	})
}

func (p *Page) pinIcon() fyne.Resource { return fynetheme.NewThemedResource(pinIcon) }
