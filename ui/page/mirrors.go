package page

import (
	"time"

	"fyne.io/fyne/v2"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/part"
)

// Mirrors is the page of where each registry's bytes come from.
type Mirrors struct {
	desk Desk
	root fyne.CanvasObject
}

// NewMirrors makes the page.
func NewMirrors(d Desk) *Mirrors {
	return &Mirrors{desk: d, root: part.NewText(lang.Say("mirrors.title"))}
}

// Root is what to put into the window.
func (m *Mirrors) Root() fyne.CanvasObject { return m.root }

// Show brings the page to what v says.
func (m *Mirrors) Show(model.View, time.Time) {}

// Enter asks for the sources.
func (m *Mirrors) Enter() {}

// Leave stops asking.
func (m *Mirrors) Leave() {}

// Take leads to a registry, or to a mirror as "registry/name".
func (m *Mirrors) Take(string) {}
