package page_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	"pulley/ui/part"
)

var usualSize = fyne.NewSize(900, 690)

func imagesPage(t *testing.T) *cacheRig {
	t.Helper()
	r := newCacheRig(t, usualSize, func(d page.Desk) page.Page { return page.NewImages(d) })
	r.enter()
	r.says("golang:1.26")
	return r
}

func (r *cacheRig) search(text string) {
	everything(r.window.Canvas().Content(), func(o fyne.CanvasObject) {
		if s, ok := o.(*part.Search); ok {
			s.SetText(text)
		}
	})
}

func TestImagesAreShownAsDockerSaysThem(t *testing.T) {
	r := imagesPage(t)
	for _, text := range []string{"debian:12, bookworm", "postgres:16, 16.4, latest, +1", "local/shop/backend:dev", "1,020 MiB", "incomplete", "4.2 GiB of 8.0 GiB used", "Pinned 543 MiB"} {
		r.says(text)
	}
	r.search("prometheus")
	if !r.reads("1 of 14") || !r.reads("quay.io/prometheus/prometheus:v3.1.0") || r.reads("golang") {
		t.Errorf("after a search: %q", r.texts())
	}
	r.search("no such image")
	r.says("Nothing matches")
}

func TestRemovingAnImageCanBeUndone(t *testing.T) {
	r := imagesPage(t)
	r.search("debian")
	r.key(fyne.KeyDown)
	r.key(fyne.KeyDelete)
	if r.reads("debian:12") {
		t.Error("the row does not vanish at once")
	}
	toast := r.lastToast()
	if toast.Text != "Removed debian:12 (48 MiB)" {
		t.Errorf("toast %q", toast.Text)
	}
	if r.daemon.asked() != "" {
		t.Errorf("it was done before it could be undone: %s", r.daemon.asked())
	}
	toast.Undo()
	if !r.reads("debian:12") {
		t.Error("Undo does not bring it back")
	}
}

func TestRemovedImageIsRemovedWhenTheToastIsGone(t *testing.T) {
	r := imagesPage(t)
	r.search("debian")
	r.key(fyne.KeyDown)
	r.tap("Remove")
	r.lastToast().Done()
	r.until("the daemon was asked", func() bool { return strings.HasPrefix(r.daemon.asked(), "remove docker.io/library/debian@sha256:") })
	r.now = r.now.Add(time.Minute)
	r.page.Show(r.view, r.now)
	r.search("")
	r.says("13")
	if r.reads("debian:12") {
		t.Error("it is back")
	}
}

func TestRefusedRemovalBringsTheImageBack(t *testing.T) {
	r := imagesPage(t)
	r.daemon.refuse = errors.New("the disk is read-only")
	r.search("debian")
	r.key(fyne.KeyDown)
	r.key(fyne.KeyDelete)
	r.lastToast().Done()
	r.until("the reason is said", func() bool { return r.lastToast().Bad })
	if got := r.lastToast().Text; got != "debian:12 is still here: the disk is read-only" {
		t.Errorf("toast %q", got)
	}
	if !r.reads("debian:12") {
		t.Error("it does not come back")
	}
}

func TestRemovalWithoutADaemon(t *testing.T) {
	r := imagesPage(t)
	r.search("debian")
	r.key(fyne.KeyDown)
	r.key(fyne.KeyDelete)
	r.daemon = nil
	r.lastToast().Done()
	if !r.lastToast().Bad || !r.reads("debian:12") {
		t.Errorf("toast %+v", r.lastToast())
	}
}

func TestPinning(t *testing.T) {
	r := imagesPage(t)
	r.search("debian")
	r.key(fyne.KeyDown)
	r.tap("Pin")
	r.until("all its tags are pinned", func() bool {
		return r.daemon.asked() == "pin docker.io/library/debian:12\npin docker.io/library/debian:bookworm"
	})
	r.says("Unpin")
	undo := r.lastToast().Undo
	undo()
	r.until("it is let go by its digest, under all of them", func() bool { return strings.Contains(r.daemon.asked(), "unpin docker.io/library/debian@sha256:") })
	r.until("it is shown so", func() bool { return r.reads("Pin") && !r.reads("Unpin") })
}

func TestRefusedPinFallsBack(t *testing.T) {
	r := imagesPage(t)
	r.daemon.refuse = errors.New("no room")
	r.search("debian")
	r.key(fyne.KeyDown)
	r.tap("Pin")
	if !r.reads("Unpin") {
		t.Error("it waits for the daemon")
	}
	r.until("the reason is said", func() bool { return r.lastToast().Bad })
	if r.reads("Unpin") || r.lastToast().Text != "debian:12 is not pinned: no room" {
		t.Errorf("toast %q", r.lastToast().Text)
	}
}

func TestDetails(t *testing.T) {
	r := imagesPage(t)
	r.search("debian")
	r.key(fyne.KeyDown)
	r.key(fyne.KeyReturn)
	for _, text := range []string{"docker pull debian:12", "docker.io/library/debian:12", "12, bookworm", "daocloud", "40 MiB", "linux/arm/v7", "not here"} {
		r.says(text)
	}
	if !r.page.(page.Layered).Escape() || r.reads("docker pull") {
		t.Error("Escape does not close it")
	}
	if r.page.(page.Layered).Escape() {
		t.Error("Escape closes what is not open")
	}
	r.page.(page.Taker).Take("quay.io/prometheus/prometheus:v3.1.0")
	r.says("docker pull quay.io/prometheus/prometheus:v3.1.0")
	r.page.(page.Taker).Take("docker.io/library/nothing:1")
	r.says("Nothing matches")
}

func TestImageThatIsAskedForBeforeTheListIsThere(t *testing.T) {
	r := newCacheRig(t, usualSize, func(d page.Desk) page.Page { return page.NewImages(d) })
	r.enter()
	r.page.(page.Taker).Take("quay.io/prometheus/prometheus:v3.1.0")
	r.says("docker pull quay.io/prometheus/prometheus:v3.1.0")
}

func TestOwnImagesArePulledFromHere(t *testing.T) {
	r := imagesPage(t)
	r.page.(page.Taker).Take("local/shop/backend:dev")
	r.says("docker pull 127.0.0.1:5055/local/shop/backend:dev")
	r.tap("Remove")
	if !strings.Contains(r.lastToast().Text, "kept nowhere else") {
		t.Errorf("toast %q", r.lastToast().Text)
	}
}

func TestFetchingByName(t *testing.T) {
	r := imagesPage(t)
	r.daemon.pull = func(_ context.Context, p control.Pull, progress func(control.Pulling)) (control.Pulled, error) {
		if strings.Contains(p.Images[0].Image, "nope") {
			return control.Pulled{Images: []control.PulledImage{{Error: "nope:latest: manifest unknown"}}}, nil
		}
		progress(control.Pulling{What: "layer", Digest: hex(1), Have: 5 << 20, Size: 5 << 20, Done: true})
		return control.Pulled{Images: []control.PulledImage{{}}}, nil
	}
	r.tap("Fetch…")
	everything(r.window.Canvas().Content(), func(o fyne.CanvasObject) {
		if e, ok := o.(interface {
			fyne.Focusable
			fyne.Validatable
		}); ok && r.window.Canvas().Focused() == e {
			for _, c := range "docker pull busybox, nope" {
				e.TypedRune(c)
			}
			e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
		}
	})
	r.says("manifest unknown")
	r.says("here · 5.0 MiB")
	r.until("it is said what is here", func() bool { return len(r.toasts) > 0 })
	if got := r.lastToast().Text; got != "busybox:latest is here" {
		t.Errorf("toast %q", got)
	}
	if got := r.daemon.asked(); !strings.Contains(got, "pull docker.io/library/busybox:latest") || !strings.Contains(got, "pull docker.io/library/nope:latest") || strings.Count(got, "pull") != 2 {
		t.Errorf("asked for %q", got)
	}
	r.tap("Clear")
	if r.reads("here · 5.0 MiB") || !r.reads("manifest unknown") {
		t.Error("Clear takes away what failed, or leaves what did not")
	}
	r.daemon.pull = halfway
	r.tap("Try again")
	r.says("31 MiB of 58 MiB")
	r.tap("Stop nope:latest")
	r.says("stopped")
}

func TestDroppedFiles(t *testing.T) {
	r := imagesPage(t)
	r.daemon.pull = halfway
	r.page.(*page.Images).Drop([]string{compose(t)})
	r.until("what the compose file names is pulled", func() bool { return strings.Contains(r.daemon.asked(), "pull docker.io/library/mysql:9") })
	if got := r.toasts[0].Text; got != "compose.yaml names 3 images" {
		t.Errorf("toast %q", got)
	}
	other := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(other, []byte("buy milk"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.page.(*page.Images).Drop([]string{other})
	r.until("it is said that it is no such file", func() bool { return r.lastToast().Bad })
}

func TestExportIsWholeOrNotAtAll(t *testing.T) {
	r := imagesPage(t)
	r.daemon.tar = "a tar"
	r.search("postgres")
	r.key(fyne.KeyDown)
	r.tap("Export…")
	r.until("it is written", func() bool { return len(r.toasts) > 0 })
	if text, err := os.ReadFile(r.save); err != nil || string(text) != "a tar" {
		t.Errorf("the file has %q, %v", text, err)
	}
	if got := r.daemon.asked(); !strings.HasPrefix(got, "export docker.io/library/postgres:16 docker.io/library/postgres:16.4") {
		t.Errorf("asked for %q", got)
	}
	r.daemon.tar, r.daemon.broken = "half", errors.New("a layer is damaged")
	r.tap("Export…")
	r.says("a layer is damaged")
	if text, _ := os.ReadFile(r.save); string(text) != "a tar" {
		t.Errorf("what was there is overwritten by %q", text)
	}
	if left, _ := os.ReadDir(filepath.Dir(r.save)); len(left) != 1 {
		t.Errorf("there are %d files beside it", len(left)-1)
	}
}

func TestImport(t *testing.T) {
	r := imagesPage(t)
	if err := os.WriteFile(r.save, []byte("some tar"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.page.(*page.Images).Drop([]string{r.save})
	r.until("it is imported", func() bool { return len(r.toasts) > 0 })
	if got := r.lastToast().Text; got != "Imported debian:12 from out.tar" || r.daemon.asked() != "import some tar" {
		t.Errorf("toast %q, asked for %q", got, r.daemon.asked())
	}
	r.save += ".missing"
	r.tap("Import…")
	r.says("cannot be read: no such file")
}

func TestFreeingSpace(t *testing.T) {
	r := imagesPage(t)
	r.tap("Free space…")
	slider := (*widget.Slider)(nil)
	for _, o := range r.window.Canvas().Overlays().List() {
		everything(o, func(o fyne.CanvasObject) {
			if s, ok := o.(*widget.Slider); ok {
				slider = s
			}
		})
	}
	slider.SetValue(0)
	slider.TypedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
	r.tap("Free 33 MiB")
	toast := r.lastToast()
	if toast.Text != "Freeing 33 MiB" || toast.Undo == nil || r.daemon.asked() != "" {
		t.Fatalf("toast %+v, asked for %q", toast, r.daemon.asked())
	}
	toast.Done()
	r.until("it is said what went", func() bool { return strings.HasPrefix(r.lastToast().Text, "Freed 33 MiB: old:1") })
}

func TestNoDaemonNoImages(t *testing.T) {
	r := newCacheRig(t, usualSize, func(d page.Desk) page.Page { return page.NewImages(d) })
	r.daemon = nil
	r.enter()
	r.page.Show(model.View{Phase: model.Down}, r.now)
	r.says("Pulley is not running")
}

func TestJobsOutliveTheirPage(t *testing.T) {
	var desk page.Desk
	r := newCacheRig(t, usualSize, func(d page.Desk) page.Page {
		d.Jobs = &model.Jobs{}
		desk = d
		return page.NewImages(d)
	})
	r.enter()
	r.says("golang:1.26")
	r.daemon.pull = halfway
	r.page.(*page.Images).Drop([]string{compose(t)})
	r.says("31 MiB of 58 MiB")
	r.page = page.NewImages(desk) // the language was changed
	r.window.SetContent(r.page.Root())
	r.page.Show(r.view, r.now)
	r.says("31 MiB of 58 MiB")
	r.tap("Stop mysql:9")
	r.says("stopped")
}

func TestCacheThatCannotBeUsed(t *testing.T) {
	r := imagesPage(t)
	r.view.State.Cache = control.Cache{}
	r.page.Show(r.view, r.now)
	if r.reads("Free space") {
		t.Error("there is room to free")
	}
}

func TestListIsAskedForWhenTheCacheChanged(t *testing.T) {
	r := imagesPage(t)
	r.daemon.mu.Lock()
	r.daemon.images = r.daemon.images[:1]
	r.daemon.mu.Unlock()
	r.now = r.now.Add(5 * time.Second)
	r.page.Show(r.view, r.now)
	if !r.reads("golang") {
		t.Fatal("it is asked for although nothing changed")
	}
	r.view.State.Cache.Images = 1
	r.page.Show(r.view, r.now)
	r.until("the page has what is there now", func() bool { return !r.reads("golang") })
}

func TestSeekAndMenu(t *testing.T) {
	r := imagesPage(t)
	r.page.(page.Seeker).Seek()
	if _, ok := r.window.Canvas().Focused().(*part.Search); !ok {
		t.Error("the search field has no focus")
	}
	r.search("debian")
	r.key(fyne.KeyDown)
	r.table().TypedShortcut(&fyne.ShortcutCopy{})
	if got := fyne.CurrentApp().Clipboard().Content(); got != "docker.io/library/debian:12" {
		t.Errorf("copied %q", got)
	}
	r.key(desktop.KeyMenu)
	if len(r.window.Canvas().Overlays().List()) == 0 {
		t.Fatal("there is no menu")
	}
	for _, o := range r.window.Canvas().Overlays().List() {
		everything(o, func(o fyne.CanvasObject) {
			if menu, ok := o.(*widget.PopUpMenu); ok {
				test.Tap(menu.Items[2].(fyne.Tappable))
			}
		})
	}
	if r.copied != "docker pull debian:12" {
		t.Errorf("the menu copied %q", r.copied)
	}
}

// BenchmarkImagesPage is what 10,000 images cost the UI goroutine: a letter typed into the search field, all rows
// selected, a frame of scrolling.
func BenchmarkImagesPage(b *testing.B) {
	const many = 10_000
	r := newCacheRig(b, usualSize, func(d page.Desk) page.Page { return page.NewImages(d) })
	sample := someImages()
	r.daemon.images = nil
	for n := range many {
		i := sample[n%len(sample)]
		i.Repository, i.Digest = fmt.Sprintf("%s-%d", i.Repository, n), hex(n)
		r.daemon.images = append(r.daemon.images, i)
	}
	r.enter()
	r.says("10,000")
	table := r.table()
	b.Run("search", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			r.search(fmt.Sprint("deb", n%10))
		}
	})
	r.search("")
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
			r.window.Canvas().Refresh(table)
		}
	})
}
