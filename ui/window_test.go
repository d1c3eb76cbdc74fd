package ui_test

import (
	"errors"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"pulley/internal/control"
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

// TestLooks leaves pictures of the window for a person to look at in the folder that PULLEY_SHEETS names. Where nobody looks it is laid
// out once in each state, and nothing is drawn: that takes far longer than all the rest, and tests nothing.
func TestLooks(t *testing.T) {
	dir := os.Getenv("PULLEY_SHEETS")
	sizes := map[string]fyne.Size{"large": fyne.NewSize(1100, 720), "small": fyne.NewSize(900, 600)}
	looks := []theme.Choice{theme.Dark, theme.Light}
	if dir == "" {
		looks = looks[:1]
		delete(sizes, "small")
	}
	for name, prepare := range map[string]func(*model.Model){
		"idle": running,
		"trouble": func(m *model.Model) {
			s := sample()
			s.Problems = []control.Problem{{Kind: control.ProblemConfig}, {Kind: control.ProblemMirror}}
			m.Heard(s)
		},
		"down": func(m *model.Model) { m.Lost("port 5055 is held by nginx (pid 812)") },
	} {
		for size, extent := range sizes {
			for _, look := range looks {
				s := show(t, prepare)
				s.app.Settings().SetTheme(theme.New(look))
				s.Anew()
				s.Resize(extent)
				keep(t, s, filepath.Join(dir, "shell-"+name+"-"+string(look)+"-"+size+".png"))
				if name == "idle" && size == "large" {
					s.key(fyne.KeyF1)
					keep(t, s, filepath.Join(dir, "shell-keys-"+string(look)+".png"))
				}
			}
		}
	}
}

func keep(t *testing.T, s *shown, path string) {
	t.Helper()
	if os.Getenv("PULLEY_SHEETS") == "" {
		return
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(file, s.Canvas().Capture()), file.Close()); err != nil {
		t.Fatal(err)
	}
}
