package images

import (
	"context"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// diskCard is what the cache's room is used for, as a picture.
type diskCard struct {
	page   *Page
	bar    *part.Strip
	said   *part.Text
	parts  [4]*part.Text // of the legend
	boxes  [4]fyne.CanvasObject
	legend *fyne.Container
	free   *part.Button
	empty  *part.Skeleton
	known  *fyne.Container
	root   fyne.CanvasObject
	last   model.Disk
}

// diskHues are those of pinned images, other images, what is in none, and room.
var diskHues = [4]fyne.ThemeColorName{theme.Blue, theme.Cached, theme.Violet, theme.Track}

func newDiskCard(p *Page) *diskCard {
	c := &diskCard{page: p, bar: part.NewStrip(10), said: part.NewText("").Giving(), legend: part.HBox(18), empty: part.NewSkeleton(2)}
	for n, hue := range diskHues {
		c.parts[n] = part.NewMuted("")
		c.boxes[n] = part.HBox(6, part.Middle(part.NewDot(hue)), part.Middle(c.parts[n]))
		c.legend.Add(c.boxes[n])
	}
	c.free = part.NewButton(lang.Say("images.free.button"), c.ask)
	c.known = part.VBox(9, part.Between(part.Middle(c.said), c.free), c.bar, c.legend)
	c.root = part.NewSheet(container.NewStack(c.empty, c.known))
	c.known.Hide()
	return c
}

func (c *diskCard) show() {
	cache := c.page.view.State.Cache
	known := cache.Dir != ""
	c.page.reveal(c.root, known || c.page.view.State.Listen == "") // a cache that cannot be used has no room to show
	part.Show(c.empty, !known)
	part.Show(c.known, known)
	if !known {
		return
	}
	d := c.page.list.Disk(cache)
	if d == c.last {
		return
	}
	c.last = d
	key := "images.disk.used"
	if d.Limited {
		key = "images.disk.used_of"
	}
	c.said.Set(lang.Say(key, "Size", words.Bytes(cache.Size), "Limit", words.Bytes(cache.MaxSize)))
	amounts := [4]int64{d.Pinned, d.Images, d.Loose, d.Free}
	keys := [4]string{"images.disk.pinned", "images.disk.images", "images.disk.loose", "images.disk.free"}
	if !d.Limited {
		keys[3] = "images.disk.free_disk"
	}
	c.bar.Clear()
	at := int64(0)
	for n, amount := range amounts {
		c.parts[n].Set(lang.Say(keys[n], "Size", words.Bytes(amount)))
		part.Show(c.boxes[n], amount > 0 || n == 3)
		if n < 3 {
			c.bar.Add(at, at+amount, diskHues[n], "")
			at += amount
		}
	}
	c.bar.Label = c.said.Words()
	c.bar.Set(d.Total)
	c.legend.Refresh()
	c.known.Refresh()
}

// freeing is the question how much to free.
type freeing struct {
	page       *Page
	slider     *part.Slider
	says, goes *part.Text
	list       [5][2]*part.Text // names and sizes of the first of them
	bytes      int64
	most       int64
	shown      *dialog.CustomDialog
}

// ask asks how much is to go.
func (c *diskCard) ask() {
	p := c.page
	_, most := p.list.WouldGo(1 << 62)
	most += p.list.Disk(p.view.State.Cache).Loose
	if most <= 0 {
		p.desk.Toast(page.Toast{Text: lang.Say("images.free.nothing")})
		return
	}
	f := &freeing{page: p, most: most, says: part.NewText("").Bold(), goes: part.NewMuted("")}
	names := part.VBox(2)
	for n := range f.list {
		f.list[n] = [2]*part.Text{part.NewText("").Giving(), part.NewMuted("")}
		names.Add(part.Between(f.list[n][0], f.list[n][1]))
	}
	f.slider = part.NewSlider(lang.Say("images.free.title"), 100, func() string { return words.Bytes(f.bytes) })
	free := part.NewButton("", f.free)
	free.Importance = widget.DangerImportance
	cancel := part.NewButton(lang.Say("images.cancel"), func() { f.shown.Hide() })
	f.slider.OnChanged = func(percent float64) {
		f.choose(percent)
		free.SetText(lang.Say("images.free.now", "Size", words.Bytes(f.bytes)))
		if f.bytes == 0 {
			free.Disable()
		} else {
			free.Enable()
		}
	}
	content := part.VBox(part.Gap, part.NewParagraph(lang.Say("images.free.about"), widget.MediumImportance),
		f.slider.Shown(), part.VBox(6, f.says, f.goes, names))
	f.shown = dialog.NewCustomWithoutButtons(lang.Say("images.free.title"), container.New(layout.NewCustomPaddedLayout(0, 0, -9, -9), content), p.desk.Window())
	f.shown.SetButtons([]fyne.CanvasObject{cancel, free})
	f.slider.SetValue(25)
	f.shown.Resize(fyne.NewSize(460, 320))
	f.shown.Show()
	page.Focus(p.desk, f.slider)
}

func (f *freeing) choose(percent float64) {
	f.bytes = int64(float64(f.most) * percent / 100)
	rows, _ := f.page.list.WouldGo(f.bytes)
	f.says.Set(lang.Say("images.free.keeps", "Size", words.Bytes(f.bytes), "Keep", words.Bytes(max(f.page.view.State.Cache.Size-f.bytes, 0))))
	f.name(rows)
	if len(rows) == 0 {
		f.goes.Set(lang.Say("images.free.no_images"))
		return
	}
	last := rows[len(rows)-1]
	since := lang.Say("images.never")
	if !last.Used.IsZero() {
		since = words.Ago(&last.Used, f.page.now)
	}
	f.goes.Set(lang.Say("images.free.goes", "Count", len(rows), "Used", since))
}

// name lists the first of those that go.
func (f *freeing) name(rows []*model.ImageRow) {
	for n, line := range f.list {
		switch {
		case n >= len(rows):
			line[0].Set("")
			line[1].Set("")
		case n == len(f.list)-1 && len(rows) > len(f.list):
			line[0].Set(lang.Say("images.more", "Count", len(rows)-n))
			line[1].Set("")
		default:
			line[0].Set(rows[n].Short())
			line[1].Set(words.Bytes(rows[n].Own))
		}
	}
}

// some names the first few of many.
func some(all []string, name func(n int) string) string {
	const most = 4
	var names []string
	for n := range min(len(all), most) {
		names = append(names, name(n))
	}
	if more := len(all) - most; more > 0 {
		names = append(names, lang.Say("images.more", "Count", more))
	}
	return words.List(names...)
}

// free has it done, once it cannot be undone any more.
func (f *freeing) free() {
	f.shown.Hide()
	p, bytes := f.page, f.bytes
	p.desk.Toast(page.Toast{
		Text: lang.Say("images.free.begun", "Size", words.Bytes(bytes)),
		Undo: func() {},
		Done: func() { p.collect(bytes) },
	})
}

func (p *Page) collect(bytes int64) {
	var freed control.Freed
	p.ask(func(ctx context.Context, d page.Daemon) (err error) {
		freed, err = d.GC(ctx, control.GC{Free: bytes})
		return err
	}, func(err error) {
		p.overtaken()
		switch {
		case err != nil:
			p.desk.Toast(page.Toast{Bad: true, Text: lang.Say("images.free.failed", "Reason", reason(err))})
		case len(freed.Images) == 0:
			p.desk.Toast(page.Toast{Text: lang.Say("images.free.freed_loose", "Size", words.Bytes(freed.Bytes))})
		default:
			p.desk.Toast(page.Toast{Text: lang.Say("images.free.freed", "Size", words.Bytes(freed.Bytes),
				"Images", some(freed.Images, func(n int) string { return model.FamiliarRef(freed.Images[n]) }))})
		}
	})
}
