// Package page is what the window's pages have in common: what a page is (Page), what it works with (Desk), how it is called (Name), and
// the little that several of them say or do in the same way. A page is told what is known and says what a person asked for; it knows
// the daemon and the command line program by what Desk has of them.
//
// Each page is a package below this one and knows no other page: one leads to another by Desk.Visit. What two of them show is a
// widget of ui/part, or, where it is about container engines, in the package engine.
package page

import (
	"time"

	"fyne.io/fyne/v2"

	"pulley/ui/model"
)

// Page is one of the window's. All of it is for the UI goroutine. It may also be a Seeker, a Guest, a Taker or Layered.
type Page interface {
	// Root is what to put into the window, the same object for ever.
	Root() fyne.CanvasObject
	// Show brings the page to what v says: called when it comes to the front and, while it is there, after each change and
	// at least every 30 s, at most ten times a second. It must not block. Texts are in the language in force: after a change
	// of language the window makes its pages anew.
	Show(v model.View, now time.Time)
}

// Seeker is a page that can be searched.
type Seeker interface {
	Seek() // puts the keyboard's focus into the search field: Ctrl+F
}

// Layered is a page that can have something open beside or over what it shows.
type Layered interface {
	// Escape closes that, and tells whether there was anything to close.
	Escape() bool
}

// Guest is a page that asks for what it shows only while it is in front.
type Guest interface {
	Enter()
	Leave()
}

// Taker is a page that is led to one of its things, as by a problem's fix: an image, a registry, an engine, a setting.
type Taker interface {
	Take(thing string)
}

// Name is a page, as remembered between two runs and in keys of texts.
type Name string

// The pages, in their order.
const (
	OverviewPage Name = "overview"
	ImagesPage   Name = "images"
	MirrorsPage  Name = "mirrors"
	DockerPage   Name = "docker"
	ActivityPage Name = "activity"
	SettingsPage Name = "settings"
)

// FirstPage is the first steps: no page of the sidebar, and not remembered, but Desk.Visit leads there.
const FirstPage Name = "first"
