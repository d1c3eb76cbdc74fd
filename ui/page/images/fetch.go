package images

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"fyne.io/fyne/v2"

	"pulley/internal/control"
	"pulley/internal/docker/login"
	"pulley/internal/imagelist"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/words"
)

// fetchBar takes names of images to fetch ahead.
type fetchBar struct {
	page  *Page
	entry *escEntry
	begin *part.Button
	root  fyne.CanvasObject
}

func newFetchBar(p *Page) *fetchBar {
	b := &fetchBar{page: p, entry: newEscEntry()}
	b.entry.PlaceHolder = lang.Say("images.fetch.names")
	b.entry.OnSubmitted = func(string) { b.submit() }
	b.entry.escaped = b.close
	b.begin = part.NewButton(lang.Say("images.fetch.now"), b.submit)
	file := part.NewButton(lang.Say("images.fetch.file"), func() {
		p.desk.Files.Open(lang.Say("images.fetch.file_title"), nil, func(path string) { p.Drop([]string{path}) })
	})
	b.root = part.NewSheet(part.VBox(8, part.Border(nil, nil, nil, part.HBox(8, b.begin, file), b.entry), part.NewMuted(lang.Say("images.fetch.hint")).Giving()))
	b.root.Hide()
	return b
}

func (b *fetchBar) toggle() {
	if b.root.Visible() {
		b.close()
		return
	}
	b.page.reveal(b.root, true)
	page.Focus(b.page.desk, b.entry)
}

// close hides the bar. Whose keys were in it finds them in the list.
func (b *fetchBar) close() {
	b.page.reveal(b.root, false)
	if window := b.page.desk.Window(); window != nil && window.Canvas().Focused() == b.entry {
		page.Focus(b.page.desk, b.page.table)
	}
}

func (b *fetchBar) submit() {
	images := pasted(b.entry.Text)
	if len(images) == 0 {
		return
	}
	b.entry.SetText("")
	b.close()
	b.page.fetchAll(images)
}

// pasted are the images in a text: names, or commands that pull them, as they stand in somebody's instructions.
func pasted(text string) (images []imagelist.Image) {
	platform, next := "", false // next: a platform comes
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n,;，；", r) }) {
		value, given := strings.CutPrefix(word, "--platform=")
		switch {
		case next:
			platform, next = word, false
		case word == "--platform":
			next = true
		case given:
			platform = value
		case strings.HasPrefix(word, "-"):
		case word == "pull":
			platform = ""
			for len(images) > 0 && slices.Contains(pullers, images[len(images)-1].Name) {
				images = images[:len(images)-1]
			}
		default:
			images = append(images, imagelist.Image{Name: word, Platform: platform})
		}
	}
	return images
}

// pullers are the words before "pull" in a command.
var pullers = []string{"$", "#", "sudo", "docker", "podman", "nerdctl", "crictl", "image"}

// escEntry is a field that Esc leaves.
type escEntry struct {
	part.Entry
	escaped func()
}

func newEscEntry() *escEntry {
	e := &escEntry{}
	e.ExtendBaseWidget(e)
	return e
}

// TypedKey leaves it on Esc.
func (e *escEntry) TypedKey(key *fyne.KeyEvent) {
	if key.Name == fyne.KeyEscape {
		e.escaped()
		return
	}
	e.Entry.TypedKey(key)
}

// fetchAll fetches images, a job for each; what is under way already is not begun again.
func (p *Page) fetchAll(images []imagelist.Image) {
	for _, i := range images {
		j := model.NewJob(model.Fetching, model.FullRef(i.Name), "", -1)
		if i.Platform != "" {
			j.Platforms = []string{i.Platform}
		}
		p.jobs.Add(j)
	}
	p.startJobs()
	p.work.show()
}

func (p *Page) retry(j *model.Job) {
	again := model.NewJob(j.Kind, j.Name, j.File, -1)
	again.Platforms = j.Platforms
	p.jobs.Add(again)
	p.startJobs()
	p.work.show()
}

// startJobs has those run that wait, as far as there is room.
func (p *Page) startJobs() {
	for j := p.jobs.Next(); j != nil; j = p.jobs.Next() {
		p.run(j, pulling(j), p.fetched)
	}
}

// jobWork is what a job does, with a daemon, beside the UI goroutine.
type jobWork func(d page.Daemon) func(ctx context.Context, moved func()) error

func pulling(j *model.Job) jobWork {
	return func(d page.Daemon) func(ctx context.Context, moved func()) error {
		return func(ctx context.Context, moved func()) error {
			credentials, _ := login.For(ctx, []string{j.Name})
			pulled, err := d.Pull(ctx, control.Pull{Images: []control.PullImage{{Image: j.Name, Platforms: j.Platforms}}, Credentials: credentials}, func(p control.Pulling) {
				j.Pulling(p)
				moved()
			})
			j.Pulled(pulled, err)
			return err
		}
	}
}

// fetched says that all is there, once it is.
func (p *Page) fetched(model.JobView) {
	var here []string
	for _, j := range p.jobs.All() {
		switch v := j.View(); {
		case v.Phase <= model.Working:
			return
		case v.Phase == model.Finished && j.Kind == model.Fetching:
			here = append(here, j.Name)
		}
	}
	if len(here) > 0 {
		p.desk.Toast(page.Toast{Text: lang.Say("images.fetched", "Count", len(here), "Image", model.FamiliarRef(here[0]))})
	}
}

// Drop takes files that were dropped on the window, on whichever page: a tar is imported, what else names images has them
// fetched.
func (p *Page) Drop(paths []string) {
	var lists []string
	for _, path := range paths {
		if isTar(path) {
			p.importTar(path)
		} else {
			lists = append(lists, path)
		}
	}
	if len(lists) > 0 {
		p.read(lists)
	}
	p.desk.Visit(page.ImagesPage, "")
}

func isTar(path string) bool {
	name := strings.ToLower(filepath.Base(path))
	return slices.ContainsFunc(tars, func(extension string) bool { return strings.HasSuffix(name, "."+extension) })
}

// tars are how files are called that can be imported.
var tars = []string{"tar", "tar.gz", "tgz", "tar.zst"}

// read asks what files name, and fetches that.
func (p *Page) read(paths []string) {
	p.desk.Work(func(ctx context.Context) func() {
		var images []imagelist.Image
		var failed []string
		for _, path := range paths {
			found, err := imagelist.At(ctx, path)
			images = append(images, found...)
			if err != nil {
				failed = append(failed, words.Reason(err))
			}
		}
		return func() { p.named(paths, images, failed) } //nolint:contextcheck // what is begun then has a life of its own
	})
}

func (p *Page) named(paths []string, images []imagelist.Image, failed []string) {
	file := filepath.Base(paths[0])
	switch {
	case len(failed) > 0:
		p.desk.Toast(page.Toast{Bad: true, Text: lang.Say("images.read.failed", "Reason", words.Short(strings.Join(failed, "; "), 300))})
	case len(images) == 0:
		p.desk.Toast(page.Toast{Bad: true, Text: lang.Say("images.read.none", "File", file)})
	}
	if len(images) > 0 {
		p.desk.Toast(page.Toast{Text: lang.Say("images.read.found", "Count", len(images), "File", file)})
		p.fetchAll(images)
	}
}
