// Package overview is the page that the window opens on: whether Pulley is on and helps, what is wrong and where that is seen
// to, what is being pulled, and beside it pull limits, the cache and the registries' routes.
package overview

import (
	"context"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// Page is the first page: whether Pulley is on, whether it helps, what is wrong, and what is on its way.
type Page struct {
	desk   page.Desk
	head   *head
	alert  *alert
	start  *start
	wait   fyne.CanvasObject // before anything is known
	bytes  *bytes
	flight *flight
	rail   *rail
	scroll *part.Scroll
	page   *fyne.Container   // what scrolls, laid out by a plan
	inner  []*fyne.Container // what lies on sheets
	tall   float32           // the least height of page, as the scroller knows it

	view   model.View
	sketch string
	shown  time.Time // when numbers moved last
	asked  time.Time // when the daemon was asked for its history
	asking bool
	busy   bool
	inside bool
}

// How long numbers stand at least, and how often the daemon is asked for what a state does not tell.
const (
	steady  = time.Second
	refetch = time.Minute
)

// New makes the page.
func New(d page.Desk) *Page {
	o := &Page{
		desk: d, head: newHead(d), alert: newAlert(d), start: newStart(d), wait: part.NewSheet(part.NewSkeleton(6)), bytes: newBytes(d.Memory), flight: newFlight(d), rail: newRail(d),
	}
	o.bytes.again = func() { o.fill(o.view, d.Now()) }
	p := &plan{head: o.head.root, alert: o.alert.root, welcome: o.start.root, wait: o.wait, traffic: o.bytes.root, pulls: o.flight.root, rail: o.rail.root, pullsFull: o.flight.full, railFull: o.rail.full}
	const margin = 20
	o.page = container.New(layout.NewCustomPaddedLayout(16, margin, margin, margin),
		rowOf(p, p.head, p.alert, p.welcome, p.wait, p.traffic, p.pulls, p.rail))
	o.inner = []*fyne.Container{o.alert.list, o.start.content, o.bytes.content, o.flight.content, o.rail.content}
	o.scroll = part.NewScroll(o.page)
	return o
}

// Root implements Page.
func (o *Page) Root() fyne.CanvasObject { return o.scroll }

// Show implements Page. What a person would miss is shown at once; numbers alone move at most once a second.
func (o *Page) Show(v model.View, now time.Time) {
	o.view = v
	if v.Phase == model.Running {
		o.bytes.history.Heard(v.State.Traffic.Ever, now)
	}
	busy := len(v.State.Active) > 0
	o.load(now, o.busy && !busy)
	o.busy = busy
	sketch := model.Sketch(v)
	if since := now.Sub(o.shown); sketch == o.sketch && since >= 0 && since < steady {
		return
	}
	o.sketch, o.shown = sketch, now
	o.fill(v, now)
}

func (o *Page) fill(v model.View, now time.Time) {
	o.head.show(v, now)
	o.alert.show(v)
	known, fresh := v.State.Listen != "", model.Fresh(v)
	part.Show(o.start.root, fresh)
	part.Show(o.wait, !known && v.Phase == model.Starting)
	part.Show(o.bytes.root, known && !fresh)
	part.Show(o.flight.root, known && !fresh)
	part.Show(o.rail.root, known && !fresh)
	if fresh {
		o.start.show(v)
	} else if known {
		o.bytes.show(v, now)
		o.flight.show(v, now)
		o.rail.show(v, now)
	}
	o.settle()
}

// settle lays everything out anew, as texts have other widths now and rows came and went. What has changed was refreshed when it did,
// and drawing all the rest again, as Container.Refresh does, would take longer than a frame.
func (o *Page) settle() {
	settle(o.page)
	for _, c := range o.inner {
		settle(c)
	}
	if tall := o.page.MinSize().Height; tall != o.tall {
		o.tall = tall
		o.scroll.Refresh()
	}
}

// settle lays out a container and those in it that can be seen.
func settle(c *fyne.Container) {
	if c.Layout != nil {
		c.Layout.Layout(c.Objects, c.Size())
	}
	for _, object := range c.Objects {
		if inner, ok := object.(*fyne.Container); ok && inner.Visible() {
			settle(inner)
		}
	}
}

// Enter implements Guest.
func (o *Page) Enter() {
	o.inside = true
	o.asked = time.Time{}
	o.load(o.desk.Now(), false)
}

// Leave implements Guest.
func (o *Page) Leave() {
	o.inside = false
	o.bytes.chart.Rest()
}

// load asks the daemon for what was served over time and of late, once in a while and when a pull has ended.
func (o *Page) load(now time.Time, ended bool) {
	since := now.Sub(o.asked)
	if !o.inside || o.asking || !ended && since >= 0 && since < refetch {
		return
	}
	daemon := o.desk.Daemon()
	if daemon == nil {
		return
	}
	o.asked, o.asking = now, true
	o.desk.Work(func(ctx context.Context) func() {
		const patience = 20 * time.Second
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		history, err := daemon.History(ctx)
		events, lateErr := daemon.Events(ctx, recent)
		return func() { o.loaded(history, err, events, lateErr) }
	})
}

// recent is how many requests are looked through for what was pulled of late.
const recent = 500

func (o *Page) loaded(h control.History, err error, events []control.Event, lateErr error) {
	o.asking = false
	o.bytes.told(h, err)
	if lateErr == nil {
		o.flight.pasts = model.Pasts(events, maxPasts)
	}
	if o.inside {
		o.fill(o.view, o.desk.Now())
	}
}

// start is what somebody sees through whose Pulley nothing was ever pulled: how to begin.
type start struct {
	try     *part.Text
	content *fyne.Container
	root    fyne.CanvasObject
}

func newStart(d page.Desk) *start {
	s := &start{try: part.NewText("").Giving()}
	s.try.Style.Monospace = true
	title := part.NewText(lang.Say("overview.start.title")).Bold()
	title.Scale = theme.SizeHead
	text := widget.NewLabel(lang.Say("overview.start.text"))
	text.Wrapping = fyne.TextWrapWord
	guide := part.NewButton(lang.Say("overview.start.guide"), func() { d.Visit(page.FirstPage, "") })
	guide.Importance = widget.HighImportance
	connect := part.NewButton(lang.Say("overview.start.connect"), func() { d.Visit(page.DockerPage, "") })
	mirrors := part.NewButton(lang.Say("overview.start.mirrors"), func() { d.Visit(page.MirrorsPage, "") })
	command := rowOf(&follow{text: s.try, gap: 4}, s.try, part.NewCopy("", s.try.Words, d.Copy))
	s.content = part.VBox(12, title,
		container.New(layout.NewCustomPaddedLayout(-part.Inset, -part.Inset, -part.Inset, -part.Inset), text),
		part.HBox(8, guide, connect, mirrors),
		container.New(layout.NewCustomPaddedLayout(4, 4, 0, 0), part.NewRule()),
		part.VBox(4, part.NewMuted(lang.Say("overview.start.try")), command))
	sheet := part.NewSheet(s.content)
	sheet.Padding = fyne.NewSize(22, 20)
	s.root = sheet
	return s
}

func (s *start) show(v model.View) {
	s.try.Set("docker pull " + v.State.Listen + "/library/alpine")
}
