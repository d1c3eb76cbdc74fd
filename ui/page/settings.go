package page

import (
	"time"

	"fyne.io/fyne/v2"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/part"
)

// Settings is the page of everything that stays as it was left.
type Settings struct {
	// Login starts the app at login. To be set before the page is entered; nil: this desktop cannot.
	Login Login

	desk Desk
	root fyne.CanvasObject
}

// Login is whether the desktop app starts when the person logs in. Its calls may block.
type Login interface {
	Enabled() (bool, error)
	Set(on bool) error
}

// NewSettings makes the page.
func NewSettings(d Desk) *Settings {
	return &Settings{desk: d, root: part.NewText(lang.Say("settings.title"))}
}

// Root is what to put into the window.
func (s *Settings) Root() fyne.CanvasObject { return s.root }

// Show brings the page to what v says.
func (s *Settings) Show(model.View, time.Time) {}

// Enter asks for what the page shows.
func (s *Settings) Enter() {}

// Leave stops asking.
func (s *Settings) Leave() {}

// Take leads to a setting by its key in config.toml, or to a section: "cache.max_size", "egress", "ca".
func (s *Settings) Take(string) {}

// Seek puts the focus into the search field.
func (s *Settings) Seek() {}
