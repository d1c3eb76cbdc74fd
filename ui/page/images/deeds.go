package images

import (
	"context"
	"errors"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/words"
)

// remove takes images off the page at once, and out of the cache when the person can no longer change their mind.
func (p *Page) remove(ids []string) {
	rows := p.list.Remove(ids...)
	if len(rows) == 0 {
		return
	}
	if p.list.Get(p.detail) == nil {
		p.side.Shut()
	}
	p.table.Select()
	p.refresh()
	_, own := model.Size(rows)
	key := "images.removed"
	if len(rows) == 1 && rows[0].Mine() {
		key = "images.removed_mine"
	}
	p.desk.Toast(page.Toast{
		Text: lang.Say(key, "Count", len(rows), "Image", rows[0].Short(), "Size", words.Bytes(own)),
		Undo: func() { p.restore(rows) },
		Done: func() { p.removeNow(rows) },
	})
}

func (p *Page) restore(rows []*model.ImageRow) {
	p.list.Restore(idsOf(rows)...)
	p.refresh()
}

func idsOf(rows []*model.ImageRow) []string {
	ids := make([]string, len(rows))
	for n, r := range rows {
		ids[n] = r.ID
	}
	return ids
}

func (p *Page) removeNow(rows []*model.ImageRow) {
	p.each(rows, func(ctx context.Context, d page.Daemon, r *model.ImageRow) error {
		_, err := d.RemoveImage(ctx, r.ID)
		return err
	}, func(done, failed []*model.ImageRow, err error) {
		p.list.Removed(idsOf(done)...)
		p.list.Restore(idsOf(failed)...)
		p.overtaken()
		p.refresh()
		p.complain("images.not_removed", failed, err)
	})
}

// each does something to images one after the other; then is told which went well and which did not, and why the first did
// not.
func (p *Page) each(rows []*model.ImageRow, deed func(context.Context, page.Daemon, *model.ImageRow) error, then func(done, failed []*model.ImageRow, err error)) {
	var done, failed []*model.ImageRow
	p.ask(func(ctx context.Context, d page.Daemon) (first error) {
		for _, r := range rows {
			if err := deed(ctx, d, r); err != nil {
				failed = append(failed, r)
				if first == nil {
					first = err
				}
				continue
			}
			done = append(done, r)
		}
		return first
	}, func(err error) {
		if errors.Is(err, model.ErrNotRunning) {
			failed = rows
		}
		then(done, failed, err)
	})
}

func (p *Page) complain(key string, failed []*model.ImageRow, err error) {
	if len(failed) > 0 {
		p.desk.Toast(page.Toast{Bad: true, Text: lang.Say(key, "Count", len(failed), "Image", failed[0].Short(), "Reason", reason(err))})
	}
}

// reason is an error as a toast has it.
func reason(err error) string {
	if errors.Is(err, model.ErrNotRunning) {
		return lang.Say("notice.not_running")
	}
	return words.Reason(err)
}

// pin keeps images, or lets them go again, at once; Undo does the opposite.
func (p *Page) pin(on bool, ids []string) {
	rows := p.list.Pin(on, ids...)
	if len(rows) == 0 {
		return
	}
	p.refresh()
	p.pinNow(on, rows)
	key := "images.unpinned"
	if on {
		key = "images.pinned"
	}
	p.desk.Toast(page.Toast{Text: lang.Say(key, "Count", len(rows), "Image", rows[0].Short()), Undo: func() {
		changed := p.list.Pin(!on, idsOf(rows)...)
		p.refresh()
		p.pinNow(!on, changed)
	}})
}

func (p *Page) pinNow(on bool, rows []*model.ImageRow) {
	p.each(rows, func(ctx context.Context, d page.Daemon, r *model.ImageRow) error {
		names := []string{r.ID} // by its digest it is let go under all its tags
		if on && len(r.Tags) > 0 {
			names = names[:0]
			for _, tag := range r.Tags {
				names = append(names, r.Registry+"/"+r.Repository+":"+tag)
			}
		}
		for _, name := range names {
			if _, err := d.PinImage(ctx, name, on); err != nil {
				return err
			}
		}
		return nil
	}, func(done, failed []*model.ImageRow, err error) {
		p.list.PinnedNow(on, idsOf(done)...)
		p.list.Settled(idsOf(failed)...)
		p.overtaken()
		p.refresh()
		key := "images.not_unpinned"
		if on {
			key = "images.not_pinned"
		}
		p.complain(key, failed, err)
	})
}

// chosenBar says what can be done with the selected images.
type chosenBar struct {
	page *Page
	text *part.Text
	all  []*part.Button
	one  *part.Button // for one image alone
	pin  *part.Button
	root *fyne.Container
	on   bool // what pin does
}

func newChosenBar(p *Page) *chosenBar {
	b := &chosenBar{page: p, text: part.NewText("").Giving()}
	selected := func(f func(ids []string)) func() {
		return func() {
			f(p.table.Selected())
			if window := p.desk.Window(); window != nil && window.Canvas().Focused() != nil && !b.root.Visible() {
				page.Focus(p.desk, p.table) // the button that has the focus went with the bar
			}
		}
	}
	b.pin = part.NewButton("", selected(func(ids []string) { p.pin(b.on, ids) }))
	b.one = part.NewButton(lang.Say("images.menu.details"), selected(func(ids []string) {
		if len(ids) > 0 {
			p.open(ids[0])
		}
	}))
	export := part.NewButton(lang.Say("images.export.button"), selected(p.export))
	removes := part.NewButton(lang.Say("images.remove"), selected(p.remove))
	b.all = []*part.Button{b.one, b.pin, export, removes}
	b.root = container.New(layout.NewCustomPaddedLayout(part.Gap, 0, 0, 0),
		part.Between(part.Middle(part.NewWhole(b.text)), part.HBox(8, b.one, b.pin, export, removes)))
	b.root.Hide()
	return b
}

func (b *chosenBar) show() {
	rows := b.page.rows(b.page.table.Selected())
	b.page.reveal(b.root, len(rows) > 0)
	if len(rows) == 0 {
		return
	}
	size, _ := model.Size(rows)
	b.text.Set(lang.Say("images.chosen", "Count", len(rows), "Image", rows[0].Short(), "Size", words.Bytes(size)))
	b.page.reveal(b.one, len(rows) == 1)
	b.on = !b.page.allPinned(rows)
	key := "images.unpin"
	if b.on {
		key = "images.pin"
	}
	if text := lang.Say(key); b.pin.Text != text {
		b.pin.SetText(text)
		b.root.Refresh()
	}
	for _, button := range b.all {
		button.Label = page.Joined(button.Text, b.text.Words())
	}
}
