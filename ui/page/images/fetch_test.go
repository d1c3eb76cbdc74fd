package images_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"fyne.io/fyne/v2"

	"pulley/internal/control"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/page/images"
	"pulley/ui/page/pagetest"
)

func TestFetchingByName(t *testing.T) {
	r := imagesPage(t)
	r.Daemon.OnPull = func(_ context.Context, p control.Pull, progress func(control.Pulling)) (control.Pulled, error) {
		if strings.Contains(p.Images[0].Image, "nope") {
			return control.Pulled{Images: []control.PulledImage{{Error: "nope:latest: manifest unknown"}}}, nil
		}
		progress(control.Pulling{What: "layer", Digest: pagetest.Digest(1), Have: 5 << 20, Size: 5 << 20, Done: true})
		return control.Pulled{Images: []control.PulledImage{{}}}, nil
	}
	r.Tap("Fetch…")
	pagetest.Everything(r.Window.Canvas().Content(), func(o fyne.CanvasObject) {
		if e, ok := o.(interface {
			fyne.Focusable
			fyne.Validatable
		}); ok && r.Window.Canvas().Focused() == e {
			for _, c := range "docker pull busybox, nope" {
				e.TypedRune(c)
			}
			e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
		}
	})
	r.Says("manifest unknown")
	r.Says("here · 5.0 MiB")
	r.Until("it is said what is here", func() bool { return len(r.Toasts) > 0 })
	if got := r.LastToast().Text; got != "busybox:latest is here" {
		t.Errorf("toast %q", got)
	}
	if got := r.Daemon.Asked(); !strings.Contains(got, "pull docker.io/library/busybox:latest") || !strings.Contains(got, "pull docker.io/library/nope:latest") || strings.Count(got, "pull") != 2 {
		t.Errorf("asked for %q", got)
	}
	r.Tap("Clear")
	if r.Reads("here · 5.0 MiB") || !r.Reads("manifest unknown") {
		t.Error("Clear takes away what failed, or leaves what did not")
	}
	r.Expect("Try nope:latest again", "Take nope:latest off the list", "nope:latest, blob by blob")
	r.Daemon.OnPull = halfway
	r.Tap("Try again")
	r.Says("31 MiB of 58 MiB")
	r.Tap("Stop nope:latest")
	r.Says("stopped")
}

// write opens the field for names and types into it.
func write(r *pagetest.Live, text string) {
	r.T.Helper()
	r.Tap("Fetch…")
	field, ok := r.Window.Canvas().Focused().(interface {
		fyne.Focusable
		SetText(string)
	})
	if !ok {
		r.T.Fatal("the field has no focus")
	}
	field.SetText(text)
	field.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
}

// What stands in instructions can be pasted as it is: commands with their options, one or more.
func TestCommandsCanBePasted(t *testing.T) {
	for text, want := range map[string]string{
		"docker": "docker.io/library/docker:latest []",
		"docker pull --platform linux/arm64 -q alpine:3":                                       "docker.io/library/alpine:3 [linux/arm64]",
		"$ sudo docker image pull --platform=linux/386 nginx, redis podman pull quay.io/a/b:1": "docker.io/library/nginx:latest [linux/386]\ndocker.io/library/redis:latest [linux/386]\nquay.io/a/b:1 []",
	} {
		r := imagesPage(t)
		var mu sync.Mutex
		var asked []string
		r.Daemon.OnPull = func(_ context.Context, p control.Pull, _ func(control.Pulling)) (control.Pulled, error) {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, fmt.Sprint(p.Images[0].Image, " ", p.Images[0].Platforms))
			return control.Pulled{Images: []control.PulledImage{{}}}, nil
		}
		write(r, text)
		r.Until("all is here", func() bool { return len(r.Toasts) > 0 })
		mu.Lock()
		slices.Sort(asked)
		if got := strings.Join(asked, "\n"); got != want {
			t.Errorf("%q: asked for\n%s\nwant\n%s", text, got, want)
		}
		mu.Unlock()
		if r.Window.Canvas().Focused() != fyne.Focusable(r.Table()) {
			t.Errorf("the keyboard is at %T, which is not to be seen any more", r.Window.Canvas().Focused())
		}
	}
}

func TestDroppedFiles(t *testing.T) {
	r := imagesPage(t)
	r.Daemon.OnPull = halfway
	r.Page.(*images.Page).Drop([]string{compose(t)})
	r.Until("what the compose file names is pulled", func() bool { return strings.Contains(r.Daemon.Asked(), "pull docker.io/library/mysql:9") })
	if got := r.Toasts[0].Text; got != "compose.yaml names 3 images" {
		t.Errorf("toast %q", got)
	}
	other := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(other, []byte("buy milk"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.Page.(*images.Page).Drop([]string{other})
	r.Until("it is said that it is no such file", func() bool { return r.LastToast().Bad })
}

func TestExportIsWholeOrNotAtAll(t *testing.T) {
	r := imagesPage(t)
	r.Daemon.Tar = "a tar"
	r.Search("postgres")
	r.Key(fyne.KeyDown)
	r.Tap("Export…")
	r.Until("it is written", func() bool { return len(r.Toasts) > 0 })
	if text, err := os.ReadFile(r.Picked); err != nil || string(text) != "a tar" {
		t.Errorf("the file has %q, %v", text, err)
	}
	if got := r.Daemon.Asked(); !strings.HasPrefix(got, "export docker.io/library/postgres:16 docker.io/library/postgres:16.4") {
		t.Errorf("asked for %q", got)
	}
	r.Daemon.Tar, r.Daemon.Broken = "half", errors.New("a layer is damaged")
	r.Tap("Export…")
	r.Says("a layer is damaged")
	if text, _ := os.ReadFile(r.Picked); string(text) != "a tar" {
		t.Errorf("what was there is overwritten by %q", text)
	}
	if left, _ := os.ReadDir(filepath.Dir(r.Picked)); len(left) != 1 {
		t.Errorf("there are %d files beside it", len(left)-1)
	}
}

func TestImport(t *testing.T) {
	r := imagesPage(t)
	if err := os.WriteFile(r.Picked, []byte("some tar"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.Page.(*images.Page).Drop([]string{r.Picked})
	r.Until("it is imported", func() bool { return len(r.Toasts) > 0 })
	if got := r.LastToast().Text; got != "Imported debian:12 from out.tar" || r.Daemon.Asked() != "import some tar" {
		t.Errorf("toast %q, asked for %q", got, r.Daemon.Asked())
	}
	r.Picked += ".missing"
	r.Tap("Import…")
	r.Says("cannot be read: no such file")
}

func TestJobsOutliveTheirPage(t *testing.T) {
	var desk page.Desk
	r := pagetest.NewLive(t, pagetest.Usual, func(d page.Desk) page.Page {
		d.Jobs = &model.Jobs{}
		desk = d
		return images.New(d)
	})
	r.Enter()
	r.Says("golang:1.26")
	r.Daemon.OnPull = halfway
	r.Page.(*images.Page).Drop([]string{compose(t)})
	r.Says("31 MiB of 58 MiB")
	r.Page = images.New(desk) // the language was changed
	r.Window.SetContent(r.Page.Root())
	r.Page.Show(r.View, r.Now)
	r.Says("31 MiB of 58 MiB")
	r.Tap("Stop mysql:9")
	r.Says("stopped")
}
