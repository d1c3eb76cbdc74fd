package pagetest

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

// Cache is a daemon with images and requests. What it is asked is in did.
type Cache struct {
	page.Daemon

	Mu     sync.Mutex
	Held   []control.Image
	Past   []control.Event
	did    []string
	Refuse error

	News   chan control.Event
	OnPull func(ctx context.Context, p control.Pull, progress func(control.Pulling)) (control.Pulled, error)
	Tar    string
	Broken error // of the tar, at its end
}

func (d *Cache) note(what string) error {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	d.did = append(d.did, what)
	return d.Refuse
}

func (d *Cache) Asked() string {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	return strings.Join(d.did, "\n")
}

func (d *Cache) Images(context.Context) ([]control.Image, error) {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	return append([]control.Image(nil), d.Held...), nil
}

func (d *Cache) RemoveImage(_ context.Context, image string) (control.Freed, error) {
	if err := d.note("remove " + image); err != nil {
		return control.Freed{}, err
	}
	d.Mu.Lock()
	defer d.Mu.Unlock()
	for n, i := range d.Held {
		if i.Registry+"/"+i.Repository+"@"+i.Digest == image {
			d.Held = append(d.Held[:n:n], d.Held[n+1:]...)
			break
		}
	}
	return control.Freed{}, nil
}

func (d *Cache) PinImage(_ context.Context, image string, on bool) (control.Image, error) {
	what := "unpin "
	if on {
		what = "pin "
	}
	if err := d.note(what + image); err != nil {
		return control.Image{}, err
	}
	d.Mu.Lock()
	defer d.Mu.Unlock()
	name, _, _ := strings.Cut(strings.TrimSuffix(image, ":12"), "@")
	for n := range d.Held {
		if i := &d.Held[n]; i.Registry+"/"+i.Repository == name {
			i.Pinned = on
		}
	}
	return control.Image{}, nil
}

func (d *Cache) GC(_ context.Context, g control.GC) (control.Freed, error) {
	return control.Freed{Bytes: g.Free, Images: []string{"docker.io/library/old:1"}}, d.note("gc")
}

func (d *Cache) Pull(ctx context.Context, p control.Pull, progress func(control.Pulling)) (control.Pulled, error) {
	if err := d.note("pull " + p.Images[0].Image); err != nil {
		return control.Pulled{}, err
	}
	return d.OnPull(ctx, p, progress)
}

func (d *Cache) Export(_ context.Context, e control.Export, w io.Writer) error {
	_, _ = io.WriteString(w, d.Tar)
	return errors.Join(d.note("export "+strings.Join(e.Images, " ")), d.Broken)
}

func (d *Cache) Import(_ context.Context, tar io.Reader, progress func(control.Importing)) (control.Imported, error) {
	b, err := io.ReadAll(tar)
	progress(control.Importing{Bytes: int64(len(b)), Blobs: 1})
	return control.Imported{Images: []string{"docker.io/library/debian:12"}, Bytes: int64(len(b))}, errors.Join(err, d.note("import "+string(b)))
}

func (d *Cache) Events(context.Context, int) ([]control.Event, error) {
	d.Mu.Lock()
	defer d.Mu.Unlock()
	return d.Past, nil
}

func (d *Cache) Watch(ctx context.Context, _ bool, f func(control.Message)) error {
	f(control.Message{State: &control.State{}})
	for {
		select {
		case e := <-d.News:
			f(control.Message{Event: &e})
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Live is a page in a window, with all that it works with.
type Live struct {
	T      testing.TB
	Daemon *Cache
	Then   chan func()
	Window fyne.Window
	Toasts []page.Toast
	Copied string
	Path   string
	Now    time.Time
	View   model.View
	Page   page.Page
}

var cacheNoon = time.Date(2026, 3, 4, 12, 5, 0, 0, time.UTC)

// NewLive puts a page into a window of this size. What the page has run beside it is shown by settle.
func NewLive(t testing.TB, size fyne.Size, build func(page.Desk) page.Page) *Live {
	t.Helper()
	app := test.NewApp()
	t.Cleanup(app.Quit)
	app.Settings().SetTheme(theme.New(theme.Light))
	r := &Live{T: t, Then: make(chan func()), Now: cacheNoon, Path: t.TempDir() + "/out.tar"}
	r.Daemon = &Cache{Held: SomeImages(), Past: SomeEvents(), News: make(chan control.Event)}
	r.Window = test.NewWindow(nil)
	t.Cleanup(r.Window.Close)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	r.Page = build(page.Desk{
		Daemon: func() page.Daemon {
			if r.Daemon == nil {
				return nil
			}
			return r.Daemon
		},
		Work: func(work func(context.Context) func()) {
			running.Go(func() {
				if then := work(ctx); then != nil {
					select {
					case r.Then <- then:
					case <-ctx.Done():
					}
				}
			})
		},
		Copy: func(text string) { r.Copied = text }, Toast: func(toast page.Toast) { r.Toasts = append(r.Toasts, toast) },
		Visit: func(page.Name, string) {}, Files: r, Window: func() fyne.Window { return r.Window }, Now: func() time.Time { return r.Now },
	})
	r.Window.SetPadded(false)
	r.Window.SetContent(r.Page.Root())
	r.Window.Resize(size)
	r.View = model.View{Phase: model.Running, State: CacheState()}
	r.Page.Show(r.View, r.Now)
	return r
}

func (r *Live) Folder(string, func(string))                  {}
func (r *Live) Save(_, _ string, then func(string))          { then(r.Path) }
func (r *Live) Open(_ string, _ []string, then func(string)) { then(r.Path) }

func (r *Live) Enter() *Live {
	r.Page.(page.Guest).Enter()
	return r
}

// Until shows what comes from beside until something is so.
func (r *Live) Until(what string, so func() bool) {
	r.T.Helper()
	deadline := time.After(10 * time.Second)
	for !so() {
		select {
		case then := <-r.Then:
			then()
		case <-deadline:
			r.T.Fatalf("it is not so that %s; to be read: %s", what, strings.Join(r.Texts(), " | "))
		}
	}
}

// Says waits until the page says something.
func (r *Live) Says(text string) {
	r.T.Helper()
	r.Until("the page says "+text, func() bool { return r.Reads(text) })
}

func (r *Live) Reads(text string) bool {
	for _, said := range r.Texts() {
		if strings.Contains(said, text) {
			return true
		}
	}
	return false
}

// Texts are all that can be read in the window.
func (r *Live) Texts() (texts []string) {
	Everything(r.Window.Canvas().Content(), func(o fyne.CanvasObject) {
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

// Everything visits all that is visible.
func Everything(o fyne.CanvasObject, f func(fyne.CanvasObject)) {
	if o == nil || !o.Visible() {
		return
	}
	f(o)
	switch o := o.(type) {
	case *fyne.Container:
		for _, child := range o.Objects {
			Everything(child, f)
		}
	case fyne.Widget:
		for _, child := range test.WidgetRenderer(o).Objects() {
			Everything(child, f)
		}
	}
}

// Tap presses the button with a text.
func (r *Live) Tap(text string) {
	r.T.Helper()
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
	Everything(r.Window.Canvas().Content(), visit)
	for _, o := range r.Window.Canvas().Overlays().List() {
		Everything(o, visit)
	}
	if found == nil {
		r.T.Fatalf("there is no button %q; to be read: %s", text, strings.Join(r.Texts(), " | "))
	}
	test.Tap(found)
}

// Table is the page's.
func (r *Live) Table() (table *part.Table) {
	Everything(r.Window.Canvas().Content(), func(o fyne.CanvasObject) {
		if t, ok := o.(*part.Table); ok {
			table = t
		}
	})
	return table
}

func (r *Live) Key(name fyne.KeyName) { r.Table().TypedKey(&fyne.KeyEvent{Name: name}) }

// LastToast is the one shown last.
func (r *Live) LastToast() page.Toast {
	r.T.Helper()
	if len(r.Toasts) == 0 {
		r.T.Fatal("there is no toast")
	}
	return r.Toasts[len(r.Toasts)-1]
}

func Speak(t *testing.T, language string) {
	t.Helper()
	lang.Use(language)
	t.Cleanup(func() { lang.Use("en") })
}

var Usual = fyne.NewSize(900, 690)

func (r *Live) Search(text string) {
	Everything(r.Window.Canvas().Content(), func(o fyne.CanvasObject) {
		if s, ok := o.(*part.Search); ok {
			s.SetText(text)
		}
	})
}
