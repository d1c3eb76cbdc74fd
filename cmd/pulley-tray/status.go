//go:build cgo

package main

import (
	"fyne.io/systray"

	"pulley/assets"
	"pulley/ui/icon"
	"pulley/ui/tray"
)

// status is the desktop's status area. Fyne's own way to it builds the whole
// menu anew for every change, so that ids change and clicks on the way are
// lost; this one changes lines in place.
type status struct{}

// iconSide is twice the size most panels use, so that it is halved evenly.
const iconSide = 44

// Icon shows one of the drawings. On macOS its shape alone is used, in the
// colour of the menu bar.
func (status) Icon(form tray.Form) {
	svg, err := assets.Icons.ReadFile("icons/" + string(form) + ".svg")
	if err != nil {
		return
	}
	picture, err := icon.PNG(svg, iconSide)
	if err != nil {
		return
	}
	picture = native(picture)
	systray.SetTemplateIcon(picture, picture)
}

// Tooltip is what hovering shows.
func (status) Tooltip(text string) { systray.SetTooltip(text) }

// Line draws a line.
func (status) Line() { systray.AddSeparator() }

// Add puts an entry at the end.
func (status) Add(parent tray.Entry, label string, checkable bool, clicked func()) tray.Entry {
	var item *systray.MenuItem
	under, sub := parent.(entry)
	switch {
	case sub && checkable:
		item = under.AddSubMenuItemCheckbox(label, "", false)
	case sub:
		item = under.AddSubMenuItem(label, "")
	case checkable:
		item = systray.AddMenuItemCheckbox(label, "", false)
	default:
		item = systray.AddMenuItem(label, "")
	}
	go func() { // for as long as the program runs: the library drops clicks that nobody waits for
		for range item.ClickedCh {
			clicked()
		}
	}()
	return entry{item}
}

type entry struct{ *systray.MenuItem }

func (e entry) Label(text string) { e.SetTitle(text) }

func (e entry) Check(on bool) {
	if on {
		e.MenuItem.Check()
	} else {
		e.Uncheck()
	}
}

func (e entry) Enable(on bool) {
	if on {
		e.MenuItem.Enable()
	} else {
		e.Disable()
	}
}

func (e entry) Show(shown bool) {
	if shown {
		e.MenuItem.Show()
	} else {
		e.Hide()
	}
}
