// Package ui is the window: it shows what the model knows and hands the model
// what a person asks for. Nothing here blocks, and nothing here is true: the
// daemon is.
//
// It must not import Fyne's app driver, so that all of it runs in tests that
// have neither a display nor cgo.
package ui

import (
	"sync/atomic"
	"time"

	"fyne.io/fyne/v2"

	"pulley/ui/model"
	"pulley/ui/page"
)

// Window shows a model. All methods but Changed and Retire are for the
// UI goroutine.
type Window struct {
	fyne.Window
	model    *model.Model
	overview *page.Overview
	now      func() time.Time
	queued   atomic.Bool
	open     bool
	retired  atomic.Bool
}

// New makes the window, hidden. do gets what a person asks for.
func New(app fyne.App, m *model.Model, do func(model.Action), now func() time.Time) *Window {
	w := &Window{Window: app.NewWindow("Pulley"), model: m, now: now}
	w.overview = page.NewOverview(page.Desk{Do: do, Copy: func(text string) { app.Clipboard().SetContent(text) }, Now: now})
	w.SetPadded(false)
	w.SetContent(w.overview.Root())
	w.Resize(fyne.NewSize(480, 700))
	w.Update()
	return w
}

// Reveal brings the window up to date and to the front.
func (w *Window) Reveal() {
	w.open = true
	w.Update()
	w.Show()
	w.RequestFocus()
}

// Conceal hides the window. While hidden it is not kept up to date.
func (w *Window) Conceal() {
	w.open = false
	w.Hide()
}

// Retire says that the program is ending: from now on Changed does nothing, as
// there may be no UI goroutine any more. Any goroutine.
func (w *Window) Retire() { w.retired.Store(true) }

// Update brings the window to what the model knows.
func (w *Window) Update() {
	w.overview.Show(w.model.View(), w.now())
	// Texts have other widths now, so rows are laid out anew; and again when that
	// made a paragraph break differently.
	for range 2 {
		w.overview.Root().Refresh()
	}
}

// Changed asks for an Update soon and may be called from any goroutine, as
// often as one likes: calls that come before the update are one.
func (w *Window) Changed() {
	if w.retired.Load() || w.queued.Swap(true) {
		return
	}
	fyne.Do(func() {
		w.queued.Store(false)
		if w.open {
			w.Update()
		}
	})
}
