package pagetest

import (
	"image/png"
	"os"
	"testing"

	"fyne.io/fyne/v2"

	"pulley/ui/theme"
)

// LiveLooks are in which each picture is taken, in a page as large as a window of 1100×720 and of 900×600 leaves it.
var LiveLooks = []struct {
	Name, Language string
	Theme          theme.Choice
	Size           fyne.Size
}{
	{"light", "en", theme.Light, fyne.NewSize(900, 690)},
	{"dark", "en", theme.Dark, fyne.NewSize(900, 690)},
	{"zh-CN", "zh-CN", theme.Light, fyne.NewSize(900, 690)},
	{"small", "en", theme.Light, fyne.NewSize(844, 570)},
	{"small-zh-CN", "zh-CN", theme.Dark, fyne.NewSize(844, 570)},
	{"wide", "en", theme.Light, fyne.NewSize(1240, 800)},
}

// Picture leaves one of a window in a file.
func Picture(t *testing.T, r *Live, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, r.Window.Canvas().Capture()); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
