package activity_test

import (
	"os"
	"path/filepath"
	"testing"

	"fyne.io/fyne/v2"

	"pulley/ui/page"
	"pulley/ui/page/activity"
	"pulley/ui/page/pagetest"
	"pulley/ui/theme"
)

// TestLooks leaves pictures for a person to look at in the folder that PULLEY_SHEETS names.
func TestLooks(t *testing.T) {
	dir := os.Getenv("PULLEY_SHEETS")
	if dir == "" {
		dir = t.TempDir()
	}
	for _, look := range pagetest.LiveLooks {
		for name, scene := range map[string]func(*pagetest.Live){
			"activity":         func(r *pagetest.Live) { r.Says("postgres") },
			"activity-story":   func(r *pagetest.Live) { r.Says("postgres"); r.Key(fyne.KeyEnd) },
			"activity-loading": func(*pagetest.Live) {},
		} {
			pagetest.Speak(t, look.Language)
			r := pagetest.NewLive(t, look.Size, func(d page.Desk) page.Page { return activity.New(d) })
			fyne.CurrentApp().Settings().SetTheme(theme.New(look.Theme))
			if name != "activity-loading" {
				r.Enter()
			}
			scene(r)
			pagetest.Picture(t, r, filepath.Join(dir, name+"-"+look.Name+".png"))
			r.Page.(page.Guest).Leave()
		}
	}
}
