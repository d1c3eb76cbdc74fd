package page

import (
	"time"

	"fyne.io/fyne/v2"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// Docker is the page of the engines that are here and of docker's contexts.
type Docker struct {
	desk Desk
	root fyne.CanvasObject
}

// NewDocker makes the page.
func NewDocker(d Desk) *Docker {
	title := part.NewText(lang.Say("docker.title")).Bold()
	title.Scale = theme.SizeHead
	return &Docker{desk: d, root: column(12, title)}
}

// Root implements Page.
func (d *Docker) Root() fyne.CanvasObject { return d.root }

// Show implements Page.
func (d *Docker) Show(model.View, time.Time) {}

// Enter implements Guest.
func (d *Docker) Enter() {}

// Leave implements Guest.
func (d *Docker) Leave() {}

// Take implements Taker: thing is an engine's ID or a context's name.
func (d *Docker) Take(string) {}
