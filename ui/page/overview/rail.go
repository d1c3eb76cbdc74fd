package overview

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// rail is what stands beside the traffic: pull limits, the cache, where each registry's bytes come from, and docker's contexts.
type rail struct {
	limits     []*limitRow
	afterLimit fyne.CanvasObject
	fill       *part.Meter
	size       *part.Text
	room       *part.Text
	registries *registries
	contexts   *contexts
	shelf      *shelf
	content    *fyne.Container
	root       *part.Sheet
}

// limitRow is what is left of a registry's.
type limitRow struct {
	gauge       *part.Gauge
	name, words *part.Text
	whose       *part.Text
	root        fyne.CanvasObject
}

// maxLimits is how many registries with a limit are shown: one is known that has any.
const maxLimits = 2

func newRail(d page.Desk) *rail {
	r := &rail{fill: part.NewMeter(), size: part.NewText(""), room: part.NewMuted("").Giving(), registries: newRegistries(d), contexts: newContexts(d), shelf: &shelf{gap: 13}}
	r.fill.Height, r.fill.Label = 6, lang.Say("overview.cache.title")
	gauges := part.VBox(12)
	for range maxLimits {
		l := newLimitRow()
		r.limits = append(r.limits, l)
		gauges.Add(l.root)
	}
	r.afterLimit = part.NewRule()
	open := part.NewLink(lang.Say("overview.cache.open"), func() { d.Visit(page.ImagesPage, "") })
	cache := part.VBox(7, part.Between(part.Middle(part.NewText(lang.Say("overview.cache.title")).Bold()), part.Flush(4, open)),
		r.fill, part.VBox(1, r.size, part.NewWhole(r.room)))
	r.content = rowOf(r.shelf, gauges, r.afterLimit, cache, r.registries.root, r.contexts.root)
	r.root = part.NewSheet(r.content)
	return r
}

// full is its height with all that it has to say.
func (r *rail) full() float32 { return r.shelf.full(r.content.Objects) + 2*r.root.Padding.Height }

func newLimitRow() *limitRow {
	l := &limitRow{gauge: part.NewGauge(56), name: part.NewText("").Bold().Giving(), words: part.NewText("").Giving(), whose: part.NewMuted("").Giving()}
	l.root = part.Border(nil, nil, container.New(layout.NewCustomPaddedLayout(0, 0, 0, 12), part.Middle(l.gauge)), nil,
		part.Middle(part.VBox(1, l.name, part.NewWhole(l.words), part.NewWhole(l.whose))))
	return l
}

func (r *rail) show(v model.View, now time.Time) {
	limits := model.Limits(v.State, now)
	for i, l := range r.limits {
		part.Show(l.root, i < len(limits))
		if i < len(limits) {
			l.show(limits[i], now)
		}
	}
	part.Show(r.afterLimit, len(limits) > 0)
	c := v.State.Cache
	if c.MaxSize > 0 {
		r.size.Set(lang.Say("overview.cache.of", "Size", words.Bytes(c.Size), "Most", words.Bytes(c.MaxSize)))
		r.fill.Set(part.Share{Part: float64(c.Size) / float64(c.MaxSize), Color: fynetheme.ColorNamePrimary})
	} else {
		r.size.Set(words.Bytes(c.Size))
		r.fill.Set()
	}
	part.Show(r.fill, c.MaxSize > 0)
	about := lang.Say("overview.cache.images", "Count", int(c.Images))
	if c.Free >= 0 {
		about = lang.Say("overview.cache.free", "Images", about, "Free", words.Bytes(c.Free))
	}
	r.room.Set(about)
	part.Show(r.registries.root, v.Phase == model.Running)
	if v.Phase == model.Running {
		r.registries.show(v, now)
	}
	r.contexts.show(v)
}

// nearly is how much of a limit is little.
const nearly = 0.15

func (l *limitRow) show(c control.Limit, now time.Time) {
	left := float64(c.Remaining) / float64(c.Limit)
	color, tint := fynetheme.ColorNamePrimary, theme.Muted
	if left <= nearly {
		color, tint = fynetheme.ColorNameWarning, fynetheme.ColorNameWarning
	}
	name := c.Registry
	if name == "docker.io" {
		name = lang.Say("overview.limit.hub")
	}
	l.name.Set(name)
	text := lang.Say("overview.limit.left", "Left", lang.Number(c.Remaining, 0), "Limit", lang.Number(c.Limit, 0))
	if c.Remaining == 0 {
		text = lang.Say("overview.limit.none")
	}
	l.words.Tint(fynetheme.ColorNameForeground)
	l.words.Set(text)
	var about string
	switch {
	case c.Remaining == 0 && c.Again != nil:
		about = lang.Say("overview.limit.again", "Time", words.Moment(*c.Again, now))
	case c.Identity != "" && c.Identity != "anonymous":
		about = lang.Say("overview.limit.whose", "User", c.Identity)
	case c.Window > 0:
		about = lang.Say("overview.limit.window", "Span", words.Span(c.Window))
	}
	l.whose.Tint(tint)
	l.whose.Set(about)
	l.gauge.Set(left, lang.Number(c.Remaining, 0), color, name+": "+text)
}
