package activity_test

import (
	"testing"

	"fyne.io/fyne/v2"

	"pulley/ui/page"
	"pulley/ui/page/activity"
	"pulley/ui/page/pagetest"
)

// TestLooks lays it out in every look. PULLEY_SHEETS keeps the pictures.
func TestLooks(t *testing.T) {
	pagetest.Looks(t, func(t *testing.T, look pagetest.Look) {
		r := pagetest.NewLive(t, look.Size, func(d page.Desk) page.Page { return activity.New(d) })
		r.Shoot("activity-loading-" + look.Name)
		r.Enter()
		defer r.Page.(page.Guest).Leave()
		r.Says("postgres")
		r.Shoot("activity-" + look.Name)
		r.Key(fyne.KeyEnd)
		r.Shoot("activity-story-" + look.Name)
	})
}
