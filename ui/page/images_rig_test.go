package page_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// cacheDaemon is a daemon with images and requests. What it is asked is in did.
type cacheDaemon struct {
	page.Daemon

	mu     sync.Mutex
	images []control.Image
	events []control.Event
	did    []string
	refuse error

	news   chan control.Event
	pull   func(ctx context.Context, p control.Pull, progress func(control.Pulling)) (control.Pulled, error)
	tar    string
	broken error // of the tar, at its end
}

func (d *cacheDaemon) note(what string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.did = append(d.did, what)
	return d.refuse
}

func (d *cacheDaemon) asked() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.did, "\n")
}

func (d *cacheDaemon) Images(context.Context) ([]control.Image, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]control.Image(nil), d.images...), nil
}

func (d *cacheDaemon) RemoveImage(_ context.Context, image string) (control.Freed, error) {
	if err := d.note("remove " + image); err != nil {
		return control.Freed{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for n, i := range d.images {
		if i.Registry+"/"+i.Repository+"@"+i.Digest == image {
			d.images = append(d.images[:n:n], d.images[n+1:]...)
			break
		}
	}
	return control.Freed{}, nil
}

func (d *cacheDaemon) PinImage(_ context.Context, image string, on bool) (control.Image, error) {
	what := "unpin "
	if on {
		what = "pin "
	}
	if err := d.note(what + image); err != nil {
		return control.Image{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	name, _, _ := strings.Cut(strings.TrimSuffix(image, ":12"), "@")
	for n := range d.images {
		if i := &d.images[n]; i.Registry+"/"+i.Repository == name {
			i.Pinned = on
		}
	}
	return control.Image{}, nil
}

func (d *cacheDaemon) GC(_ context.Context, g control.GC) (control.Freed, error) {
	return control.Freed{Bytes: g.Free, Images: []string{"docker.io/library/old:1"}}, d.note("gc")
}

func (d *cacheDaemon) Pull(ctx context.Context, p control.Pull, progress func(control.Pulling)) (control.Pulled, error) {
	if err := d.note("pull " + p.Images[0].Image); err != nil {
		return control.Pulled{}, err
	}
	return d.pull(ctx, p, progress)
}

func (d *cacheDaemon) Export(_ context.Context, e control.Export, w io.Writer) error {
	_, _ = io.WriteString(w, d.tar)
	return errors.Join(d.note("export "+strings.Join(e.Images, " ")), d.broken)
}

func (d *cacheDaemon) Import(_ context.Context, tar io.Reader, progress func(control.Importing)) (control.Imported, error) {
	b, err := io.ReadAll(tar)
	progress(control.Importing{Bytes: int64(len(b)), Blobs: 1})
	return control.Imported{Images: []string{"docker.io/library/debian:12"}, Bytes: int64(len(b))}, errors.Join(err, d.note("import "+string(b)))
}

func (d *cacheDaemon) Events(context.Context, int) ([]control.Event, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.events, nil
}

func (d *cacheDaemon) Watch(ctx context.Context, _ bool, f func(control.Message)) error {
	f(control.Message{State: &control.State{}})
	for {
		select {
		case e := <-d.news:
			f(control.Message{Event: &e})
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// cacheRig is a page in a window, with all that it works with.
type cacheRig struct {
	t      testing.TB
	daemon *cacheDaemon
	then   chan func()
	window fyne.Window
	toasts []page.Toast
	copied string
	save   string
	now    time.Time
	view   model.View
	page   page.Page
}

var cacheNoon = time.Date(2026, 3, 4, 12, 5, 0, 0, time.UTC)

// newCacheRig puts a page into a window of this size. What the page has run beside it is shown by settle.
func newCacheRig(t testing.TB, size fyne.Size, build func(page.Desk) page.Page) *cacheRig {
	t.Helper()
	app := test.NewApp()
	t.Cleanup(app.Quit)
	app.Settings().SetTheme(theme.New(theme.Light))
	r := &cacheRig{t: t, then: make(chan func()), now: cacheNoon, save: t.TempDir() + "/out.tar"}
	r.daemon = &cacheDaemon{images: someImages(), events: someEvents(), news: make(chan control.Event)}
	r.window = test.NewWindow(nil)
	t.Cleanup(r.window.Close)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	r.page = build(page.Desk{
		Daemon: func() page.Daemon {
			if r.daemon == nil {
				return nil
			}
			return r.daemon
		},
		Work: func(work func(context.Context) func()) {
			running.Go(func() {
				if then := work(ctx); then != nil {
					select {
					case r.then <- then:
					case <-ctx.Done():
					}
				}
			})
		},
		Copy: func(text string) { r.copied = text }, Toast: func(toast page.Toast) { r.toasts = append(r.toasts, toast) },
		Visit: func(page.Name, string) {}, Files: r, Window: func() fyne.Window { return r.window }, Now: func() time.Time { return r.now },
	})
	r.window.SetPadded(false)
	r.window.SetContent(r.page.Root())
	r.window.Resize(size)
	r.view = model.View{Phase: model.Running, State: cacheState()}
	r.page.Show(r.view, r.now)
	return r
}

func (r *cacheRig) Folder(string, func(string))                  {}
func (r *cacheRig) Save(_, _ string, then func(string))          { then(r.save) }
func (r *cacheRig) Open(_ string, _ []string, then func(string)) { then(r.save) }

func (r *cacheRig) enter() *cacheRig {
	r.page.(page.Guest).Enter()
	return r
}

// until shows what comes from beside until something is so.
func (r *cacheRig) until(what string, so func() bool) {
	r.t.Helper()
	deadline := time.After(10 * time.Second)
	for !so() {
		select {
		case then := <-r.then:
			then()
		case <-deadline:
			r.t.Fatalf("it is not so that %s; to be read: %s", what, strings.Join(r.texts(), " | "))
		}
	}
}

// says waits until the page says something.
func (r *cacheRig) says(text string) {
	r.t.Helper()
	r.until("the page says "+text, func() bool { return r.reads(text) })
}

func (r *cacheRig) reads(text string) bool {
	for _, said := range r.texts() {
		if strings.Contains(said, text) {
			return true
		}
	}
	return false
}

// texts are all that can be read in the window.
func (r *cacheRig) texts() (texts []string) {
	everything(r.window.Canvas().Content(), func(o fyne.CanvasObject) {
		switch o := o.(type) {
		case *part.Text:
			texts = append(texts, o.Words())
		case *widget.Label:
			texts = append(texts, o.Text)
		case *part.Button:
			texts = append(texts, o.Text)
		case *part.Table:
			texts = append(texts, o.AccessibilityLabel())
		case interface{ AccessibilityLabel() string }:
			texts = append(texts, o.AccessibilityLabel())
		}
	})
	return texts
}

// everything visits all that is visible.
func everything(o fyne.CanvasObject, f func(fyne.CanvasObject)) {
	if o == nil || !o.Visible() {
		return
	}
	f(o)
	switch o := o.(type) {
	case *fyne.Container:
		for _, child := range o.Objects {
			everything(child, f)
		}
	case fyne.Widget:
		for _, child := range test.WidgetRenderer(o).Objects() {
			everything(child, f)
		}
	}
}

// tap presses the button with a text.
func (r *cacheRig) tap(text string) {
	r.t.Helper()
	var found fyne.Tappable
	visit := func(o fyne.CanvasObject) {
		switch o := o.(type) {
		case *part.Button:
			if o.Text == text {
				found = o
			}
		case *part.Link:
			if o.Words() == text {
				found = o
			}
		case *part.IconButton:
			if o.Tip() == text {
				found = o
			}
		}
	}
	everything(r.window.Canvas().Content(), visit)
	for _, o := range r.window.Canvas().Overlays().List() {
		everything(o, visit)
	}
	if found == nil {
		r.t.Fatalf("there is no button %q; to be read: %s", text, strings.Join(r.texts(), " | "))
	}
	test.Tap(found)
}

// table is the page's.
func (r *cacheRig) table() (table *part.Table) {
	everything(r.window.Canvas().Content(), func(o fyne.CanvasObject) {
		if t, ok := o.(*part.Table); ok {
			table = t
		}
	})
	return table
}

func (r *cacheRig) key(name fyne.KeyName) { r.table().TypedKey(&fyne.KeyEvent{Name: name}) }

// lastToast is the one shown last.
func (r *cacheRig) lastToast() page.Toast {
	r.t.Helper()
	if len(r.toasts) == 0 {
		r.t.Fatal("there is no toast")
	}
	return r.toasts[len(r.toasts)-1]
}

func speak(t *testing.T, language string) {
	t.Helper()
	lang.Use(language)
	t.Cleanup(func() { lang.Use("en") })
}
