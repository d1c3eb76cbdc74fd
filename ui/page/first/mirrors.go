package first

import (
	"context"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// hub is the registry whose mirrors are measured.
const hub = "docker.io"

// mirrorStep is the step in which mirrors are measured and chosen.
type mirrorStep struct {
	*stage

	first    *Page
	contest  *model.Contest
	rows     map[string]*contestRow
	list     *fyne.Container
	stop     context.CancelFunc // of the measuring that runs; nil: none
	switched []control.MirrorSwitch
}

func newMirrorStep(f *Page) *mirrorStep {
	return &mirrorStep{stage: newStage(f), first: f, rows: map[string]*contestRow{}, list: part.VBox(0)}
}

func (m *mirrorStep) body() fyne.CanvasObject { return m.box }

func (m *mirrorStep) result() string {
	if names := m.contest.Chosen(); len(names) > 0 {
		return few(names, 4)
	}
	return lang.Say("first.mirrors.none")
}

func (m *mirrorStep) enter() {
	daemon := m.first.desk.Daemon()
	switch {
	case daemon == nil:
		m.set(m.about(), part.NewNotice(fynetheme.InfoIcon(), theme.Muted, lang.Say("docker.no_daemon")), m.first.buttons(model.MirrorStep))
		return
	case m.contest != nil:
		m.draw()
		return
	}
	m.set(m.about(), part.NewSkeleton(4), m.first.buttons(model.MirrorStep))
	m.first.desk.Work(func(ctx context.Context) func() {
		list, err := daemon.Sources(ctx, hub)
		return func() {
			if err != nil {
				m.set(m.about(), part.NewQuote(words.Reason(err)), m.first.buttons(model.MirrorStep, part.NewMeant(lang.Say("docker.again"), m.enter)))
				return
			}
			m.contest = model.NewContest(hub, list)
			m.draw()
		}
	})
}

func (m *mirrorStep) about() fyne.CanvasObject {
	return part.NewProse(lang.Say("first.mirrors.about"))
}

// draw lays everything out anew; while a test runs only its row is.
func (m *mirrorStep) draw() {
	m.list.Objects = nil
	m.rows = map[string]*contestRow{}
	for i, x := range m.contest.List {
		if i > 0 {
			m.list.Add(part.NewRule())
		}
		r := newContestRow(x, func(on bool) { m.contest.Choose(x.Name, on) })
		m.rows[x.Name] = r
		m.list.Add(r.root)
	}
	m.refreshRows()
	card := part.NewSheet(m.list)
	card.Padding = fyne.NewSize(1, 1)
	m.set(m.about(), card, m.buttons())
}

func (m *mirrorStep) buttons() fyne.CanvasObject {
	switch {
	case m.stop != nil:
		return m.first.buttons(model.MirrorStep, part.NewButton(lang.Say("first.mirrors.stop"), m.stop))
	case m.contest.Over():
		return m.first.buttons(model.MirrorStep, part.NewButton(lang.Say("first.mirrors.again"), m.measure), part.NewMeant(lang.Say("first.mirrors.use"), m.apply))
	}
	return m.first.buttons(model.MirrorStep, part.NewMeant(lang.Say("first.mirrors.measure"), m.measure))
}

// refreshRows shows what has been measured.
func (m *mirrorStep) refreshRows() {
	fastest, best := m.contest.Fastest(), ""
	if m.contest.Over() {
		best = m.contest.Best()
	}
	for _, x := range m.contest.List {
		if r := m.rows[x.Name]; r != nil {
			r.show(x, fastest, x.Name == best)
		}
	}
}

// measure measures all, one after another, so that they do not slow each other down.
func (m *mirrorStep) measure() {
	daemon := m.first.desk.Daemon()
	if daemon == nil || m.stop != nil {
		return
	}
	halt, stop := context.WithCancel(context.Background())
	m.stop = stop
	var names []string
	for _, x := range m.contest.List {
		names = append(names, x.Name)
	}
	m.draw()
	m.first.desk.Work(func(ctx context.Context) func() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(halt, cancel)()
		for _, name := range names {
			fyne.Do(func() { m.contest.Begin(name); m.refreshRows() })
			var last time.Time
			report, err := daemon.WatchMirrorTest(ctx, hub, name, func(t control.MirrorTesting) {
				if at := time.Now(); at.Sub(last) >= page.Glance {
					last = at
					fyne.Do(func() { m.contest.Heard(name, t); m.refreshRows() })
				}
			})
			if ctx.Err() != nil || halt.Err() != nil {
				fyne.Do(func() { m.contest.CallOff(name) })
				break
			}
			fyne.Do(func() { m.contest.End(name, report, err); m.refreshRows() })
		}
		return func() {
			stop()
			m.stop = nil
			if m.contest.Over() {
				m.contest.Propose()
				m.contest.Sort()
			}
			m.draw()
		}
	})
}

// apply switches mirrors so that those are on which are ticked.
func (m *mirrorStep) apply() {
	changes := m.contest.Changes()
	m.carry(changes, func() {
		m.switched = changes
		m.contest.Applied()
		m.first.finished(model.MirrorStep)
	})
}

func (m *mirrorStep) carry(changes []control.MirrorSwitch, then func()) {
	d := m.first.desk
	daemon := d.Daemon()
	if daemon == nil {
		d.Toast(page.Toast{Text: lang.Say("docker.no_daemon"), Bad: true})
		return
	}
	d.Work(func(ctx context.Context) func() {
		var failed error
		for _, c := range changes {
			if err := daemon.SwitchMirror(ctx, c.Registry, c.Name, c.Enabled); err != nil && failed == nil {
				failed = err
			}
		}
		return func() {
			if failed != nil {
				d.Toast(page.Toast{Text: failed.Error(), Bad: true})
				return
			}
			then()
		}
	})
}

// undo switches them as they were.
func (m *mirrorStep) undo() {
	back := make([]control.MirrorSwitch, len(m.switched))
	for i, c := range m.switched {
		c.Enabled = !c.Enabled
		back[i] = c
	}
	m.carry(back, func() {
		for _, c := range back {
			m.contest.Choose(c.Name, c.Enabled)
		}
		m.contest.Applied()
		m.switched = nil
		m.first.undone(model.MirrorStep)
	})
}

// contestRow is one source: a tick, its name, a bar, and what was found.
type contestRow struct {
	tick  *part.Check
	name  *part.Text
	where *part.Text
	bar   *part.Meter
	first *part.Text
	rate  *part.Text
	said  *part.Text
	badge *part.Badge
	root  fyne.CanvasObject
}

func newContestRow(x model.Measured, ticked func(bool)) *contestRow {
	r := &contestRow{
		name: part.NewText(x.Name).Bold().Giving(), where: part.NewMuted(x.URL).Giving(), bar: part.NewMeter(),
		first: part.NewMuted(""), rate: part.NewText(""), said: part.NewMuted("").Giving(), badge: part.NewBadge(lang.Say("first.mirrors.fastest"), theme.Cached),
	}
	if x.Origin {
		r.name.Set(lang.Say("first.mirrors.origin"))
		r.where.Set(hub)
	}
	r.bar.Height = 6
	r.tick = part.NewCheck("", nil)
	r.tick.Label, r.tick.Checked = x.Name, x.Chosen
	r.tick.OnChanged = ticked
	if x.Origin {
		r.tick.Disable()
	}
	r.root = contestRoot(r)
	return r
}

func contestRoot(r *contestRow) fyne.CanvasObject {
	names := part.VBox(1, r.name, part.NewTip(r.where, r.where.Words))
	return container.New(&contestLayout{}, r.tick, names, r.bar, r.first, r.rate, r.said, r.badge)
}

// show says what is known of it.
func (r *contestRow) show(x model.Measured, fastest float64, best bool) {
	share := 0.0
	if fastest > 0 {
		share = x.Rate() / fastest
	}
	color := theme.Cached
	if x.Origin {
		color = theme.Fetched
	}
	if x.Report != nil && !x.Usable() {
		color = fynetheme.ColorNameDisabled
	}
	r.bar.Set(part.Share{Part: share, Color: color})
	first, rate := "", ""
	if d := x.FirstByte(); d > 0 {
		first = words.Span(d)
	}
	if x.Rate() > 0 {
		rate = words.Rate(x.Rate())
	}
	r.first.Set(first)
	r.rate.Set(rate)
	said, tint := contestWord(x)
	r.said.Tint(tint)
	r.said.Set(said)
	part.Show(r.badge, best)
	part.Show(r.said, !best)
	if r.tick.Checked != x.Chosen {
		r.tick.Checked = x.Chosen
		r.tick.Refresh()
	}
	r.root.Refresh()
}

// contestWord is what a test has found, in a word.
func contestWord(x model.Measured) (text string, tint fyne.ThemeColorName) {
	switch {
	case x.Running:
		return lang.Say("first.mirrors.running"), theme.Muted
	case x.ReportErr != "":
		return lang.Say("first.mirrors.broken"), fynetheme.ColorNameError
	case x.Report == nil && x.Needs != "":
		return lang.Say("first.mirrors.needs"), theme.Muted
	case x.Report == nil:
		return "", theme.Muted
	case !x.Report.Reachable || x.Report.Error != "":
		return lang.Say("first.mirrors.unreachable"), fynetheme.ColorNameError
	case x.Report.Agrees == "no":
		return lang.Say("first.mirrors.differs"), fynetheme.ColorNameError
	case x.Origin:
		return lang.Say("first.mirrors.always"), theme.Muted
	case x.Report.Agrees == "yes":
		return lang.Say("first.mirrors.agrees"), fynetheme.ColorNameSuccess
	}
	return lang.Say("first.mirrors.unknown"), theme.Muted
}

// contestLayout is a row of the contest: the bar takes what is left.
type contestLayout struct{}

const contestHeight = 46

// MinSize implements fyne.Layout.
func (*contestLayout) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(480, contestHeight) }

// Layout implements fyne.Layout.
func (*contestLayout) Layout(o []fyne.CanvasObject, size fyne.Size) {
	const left, tick, name, first, rate, said, between = 8, 30, 150, 58, 84, 110, 10
	put := func(object fyne.CanvasObject, x, width float32, right bool) {
		least := object.MinSize()
		if right {
			x += max(width-least.Width, 0)
		}
		object.Move(fyne.NewPos(x, (size.Height-least.Height)/2))
		object.Resize(fyne.NewSize(min(width, max(least.Width, width)), least.Height))
	}
	put(o[0], left, tick, false)
	put(o[1], left+tick, name, false)
	x := size.Width - said - 12
	put(o[5], x, said, false)
	badge := o[6].MinSize()
	o[6].Move(fyne.NewPos(x, (size.Height-badge.Height)/2))
	o[6].Resize(badge)
	x -= rate + between + 4
	put(o[4], x, rate, true)
	x -= first + between
	put(o[3], x, first, true)
	bar := float32(left + tick + name + between)
	o[2].Move(fyne.NewPos(bar, 0))
	o[2].Resize(fyne.NewSize(max(x-between-bar, 0), size.Height))
}
