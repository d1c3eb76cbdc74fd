package ui_test

import (
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fyne.io/fyne/v2/test"

	"pulley/internal/control"
	"pulley/ui"
	"pulley/ui/model"
	"pulley/ui/theme"
)

var noon = time.Date(2026, 3, 4, 12, 5, 0, 0, time.UTC)

func sample() control.State {
	s := control.State{
		Enabled: true, Listen: "127.0.0.1:5055",
		Cache:   control.Cache{Size: 3<<30 + 300<<20, MaxSize: 20 << 30},
		Traffic: control.Traffic{Today: control.Bytes{FromCache: 5 << 30, FromNet: 1<<30 + 200<<20}},
	}
	for i, name := range []string{"docker.io", "ghcr.io", "quay.io", "gcr.io", "registry.k8s.io", "mcr.microsoft.com", "public.ecr.aws", "registry.gitlab.com", "nvcr.io"} {
		r := control.Registry{Name: name, Route: "auto", Routes: []string{"auto", "direct", "offline"}}
		if i < 3 {
			used := noon.Add(-time.Duration(i*i*40+3) * time.Minute)
			r.LastUsed = &used
		}
		s.Registries = append(s.Registries, r)
	}
	s.Registries[1].Route = "direct"
	s.Limits = []control.Limit{{Registry: "docker.io", Limit: 100, Remaining: 76, Window: 6 * time.Hour, At: noon}}
	return s
}

// TestLooks leaves pictures of the window for a person to look at in the folder
// that PULLEY_SHEETS names.
func TestLooks(t *testing.T) {
	dir := os.Getenv("PULLEY_SHEETS")
	if dir == "" {
		dir = t.TempDir()
	}
	for name, prepare := range map[string]func(*model.Model){
		"idle": func(m *model.Model) { m.Heard(sample()) },
		"busy": func(m *model.Model) {
			s := sample()
			s.Active = []control.Transfer{
				{Registry: "docker.io", Repository: "library/postgres", Have: 60 << 20, Total: 110 << 20, Clients: 1},
				{Registry: "ghcr.io", Repository: "a-rather-long-organisation/with-a-rather-long-repository-name/and-more", Have: 4 << 20, Total: 310 << 20},
			}
			m.Heard(s)
		},
		"off": func(m *model.Model) { s := sample(); s.Enabled = false; m.Heard(s) },
		"trouble": func(m *model.Model) {
			s := sample()
			s.Problems = []control.Problem{{Text: "config.toml: line 12: unknown key cache.maxsize; the old settings stay in force", Fix: "pulley config check"}}
			m.Heard(s)
		},
		"troubles": func(m *model.Model) {
			s := sample()
			again := noon.Add(2 * time.Hour)
			s.Limits[0].Remaining, s.Limits[0].Again = 0, &again
			s.Problems = []control.Problem{
				{Text: "not everything can be cached: the disk is full", Fix: "free some disk space, or: pulley config set cache.max_size 5GiB"},
				{Text: "mirror daocloud disagrees with the origin about docker.io/library/alpine:latest; the origin is believed", Fix: "pulley mirror test docker.io"},
				{Text: "a client does not trust Pulley's certificate for registry-1.docker.io (bad certificate); it is passed through until 12:15", Fix: "pulley ca trust"},
			}
			m.Heard(s)
		},
		"down":     func(m *model.Model) { m.Lost("port 5055 is held by nginx (pid 812)") },
		"starting": func(m *model.Model) {},
	} {
		for _, look := range []theme.Choice{theme.Light, theme.Dark} {
			app := test.NewTempApp(t)
			app.Settings().SetTheme(theme.New(look))
			m := model.New()
			prepare(m)
			w := ui.New(app, m, func(model.Action) {}, func() time.Time { return noon })
			w.Reveal()
			file, err := os.Create(filepath.Join(dir, "window-"+name+"-"+string(look)+".png"))
			if err != nil {
				t.Fatal(err)
			}
			if err := png.Encode(file, w.Canvas().Capture()); err != nil {
				t.Fatal(err)
			}
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
