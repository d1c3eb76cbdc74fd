package images_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"pulley/internal/control"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/page/images"
	"pulley/ui/page/pagetest"
	"pulley/ui/part"
)

func imagesPage(t *testing.T) *pagetest.Live {
	t.Helper()
	r := pagetest.NewLive(t, pagetest.Usual, func(d page.Desk) page.Page { return images.New(d) })
	r.Enter()
	r.Says("golang:1.26")
	return r
}

func TestImagesAreShownAsDockerSaysThem(t *testing.T) {
	r := imagesPage(t)
	for _, text := range []string{"debian:12, bookworm", "postgres:16, 16.4, latest, +1", "local/shop/backend:dev", "1,020 MiB", "incomplete", "4.2 GiB of 8.0 GiB used", "Pinned 543 MiB"} {
		r.Says(text)
	}
	r.Search("prometheus")
	if !r.Reads("1 of 14") || !r.Reads("quay.io/prometheus/prometheus:v3.1.0") || r.Reads("golang") {
		t.Errorf("after a search: %q", r.Texts())
	}
	r.Search("no such image")
	r.Says("Nothing matches")
}

// An image that is on its way says so, and how far it is; another one of its repository that was left half done does not.
func TestImagesThatAreBeingFetched(t *testing.T) {
	r := imagesPage(t)
	left := r.Daemon.Held[8] // redis:7.4
	left.Tags, left.Tag, left.Digest, left.Used = []string{"8"}, "8", pagetest.Digest(77), r.Now
	r.Daemon.Held = append(r.Daemon.Held, left)
	state := r.View.State
	state.Cache.Images++
	state.Active = []control.Transfer{{Registry: "docker.io", Repository: "library/redis", Digest: pagetest.Digest(78), Have: 12 << 20, Total: 36 << 20}}
	r.Now = r.Now.Add(time.Minute)
	r.Page.Show(model.View{Phase: model.Running, State: state}, r.Now)
	r.Says("redis:8")
	r.Search("redis")
	if said := r.Texts(); !slices.Contains(said, "fetching 50%") || !slices.Contains(said, "incomplete") {
		t.Errorf("it says %q", said)
	}
	state.Active = []control.Transfer{{Registry: "docker.io", Repository: "library/redis", Total: -1}}
	r.Page.Show(model.View{Phase: model.Running, State: state}, r.Now)
	if said := r.Texts(); !slices.Contains(said, "fetching") {
		t.Errorf("with a size that is not known it says %q", said)
	}
	state.Active = nil
	r.Page.Show(model.View{Phase: model.Running, State: state}, r.Now)
	r.Refuse("fetching")
}

func TestRemovingAnImageCanBeUndone(t *testing.T) {
	r := imagesPage(t)
	r.Search("debian")
	r.Key(fyne.KeyDown)
	r.Key(fyne.KeyDelete)
	if r.Reads("debian:12") {
		t.Error("the row does not vanish at once")
	}
	toast := r.LastToast()
	if toast.Text != "Removed debian:12 (48 MiB)" {
		t.Errorf("toast %q", toast.Text)
	}
	if r.Daemon.Asked() != "" {
		t.Errorf("it was done before it could be undone: %s", r.Daemon.Asked())
	}
	toast.Undo()
	if !r.Reads("debian:12") {
		t.Error("Undo does not bring it back")
	}
}

// Who walks by Tab comes from the list to what can be done with its rows, and is in the list again when that has gone.
func TestKeyboardIsNeverLost(t *testing.T) {
	r := imagesPage(t)
	r.Search("debian")
	r.Key(fyne.KeyDown)
	canvas := r.Window.Canvas()
	canvas.Focus(r.Table())
	canvas.FocusNext() // to the titles of its columns
	canvas.FocusNext()
	first, ok := canvas.Focused().(*part.Button)
	if !ok || first.Text != "Details" {
		t.Fatalf("after the list comes %T", canvas.Focused())
	}
	remove := r.Button("Remove")
	if got := remove.AccessibilityLabel(); got != "Remove · debian:12 · 48 MiB" {
		t.Errorf("the button is called %q", got)
	}
	canvas.Focus(remove)
	remove.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	if canvas.Focused() != fyne.Focusable(r.Table()) {
		t.Errorf("the keyboard is at %T", canvas.Focused())
	}

	r.Search("postgres") // and in what is said of one of them
	r.Key(fyne.KeyDown)
	r.Key(fyne.KeyReturn)
	r.Expect("docker pull postgres:16")
	pressed := canvas.Focused()
	pagetest.Everything(canvas.Content(), func(o fyne.CanvasObject) {
		if b, ok := o.(*part.Button); ok && b.AccessibilityLabel() == "Unpin · postgres:16" {
			canvas.Focus(b)
			pressed = b
			b.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
		}
	})
	if b, ok := canvas.Focused().(*part.Button); !ok || b.AccessibilityLabel() != "Pin · postgres:16" || pressed == fyne.Focusable(b) {
		t.Errorf("after unpinning the keyboard is at %T", canvas.Focused())
	}
	r.Page.(page.Layered).Escape()
	if canvas.Focused() != fyne.Focusable(r.Table()) {
		t.Errorf("after closing the keyboard is at %T", canvas.Focused())
	}
}

func TestRemovedImageIsRemovedWhenTheToastIsGone(t *testing.T) {
	r := imagesPage(t)
	r.Search("debian")
	r.Key(fyne.KeyDown)
	r.Tap("Remove")
	r.LastToast().Done()
	r.Until("the daemon was asked", func() bool { return strings.HasPrefix(r.Daemon.Asked(), "remove docker.io/library/debian@sha256:") })
	r.Now = r.Now.Add(time.Minute)
	r.Page.Show(r.View, r.Now)
	r.Search("")
	r.Says("13")
	if r.Reads("debian:12") {
		t.Error("it is back")
	}
}

func TestRefusedRemovalBringsTheImageBack(t *testing.T) {
	r := imagesPage(t)
	r.Daemon.Refuse = errors.New("the disk is read-only")
	r.Search("debian")
	r.Key(fyne.KeyDown)
	r.Key(fyne.KeyDelete)
	r.LastToast().Done()
	r.Until("the reason is said", func() bool { return r.LastToast().Bad })
	if got := r.LastToast().Text; got != "debian:12 is still here: the disk is read-only" {
		t.Errorf("toast %q", got)
	}
	if !r.Reads("debian:12") {
		t.Error("it does not come back")
	}
}

func TestRemovalWithoutADaemon(t *testing.T) {
	r := imagesPage(t)
	r.Search("debian")
	r.Key(fyne.KeyDown)
	r.Key(fyne.KeyDelete)
	r.Daemon = nil
	r.LastToast().Done()
	if !r.LastToast().Bad || !r.Reads("debian:12") {
		t.Errorf("toast %+v", r.LastToast())
	}
}

func TestPinning(t *testing.T) {
	r := imagesPage(t)
	r.Search("debian")
	r.Key(fyne.KeyDown)
	r.Tap("Pin")
	r.Until("all its tags are pinned", func() bool {
		return r.Daemon.Asked() == "pin docker.io/library/debian:12\npin docker.io/library/debian:bookworm"
	})
	r.Says("Unpin")
	undo := r.LastToast().Undo
	undo()
	r.Until("it is let go by its digest, under all of them", func() bool { return strings.Contains(r.Daemon.Asked(), "unpin docker.io/library/debian@sha256:") })
	r.Until("it is shown so", func() bool { return r.Reads("Pin") && !r.Reads("Unpin") })
}

func TestRefusedPinFallsBack(t *testing.T) {
	r := imagesPage(t)
	r.Daemon.Refuse = errors.New("no room")
	r.Search("debian")
	r.Key(fyne.KeyDown)
	r.Tap("Pin")
	if !r.Reads("Unpin") {
		t.Error("it waits for the daemon")
	}
	r.Until("the reason is said", func() bool { return r.LastToast().Bad })
	if r.Reads("Unpin") || r.LastToast().Text != "debian:12 is not pinned: no room" {
		t.Errorf("toast %q", r.LastToast().Text)
	}
}

func TestDetails(t *testing.T) {
	r := imagesPage(t)
	r.Search("debian")
	r.Key(fyne.KeyDown)
	r.Key(fyne.KeyReturn)
	for _, text := range []string{"docker pull debian:12", "docker.io/library/debian:12", "12, bookworm", "daocloud", "40 MiB", "linux/arm/v7", "not here"} {
		r.Says(text)
	}
	if !r.Page.(page.Layered).Escape() || r.Reads("docker pull") {
		t.Error("Escape does not close it")
	}
	if r.Page.(page.Layered).Escape() {
		t.Error("Escape closes what is not open")
	}
	r.Page.(page.Taker).Take("quay.io/prometheus/prometheus:v3.1.0")
	r.Says("docker pull quay.io/prometheus/prometheus:v3.1.0")
	r.Page.(page.Taker).Take("docker.io/library/nothing:1")
	r.Says("Nothing matches")
}

func TestImageThatIsAskedForBeforeTheListIsThere(t *testing.T) {
	r := pagetest.NewLive(t, pagetest.Usual, func(d page.Desk) page.Page { return images.New(d) })
	r.Enter()
	r.Page.(page.Taker).Take("quay.io/prometheus/prometheus:v3.1.0")
	r.Says("docker pull quay.io/prometheus/prometheus:v3.1.0")
}

func TestOwnImagesArePulledFromHere(t *testing.T) {
	r := imagesPage(t)
	r.Page.(page.Taker).Take("local/shop/backend:dev")
	r.Says("docker pull 127.0.0.1:5055/local/shop/backend:dev")
	r.Tap("Remove")
	if !strings.Contains(r.LastToast().Text, "kept nowhere else") {
		t.Errorf("toast %q", r.LastToast().Text)
	}
}

func TestFreeingSpace(t *testing.T) {
	r := imagesPage(t)
	r.Tap("Free space…")
	slider := (*part.Slider)(nil)
	for _, o := range r.Window.Canvas().Overlays().List() {
		pagetest.Everything(o, func(o fyne.CanvasObject) {
			if s, ok := o.(*part.Slider); ok {
				slider = s
			}
		})
	}
	slider.SetValue(0)
	slider.TypedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
	r.Tap("Free 33 MiB")
	toast := r.LastToast()
	if toast.Text != "Freeing 33 MiB" || toast.Undo == nil || r.Daemon.Asked() != "" {
		t.Fatalf("toast %+v, asked for %q", toast, r.Daemon.Asked())
	}
	toast.Done()
	r.Until("it is said what went", func() bool { return strings.HasPrefix(r.LastToast().Text, "Freed 33 MiB: old:1") })
}

func TestNoDaemonNoImages(t *testing.T) {
	r := pagetest.NewLive(t, pagetest.Usual, func(d page.Desk) page.Page { return images.New(d) })
	r.Daemon = nil
	r.Enter()
	r.Page.Show(model.View{Phase: model.Down}, r.Now)
	r.Says("Pulley is not running")
}

func TestCacheThatCannotBeUsed(t *testing.T) {
	r := imagesPage(t)
	r.View.State.Cache = control.Cache{}
	r.Page.Show(r.View, r.Now)
	if r.Reads("Free space") {
		t.Error("there is room to free")
	}
}

func TestListIsAskedForWhenTheCacheChanged(t *testing.T) {
	r := imagesPage(t)
	r.Daemon.Mu.Lock()
	r.Daemon.Held = r.Daemon.Held[:1]
	r.Daemon.Mu.Unlock()
	r.Now = r.Now.Add(5 * time.Second)
	r.Page.Show(r.View, r.Now)
	if !r.Reads("golang") {
		t.Fatal("it is asked for although nothing changed")
	}
	r.View.State.Cache.Images = 1
	r.Page.Show(r.View, r.Now)
	r.Until("the page has what is there now", func() bool { return !r.Reads("golang") })
}

func TestSeekAndMenu(t *testing.T) {
	r := imagesPage(t)
	r.Page.(page.Seeker).Seek()
	if _, ok := r.Window.Canvas().Focused().(*part.Search); !ok {
		t.Error("the search field has no focus")
	}
	r.Search("debian")
	r.Key(fyne.KeyDown)
	r.Table().TypedShortcut(&fyne.ShortcutCopy{})
	if got := fyne.CurrentApp().Clipboard().Content(); got != "docker.io/library/debian:12" {
		t.Errorf("copied %q", got)
	}
	r.Key(desktop.KeyMenu)
	if len(r.Window.Canvas().Overlays().List()) == 0 {
		t.Fatal("there is no menu")
	}
	for _, o := range r.Window.Canvas().Overlays().List() {
		pagetest.Everything(o, func(o fyne.CanvasObject) {
			if menu, ok := o.(*widget.PopUpMenu); ok {
				test.Tap(menu.Items[2].(fyne.Tappable))
			}
		})
	}
	if r.Copied != "docker pull debian:12" {
		t.Errorf("the menu copied %q", r.Copied)
	}
}

// BenchmarkImagesPage is what 10,000 images cost the UI goroutine: a letter typed into the search field, all rows
// selected, a frame of scrolling.
func BenchmarkImagesPage(b *testing.B) {
	const many = 10_000
	r := pagetest.NewLive(b, pagetest.Usual, func(d page.Desk) page.Page { return images.New(d) })
	sample := pagetest.SomeImages()
	r.Daemon.Held = nil
	for n := range many {
		i := sample[n%len(sample)]
		i.Repository, i.Digest = fmt.Sprintf("%s-%d", i.Repository, n), pagetest.Digest(n)
		r.Daemon.Held = append(r.Daemon.Held, i)
	}
	r.Enter()
	r.Says("10,000")
	table := r.Table()
	b.Run("search", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			r.Search(fmt.Sprint("deb", n%10))
		}
	})
	r.Search("")
	b.Run("select-all", func(b *testing.B) {
		for b.Loop() {
			table.TypedShortcut(&fyne.ShortcutSelectAll{})
			table.Select()
			table.Refresh()
		}
	})
	b.Run("scroll", func(b *testing.B) {
		for row := 0; b.Loop(); row = (row + 977) % many {
			table.ScrollTo(row)
			r.Window.Canvas().Refresh(table)
		}
	})
}
