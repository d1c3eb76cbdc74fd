package page

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"pulley/ui/model"
)

// Activity is the page of all that was asked for and answered.
type Activity struct {
	desk Desk
	root *fyne.Container
}

// NewActivity makes the page.
func NewActivity(d Desk) *Activity {
	return &Activity{desk: d, root: container.NewStack()}
}

// Root is what to put into the window.
func (p *Activity) Root() fyne.CanvasObject { return p.root }

// Show brings the page to what v says.
func (p *Activity) Show(model.View, time.Time) {}

// Enter has the page listen.
func (p *Activity) Enter() {}

// Leave has it stop.
func (p *Activity) Leave() {}

// Seek puts the focus into the search field.
func (p *Activity) Seek() {}

// Take shows the requests of one thing: a registry, an image.
func (p *Activity) Take(string) {}
