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

	"pulley/internal/control"
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

// Live is a page in a window whose work runs beside it, as it does in the app. What comes of it is shown by Until.
type Live struct {
	*Person
	Daemon *Cache // nil: none runs
	Then   chan func()
	View   model.View
	Page   page.Page
}

// NewLive puts a page into a window of this size.
func NewLive(t testing.TB, size fyne.Size, build func(page.Desk) page.Page) *Live {
	t.Helper()
	r := &Live{Person: Sit(t, size, theme.Light), Then: make(chan func())}
	r.Picked = t.TempDir() + "/out.tar"
	r.Daemon = &Cache{Held: SomeImages(), Past: SomeEvents(), News: make(chan control.Event)}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	desk := r.Desk()
	desk.Daemon = func() page.Daemon {
		if r.Daemon == nil {
			return nil
		}
		return r.Daemon
	}
	desk.Work = func(work func(context.Context) func()) {
		running.Go(func() {
			if then := work(ctx); then != nil {
				select {
				case r.Then <- then:
				case <-ctx.Done():
				}
			}
		})
	}
	r.Page = build(desk)
	r.Face(r.Page.Root())
	r.View = model.View{Phase: model.Running, State: CacheState()}
	r.Page.Show(r.View, r.Now)
	return r
}

// Enter brings the page to the front.
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

// Table is the page's.
func (r *Live) Table() (table *part.Table) {
	Everything(r.Window.Canvas().Content(), func(o fyne.CanvasObject) {
		if t, ok := o.(*part.Table); ok {
			table = t
		}
	})
	return table
}

// Key types a key into the table.
func (r *Live) Key(name fyne.KeyName) { r.Table().TypedKey(&fyne.KeyEvent{Name: name}) }

// LastToast is the one shown last.
func (r *Live) LastToast() page.Toast {
	r.T.Helper()
	if len(r.Toasts) == 0 {
		r.T.Fatal("there is no toast")
	}
	return r.Toasts[len(r.Toasts)-1]
}

// Search types into the search field.
func (r *Live) Search(text string) {
	Everything(r.Window.Canvas().Content(), func(o fyne.CanvasObject) {
		if s, ok := o.(*part.Search); ok {
			s.SetText(text)
		}
	})
}
