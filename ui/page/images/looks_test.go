package images_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/page"
	"pulley/ui/page/images"
	"pulley/ui/page/pagetest"
)

// TestLooks lays it out in every look. PULLEY_SHEETS keeps the pictures.
func TestLooks(t *testing.T) {
	pagetest.Looks(t, func(t *testing.T, look pagetest.Look) {
		for name, scene := range map[string]func(*pagetest.Live){
			"images": func(r *pagetest.Live) { r.Says("golang") },
			"images-detail": func(r *pagetest.Live) {
				r.Says("golang")
				r.Page.(page.Taker).Take("debian:12")
			},
			"images-busy": func(r *pagetest.Live) {
				r.Says("golang")
				r.Daemon.OnPull = halfway
				r.Page.(*images.Page).Drop([]string{compose(t)})
				r.Until("one pull is half done, and another failed", func() bool { return r.Reads("58 MiB") && r.Reads("denied") })
				r.Tap(lang.Say("images.jobs.more", "Name", "mysql:9"))
				r.Key(fyne.KeyDown)
				r.Table().TypedShortcut(&fyne.ShortcutSelectAll{})
			},
			"images-fetch": func(r *pagetest.Live) {
				r.Says("golang")
				r.Tap(lang.Say("images.fetch.button"))
			},
			"images-free": func(r *pagetest.Live) {
				r.Says("golang")
				r.Tap(lang.Say("images.free.button"))
			},
			"images-empty": func(r *pagetest.Live) {
				r.Says("golang")
				r.Daemon.Held = nil
				r.Now = r.Now.Add(time.Minute)
				r.Page.Show(r.View, r.Now)
				r.Until("it is empty", func() bool { return !r.Reads("golang") })
			},
		} {
			r := pagetest.NewLive(t, look.Size, func(d page.Desk) page.Page { return images.New(d) })
			r.Enter()
			scene(r)
			r.Shoot(name + "-" + look.Name)
			r.Page.(page.Guest).Leave()
		}
	})
}

// halfway is a pull that has come as far as half, and waits there.
func halfway(ctx context.Context, p control.Pull, progress func(control.Pulling)) (control.Pulled, error) {
	name := p.Images[0].Image
	progress(control.Pulling{Image: name, What: "manifest", Digest: pagetest.Digest(1), Have: 1200, Size: 1200, Done: true, Source: "origin"})
	progress(control.Pulling{Image: name, What: "layer", Digest: pagetest.Digest(2), Have: 21 << 20, Size: 48 << 20, Source: "daocloud+origin"})
	progress(control.Pulling{Image: name, What: "layer", Digest: pagetest.Digest(3), Have: 10 << 20, Size: 10 << 20, Done: true, Source: "origin"})
	if strings.Contains(name, "ghcr.io") {
		return control.Pulled{Images: []control.PulledImage{{Image: name, Error: "ghcr.io/org/app:1.2: denied: the repository is private or does not exist; try: docker login ghcr.io"}}}, nil
	}
	<-ctx.Done()
	return control.Pulled{}, ctx.Err()
}

// compose is a Compose file with two images.
func compose(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "compose.yaml")
	if err := os.WriteFile(path, []byte("services:\n  db: {image: 'mysql:9'}\n  web: {image: 'ghcr.io/org/app:1.2'}\n  q: {image: 'rabbitmq:4'}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
