package page

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"pulley/ui/model"
)

// Images is the page of what is in the cache.
type Images struct {
	desk Desk
	root *fyne.Container
}

// NewImages makes the page.
func NewImages(d Desk) *Images {
	return &Images{desk: d, root: container.NewStack()}
}

// Root is what to put into the window.
func (p *Images) Root() fyne.CanvasObject { return p.root }

// Show brings the page to what v says.
func (p *Images) Show(model.View, time.Time) {}

// Enter has the page ask for what it shows.
func (p *Images) Enter() {}

// Leave has it stop.
func (p *Images) Leave() {}

// Seek puts the focus into the search field.
func (p *Images) Seek() {}

// Take opens an image, by its full reference.
func (p *Images) Take(string) {}

// Drop takes files that were dropped on the window, on whichever page: a tar is imported, what else names images has them fetched.
func (p *Images) Drop([]string) {}
