package images

import (
	"cmp"
	"errors"
	"path/filepath"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// jobPace is how often the progress of a job is drawn at most.
const jobPace = 200 * time.Millisecond

// jobCard shows what is being fetched, exported and imported.
type jobCard struct {
	page  *Page
	title *part.Text
	clear *part.Link
	rows  map[*model.Job]*jobRow
	list  *fyne.Container
	roll  *part.Scroll
	root  *fyne.Container
}

func newJobCard(p *Page) *jobCard {
	c := &jobCard{page: p, title: part.NewMuted(""), rows: map[*model.Job]*jobRow{}, list: part.VBox(10)}
	c.clear = part.NewLink(lang.Say("images.jobs.clear"), func() { p.jobs.Clear(); c.show() })
	c.roll = part.NewScroll(container.New(layout.NewCustomPaddedLayout(0, 0, 0, 10), c.list))
	head := container.New(layout.NewCustomPaddedLayout(0, 0, 3, 0), part.Between(part.Middle(c.title), c.clear))
	c.root = part.VBox(3, head, part.NewSheet(container.New(atMost{p}, c.roll)))
	c.root.Hide()
	return c
}

// atMost is the layout of a scroll that is as high as its content, up to a fifth of the page: the images need room, too.
type atMost struct{ page *Page }

func (l atMost) MinSize(objects []fyne.CanvasObject) fyne.Size {
	scroll := objects[0].(*part.Scroll)
	const least = 100 // two jobs
	most := float32(least)
	if l.page.side != nil {
		most = max(most, l.page.side.Root.Size().Height/5)
	}
	return fyne.NewSize(scroll.MinSize().Width, min(scroll.Content.MinSize().Height, most))
}

func (l atMost) Layout(objects []fyne.CanvasObject, size fyne.Size) { objects[0].Resize(size) }

// show brings the card to what the jobs are.
func (c *jobCard) show() {
	jobs := c.page.jobs.All()
	c.page.reveal(c.root, len(jobs) > 0)
	var objects []fyne.CanvasObject
	left, over := 0, 0
	for _, j := range jobs {
		row := c.rows[j]
		if row == nil {
			row = newJobRow(c.page, j)
			c.rows[j] = row
		}
		v := j.View()
		row.show(v)
		if v.Phase <= model.Working {
			left++
		} else {
			over++
		}
		objects = append(objects, row.root)
	}
	for j := range c.rows {
		if !slices.Contains(jobs, j) {
			delete(c.rows, j)
		}
	}
	c.title.Set(lang.Say("images.jobs.title", "Count", left))
	if left == 0 {
		c.title.Set(lang.Say("images.jobs.over"))
	}
	part.Show(c.clear, over > 0)
	if !slices.Equal(c.list.Objects, objects) {
		c.list.Objects = objects
		c.list.Refresh()
		c.page.side.Root.Refresh()
	}
}

// jobIndent is how far what belongs to a job begins after its row: under its name.
const jobIndent = 32

// jobRow is one of them.
type jobRow struct {
	page     *Page
	job      *model.Job
	name     *part.Text
	said     *part.Text
	bar      *part.Meter
	more     *part.IconButton
	stop     *part.IconButton
	again    *part.Link
	trouble  *widget.Label
	wrong    *fyne.Container
	blobs    *fyne.Container
	unfolded bool
	phase    model.JobPhase
	root     *fyne.Container
}

func newJobRow(p *Page, j *model.Job) *jobRow {
	r := &jobRow{page: p, job: j, name: part.NewText(jobName(j)).Giving(), said: part.NewMuted(""), bar: part.NewMeter(), trouble: widget.NewLabel(""), blobs: part.VBox(4), phase: -1}
	r.bar.Height = 4
	r.trouble.Wrapping, r.trouble.Importance = fyne.TextWrapWord, widget.DangerImportance
	r.wrong = container.New(layout.NewCustomPaddedLayout(-part.Inset, -part.Inset, jobIndent-part.Inset, -part.Inset), r.trouble)
	r.more = part.NewIconButton(fynetheme.MenuExpandIcon(), lang.Say("images.jobs.more", "Name", jobName(j)), r.fold)
	r.stop = part.NewIconButton(fynetheme.CancelIcon(), lang.Say("images.jobs.stop", "Name", jobName(j)), r.end)
	r.again = part.NewLink(lang.Say("images.jobs.again"), func() { p.retry(j) })
	r.again.Label = lang.Say("images.jobs.again_label", "Name", jobName(j))
	part.Show(r.more, j.Kind == model.Fetching)
	head := part.Border(nil, nil, r.more, part.HBox(8, part.Middle(r.said), part.Middle(r.again), r.stop), part.Middle(part.NewTip(r.name, func() string { return cmp.Or(j.File, j.Name) })))
	r.root = part.VBox(2, head, r.bar, r.wrong, container.New(layout.NewCustomPaddedLayout(4, 0, jobIndent, jobIndent), r.blobs))
	r.blobs.Hide()
	return r
}

func jobName(j *model.Job) string {
	switch j.Kind {
	case model.Exporting:
		return lang.Say("images.jobs.exporting", "Name", j.Name, "File", filepath.Base(j.File))
	case model.Importing:
		return lang.Say("images.jobs.importing", "File", filepath.Base(j.File))
	default:
		return model.FamiliarRef(j.Name)
	}
}

func (r *jobRow) fold() {
	r.unfolded = !r.unfolded
	icon := fynetheme.MenuExpandIcon()
	if r.unfolded {
		icon = fynetheme.MenuDropDownIcon()
	}
	r.more.Set(icon, lang.Say("images.jobs.more", "Name", jobName(r.job)))
	r.show(r.job.View())
	r.page.work.list.Refresh()
	r.page.side.Root.Refresh()
}

func (r *jobRow) end() {
	if r.job.View().Phase > model.Working {
		r.page.jobs.Dismiss(r.job)
	} else {
		r.job.Stop()
	}
	r.page.work.show()
}

func (r *jobRow) show(v model.JobView) {
	r.said.Set(jobState(r.job, v))
	r.bar.Set(jobBar(v)...)
	part.Show(r.bar, v.Phase == model.Working || v.Phase == model.Waiting)
	if v.Phase != r.phase {
		r.phase = v.Phase
		part.Show(r.again, (v.Phase == model.Failed || v.Phase == model.Stopped) && r.job.Kind == model.Fetching)
		trouble := v.Error
		if v.Phase == model.Finished {
			trouble = v.Note
			r.trouble.Importance = widget.MediumImportance
		}
		r.trouble.SetText(trouble)
		part.Show(r.wrong, trouble != "")
		if v.Phase > model.Working {
			r.stop.Set(fynetheme.CancelIcon(), lang.Say("images.jobs.dismiss", "Name", jobName(r.job)))
		}
		r.root.Refresh()
	}
	part.Show(r.blobs, r.unfolded && len(v.Blobs) > 0)
	if !r.unfolded {
		return
	}
	before := len(r.blobs.Objects)
	for n, b := range v.Blobs {
		if n == len(r.blobs.Objects) {
			r.blobs.Add(newBlobRow())
		}
		r.blobs.Objects[n].(*fyne.Container).Layout.(*blobRow).show(b)
	}
	if len(r.blobs.Objects) != before {
		r.page.work.list.Refresh()
		r.page.side.Root.Refresh()
	}
}

func jobBar(v model.JobView) []part.Share {
	if v.Size <= 0 {
		return nil
	}
	return []part.Share{{Part: float64(v.Have) / float64(v.Size), Color: theme.Fetched}}
}

// jobState says how far one is: "12 MiB of 48 MiB · daocloud".
func jobState(j *model.Job, v model.JobView) string {
	switch v.Phase {
	case model.Waiting:
		return lang.Say("images.jobs.waiting")
	case model.Failed:
		return lang.Say("images.jobs.failed")
	case model.Stopped:
		return lang.Say("images.jobs.stopped")
	case model.Finished:
		if j.Kind == model.Fetching {
			return lang.Say("images.jobs.here", "Size", words.Bytes(v.Have))
		}
		return lang.Say("images.jobs.done", "Size", words.Bytes(v.Have))
	}
	text := words.Bytes(v.Have)
	if v.Size > 0 {
		text = lang.Say("images.jobs.of", "Have", text, "Size", words.Bytes(v.Size))
	}
	if v.Source != "" {
		text += " · " + page.Sources(v.Source)
	}
	return text
}

// blobRow is the line of one blob, and its layout.
type blobRow struct {
	what, said *part.Text
	bar        *part.Meter
}

func newBlobRow() *fyne.Container {
	b := &blobRow{what: part.NewMuted("").Giving(), said: part.NewMuted(""), bar: part.NewMeter()}
	b.bar.Height = 4
	return container.New(b, b.what, b.bar, b.said)
}

// MinSize implements fyne.Layout.
func (b *blobRow) MinSize([]fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(300, b.what.MinSize().Height+2)
}

// Layout implements fyne.Layout: columns that are the same in all rows.
func (b *blobRow) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	const what, said, space = 150, 210, 12
	height := b.what.MinSize().Height
	widths := []float32{what, max(size.Width-what-said-2*space, 20), said}
	x := float32(0)
	for n, object := range objects {
		object.Move(fyne.NewPos(x, (size.Height-height)/2))
		object.Resize(fyne.NewSize(widths[n], height))
		x += widths[n] + space
	}
}

func (b *blobRow) show(v model.JobBlob) {
	b.what.Set(lang.Say("images.blob."+v.What) + "  " + model.ShortDigest(v.Digest))
	color := theme.Fetched
	text := words.Bytes(v.Have)
	if v.Size > 0 && !v.Done {
		text = lang.Say("images.jobs.of", "Have", text, "Size", words.Bytes(v.Size))
	}
	switch {
	case v.Error != "":
		text = v.Error
	case v.Cached:
		color = theme.Cached
		text += " · " + lang.Say("images.jobs.was_here")
	case v.Source != "":
		text += " · " + page.Sources(v.Source)
	}
	b.said.Set(text)
	if v.Size > 0 {
		b.bar.Set(part.Share{Part: float64(v.Have) / float64(v.Size), Color: color})
	} else {
		b.bar.Set()
	}
}

// run has a job done beside the UI goroutine.
func (p *Page) run(j *model.Job, work jobWork, then func(model.JobView)) {
	d := p.desk.Daemon()
	if d == nil {
		if j.Begin(func() {}) {
			j.End("", errors.New(lang.Say("notice.not_running")))
		}
		p.jobEnded(j, then)
		return
	}
	var s *page.Stream
	if j.Begin(func() { s.Quit() }) { // before the work, which may be done at once
		s = page.NewStream(p.desk, jobPace, work(d), p.work.show, func(error) { p.jobEnded(j, then) })
	}
	p.work.show()
}

func (p *Page) jobEnded(j *model.Job, then func(model.JobView)) {
	p.overtaken()
	then(j.View())
	p.startJobs()
	p.work.show()
}
