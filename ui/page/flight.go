package page

import (
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"pulley/internal/control"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// flight is what is being fetched right now, or what to try when nothing is.
type flight struct {
	rows  []*transfer
	list  *fyne.Container
	rest  *part.Text
	count *part.Text
	try   *part.Text
	idle  fyne.CanvasObject
	root  fyne.CanvasObject
}

// shown is how many transfers have a row; the rest are counted.
const shown = 4

// transfer is the row of one.
type transfer struct {
	name, progress *part.Text
	bar            *part.Meter
	root           fyne.CanvasObject
}

func newFlight(copied func(string)) *flight {
	f := &flight{list: column(8), rest: part.NewMuted(""), count: part.NewMuted(""), try: part.NewText("").Giving()}
	for range shown {
		t := &transfer{name: part.NewText("").Giving(), progress: part.NewMuted(""), bar: part.NewMeter()}
		t.bar.Height = 4
		t.root = column(5, between(t.name, container.NewStack(t.progress)), t.bar)
		t.root.Hide()
		f.rows = append(f.rows, t)
		f.list.Add(t.root)
	}
	f.list.Add(f.rest)
	f.try.Style.Monospace = true
	f.idle = column(3, part.NewMuted("Nothing right now. A pull to try:"),
		between(middle(f.try), flush(5, copyButton(func() { copied(f.try.Words()) }))))
	f.root = titled(part.NewText("In flight"), f.count, container.NewStack(f.idle, f.list))
	return f
}

func (f *flight) show(v model.View) {
	active := v.State.Active
	if v.Phase != model.Running {
		active = nil
	}
	f.try.Set("docker pull " + v.State.Listen + "/library/alpine")
	show(f.idle, len(active) == 0)
	show(f.list, len(active) > 0)
	f.count.Set("")
	if len(active) > 0 {
		f.count.Set(fmt.Sprintf("%d", len(active)))
	}
	for i, row := range f.rows {
		show(row.root, i < len(active))
		if i < len(active) {
			row.show(active[i])
		}
	}
	f.rest.Set(fmt.Sprintf("and %d more", len(active)-shown))
	show(f.rest, len(active) > shown)
}

func (t *transfer) show(a control.Transfer) {
	t.name.Set(a.Registry + "/" + a.Repository)
	if a.Total > 0 {
		t.progress.Set(words.Bytes(a.Have) + " of " + words.Bytes(a.Total))
		t.bar.Set(part.Share{Part: float64(a.Have) / float64(a.Total), Color: theme.Fetched})
		return
	}
	t.progress.Set(words.Bytes(a.Have))
	t.bar.Set()
}
