package overview

import (
	"strings"
	"time"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// flight is what is being pulled right now, image by image and layer by layer, and what was of late.
type flight struct {
	pasts []model.Past

	title, speed *part.Text
	pulls        []*livePull
	more         *part.Text
	past         []*pastPull
	idle         *part.Text
	list         *fyne.Container
	old          *rows // what was pulled of late, as many as there is room for
	lately       *fyne.Container
	shelf        *shelf
	content      *fyne.Container
	root         *part.Sheet
}

// How many have a row; the rest are counted.
const (
	maxPulls  = 4
	maxLayers = 6
	maxPasts  = 10
)

// livePull is an image on its way.
type livePull struct {
	name, state *part.Text
	layers      []*liveLayer
	more        *part.Text
	root        fyne.CanvasObject
}

// liveLayer is one line of a pull.
type liveLayer struct {
	digest, amount, rate, source *part.Text
	bar                          *part.Meter
	root                         fyne.CanvasObject
}

// pastPull is one line of what was pulled of late.
type pastPull struct {
	name, amount, when *part.Text
	at                 time.Time
	now                time.Time
	root               fyne.CanvasObject
}

func newFlight(d page.Desk) *flight {
	f := &flight{
		title: part.NewText("").Bold(), speed: part.NewMuted(""), more: part.NewMuted(""), idle: part.NewMuted(lang.Say("overview.pulls.idle")).Giving(),
		old: &rows{gap: 5}, shelf: &shelf{gap: 12},
	}
	f.list, f.lately = part.VBox(10), rowOf(f.old, part.NewMuted(lang.Say("overview.pulls.lately")))
	for range maxPulls {
		p := newLivePull()
		f.pulls = append(f.pulls, p)
		f.list.Add(p.root)
	}
	f.list.Add(f.more)
	for range maxPasts {
		p := newPastPull()
		f.past = append(f.past, p)
		f.lately.Add(p.root)
	}
	story := part.NewLink(lang.Say("overview.pulls.activity"), func() { d.Visit(page.ActivityPage, "") })
	aside := part.Flush(4, part.HBox(10, part.Middle(f.speed), story))
	f.content = rowOf(f.shelf, part.Between(part.Middle(f.title), aside), f.idle, f.list, f.lately)
	f.root = part.NewSheet(f.content)
	return f
}

// full is its height with all that it has to say.
func (f *flight) full() float32 { return f.shelf.full(f.content.Objects) + 2*f.root.Padding.Height }

func newLivePull() *livePull {
	p := &livePull{name: part.NewText("").Giving(), state: part.NewMuted(""), more: part.NewMuted("")}
	list := part.VBox(4, part.Between(part.NewWhole(p.name), part.Middle(p.state)))
	for range maxLayers {
		l := newLiveLayer()
		p.layers = append(p.layers, l)
		list.Add(l.root)
	}
	list.Add(p.more)
	p.root = list
	return p
}

func newLiveLayer() *liveLayer {
	l := &liveLayer{digest: part.NewMuted("").Giving(), amount: part.NewMuted("").Giving(), rate: part.NewMuted("").Giving(),
		source: part.NewMuted("").Giving(), bar: part.NewMeter()}
	l.bar.Label = lang.Say("overview.pulls.layer")
	l.digest.Style.Monospace = true
	l.bar.Height = 4
	l.root = rowOf(&columns{
		widths: []float32{92, 0, -116, -68, 122}, from: []float32{500, 0, 0, 0, 0}, gap: 14,
	}, l.digest, l.bar, l.amount, l.rate, part.NewWhole(l.source))
	return l
}

func newPastPull() *pastPull {
	p := &pastPull{name: part.NewText("").Giving(), amount: part.NewMuted("").Giving(), when: part.NewMuted("")}
	when := part.NewTip(p.when, func() string { return words.Exact(p.at, p.now) })
	p.root = rowOf(&columns{widths: []float32{0, 176, -96}, gap: 12}, part.NewWhole(p.name), p.amount, when)
	return p
}

func (f *flight) show(v model.View, now time.Time) {
	var pulls []model.Pull
	if v.Phase == model.Running {
		pulls = model.Pulls(v.State.Active)
	}
	var rate float64
	for i, row := range f.pulls {
		part.Show(row.root, i < len(pulls))
		if i < len(pulls) {
			row.show(pulls[i])
		}
	}
	for _, p := range pulls {
		rate += p.Rate
	}
	f.speed.Set("")
	f.title.Set(lang.Say("overview.pulls.title"))
	if len(pulls) > 0 {
		f.title.Set(lang.Say("overview.pulls.now", "Count", len(pulls)))
		if rate > 0 {
			f.speed.Set(words.Rate(rate))
		}
	}
	if more := len(pulls) - maxPulls; more > 0 {
		f.more.Set(lang.Say("overview.pulls.more", "Count", more))
	}
	part.Show(f.more, len(pulls) > maxPulls)
	part.Show(f.list, len(pulls) > 0)
	f.showPasts(pulls, now)
	part.Show(f.idle, len(pulls) == 0 && f.old.wanted == 0)
}

// showPasts shows what was pulled of late and is not being pulled. Below what is there need not be room for any of it.
func (f *flight) showPasts(pulls []model.Pull, now time.Time) {
	next := 0
	for _, p := range f.pasts[:min(len(f.pasts), len(f.past))] {
		running := false
		for _, r := range pulls {
			running = running || r.Registry == p.Registry && r.Repository == p.Repository
		}
		if !running {
			f.past[next].show(p, now)
			next++
		}
	}
	const few = 3
	f.old.wanted, f.old.least, f.old.bare = next, few, len(pulls) == 0
	if len(pulls) > 0 {
		f.old.least = 0
	}
}

func (p *livePull) show(image model.Pull) {
	p.name.Set(model.Familiar(image.Registry, image.Repository))
	var state []string
	if image.Total > 0 {
		state = append(state, lang.Say("overview.pulls.of", "Have", words.Bytes(image.Have), "Total", words.Bytes(image.Total)))
	}
	if left, known := image.Left(); known {
		span := words.Span(left)
		if left < 10*time.Second { // tenths would jump about
			span = lang.Say("span.seconds", "Number", lang.Number(left.Seconds(), 0))
		}
		state = append(state, lang.Say("overview.pulls.left", "Span", span))
	}
	p.state.Set(strings.Join(state, " · "))
	for i, row := range p.layers {
		part.Show(row.root, i < len(image.Layers))
		if i < len(image.Layers) {
			row.show(image.Layers[i])
		}
	}
	if more := len(image.Layers) - maxLayers; more > 0 {
		p.more.Set(lang.Say("overview.pulls.layers", "Count", more))
	}
	part.Show(p.more, len(image.Layers) > maxLayers)
}

func (l *liveLayer) show(t control.Transfer) {
	l.digest.Set(model.ShortDigest(t.Digest))
	if done := model.Done(t); done >= 0 {
		l.amount.Set(words.Bytes(t.Have) + " / " + words.Bytes(t.Total))
		l.bar.Set(part.Share{Part: done, Color: theme.Fetched})
	} else {
		l.amount.Set(words.Bytes(t.Have))
		l.bar.Set()
	}
	l.rate.Set("")
	if t.Rate > 0 {
		l.rate.Set(words.Rate(t.Rate))
	}
	from := ""
	if len(t.Sources) > 0 {
		from = page.Sources(strings.Join(t.Sources, "+"))
	}
	l.source.Set(from)
}

func (p *pastPull) show(image model.Past, now time.Time) {
	p.at, p.now = image.Last, now
	p.name.Set(image.Title())
	p.when.Set(words.Ago(&image.Last, now))
	p.amount.Tint(theme.Muted)
	switch share, known := model.HitRate(image.Bytes); {
	case image.Failed:
		p.amount.Tint(fynetheme.ColorNameError)
		p.amount.Set(lang.Say("overview.pulls.failed"))
	case known:
		p.amount.Set(lang.Say("overview.pulls.share", "Size", words.Bytes(image.FromCache+image.FromNet), "Share", words.Percent(share)))
	default:
		p.amount.Set("")
	}
}
