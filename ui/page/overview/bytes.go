package overview

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// bytes is what was served over time, where it came from, and what that saved.
type bytes struct {
	history model.History
	span    model.Range
	failed  string // why there is no history

	choice                       *part.Segments
	fromCache, net, share, saved *figure
	chart                        *part.Chart
	again                        func() // shows what is known anew
	content                      *fyne.Container
	root                         fyne.CanvasObject
}

func newBytes(memory page.Memory) *bytes {
	cached, fetched := lang.Say("overview.traffic.cache"), lang.Say("overview.traffic.net")
	b := &bytes{
		span:      model.Day,
		fromCache: newFigure(cached, theme.Cached), net: newFigure(fetched, theme.Fetched),
		share: newFigure(lang.Say("overview.traffic.share"), ""), saved: newFigure(lang.Say("overview.traffic.saved"), ""),
	}
	var names []string
	for _, r := range model.Ranges {
		names = append(names, lang.Say("overview.range."+string(r)))
	}
	const kept = "overview.range"
	if r := model.Range(memory.Choice(kept)); slices.Contains(model.Ranges, r) {
		b.span = r
	}
	b.choice = part.NewSegments(names, slices.Index(model.Ranges, b.span), func(i int) {
		b.span = model.Ranges[i]
		memory.Choose(kept, string(b.span))
		b.again()
	})
	b.choice.Label = lang.Say("overview.range.label")
	b.chart = part.NewChart(part.Measure{Step: part.BinaryStep, Axis: onAxis, Exact: exactly},
		part.Series{Name: cached, Color: theme.Cached}, part.Series{Name: fetched, Color: theme.Fetched})
	title := part.NewText(lang.Say("overview.traffic.title")).Bold()
	figures := container.NewGridWithColumns(4, b.fromCache.root, b.net.root, b.share.root, b.saved.root)
	top := part.VBox(8, part.Between(part.Middle(title), part.Middle(b.choice)), figures)
	b.content = part.Border(container.New(layout.NewCustomPaddedLayout(0, 8, 0, 0), top), nil, nil, nil, b.chart)
	b.root = part.NewSheet(b.content)
	return b
}

// onAxis is an amount beside a line of the grid, where no digit after the point is wanted that says nothing.
func onAxis(v float64) string {
	said := words.Bytes(int64(v))
	return strings.Replace(said, lang.Number(0.0, 1)[1:]+" ", " ", 1)
}

func exactly(v float64) string { return words.Bytes(int64(v)) }

func (b *bytes) show(v model.View, now time.Time) {
	bins := b.history.Bins(b.span, now)
	if b.failed != "" && bins == nil {
		bins = model.Empty(b.span, now)
	}
	sum := model.Sum(bins)
	name := lang.Say("overview.range.last_" + string(b.span))
	if bins == nil {
		b.fromCache.set("–")
		b.net.set("–")
	} else {
		b.fromCache.set(words.Bytes(sum.FromCache))
		b.net.set(words.Bytes(sum.FromNet))
	}
	b.share.set("")
	if share, known := model.HitRate(sum); known {
		b.share.set(words.Percent(share))
	}
	b.saved.set("")
	if saved := v.State.Traffic.SavedTime; saved >= time.Second {
		b.saved.set(words.Span(saved))
	}
	title, hint := lang.Say("overview.traffic.none", "Range", name), lang.Say("overview.traffic.hint")
	if b.failed != "" {
		title, hint = lang.Say("overview.traffic.unknown"), b.failed
	}
	b.chart.Explain(lang.Say("overview.traffic.summary", "Range", name, "Cache", words.Bytes(sum.FromCache), "Net", words.Bytes(sum.FromNet)), title, hint)
	b.chart.Set(slotsOf(bins, b.span, now))
}

// told takes the daemon's history, or why there is none.
func (b *bytes) told(h control.History, err error) {
	if err != nil {
		b.failed = words.Reason(err)
		return
	}
	b.failed = ""
	b.history.Told(h)
}

// slotsOf names bins in the language in force.
func slotsOf(bins []model.Bin, span model.Range, now time.Time) []part.Slot {
	var slots []part.Slot
	for _, bin := range bins {
		name, mark := named(bin, span, now)
		slots = append(slots, part.Slot{Values: []float64{float64(bin.FromCache), float64(bin.FromNet)}, Name: name, Mark: mark})
	}
	return slots
}

// named is what a bin is called where it is pointed at, and below the axis.
func named(bin model.Bin, span model.Range, now time.Time) (name, mark string) {
	from := bin.From.In(now.Location())
	switch span {
	case model.Hour:
		if from.Minute()%10 == 0 {
			mark = words.Clock(from, now)
		}
		return words.Clock(from, now), mark
	case model.Day:
		if from.Hour()%3 == 0 && from.Minute() == 0 {
			mark = words.Clock(from, now)
			if from.Hour() == 0 {
				mark = words.Day(from, now)
			}
		}
		return words.Moment(from, now) + " – " + words.Clock(bin.To, now), mark
	case model.Month:
		if from.Weekday() == time.Monday {
			mark = words.Day(from, now)
		}
		return words.Day(from, now), mark
	default:
		if from.Day() <= 7 {
			mark = lang.Say("date.month.m" + strconv.Itoa(int(from.Month())))
		}
		return lang.Say("overview.range.week", "Day", words.Day(from, now)), mark
	}
}
