package page

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"pulley/ui/model"
)

// Overview is the first page: the switch, the address, where bytes came from,
// what is on its way, and where each registry's bytes come from.
type Overview struct {
	head       *head
	alert      *alert
	bytes      *bytes
	flight     *flight
	registries *registries
	root       fyne.CanvasObject
}

// NewOverview makes the page.
func NewOverview(d Desk) *Overview {
	o := &Overview{
		head:       newHead(d.Do, d.Copy),
		alert:      newAlert(d.Do, d.Copy),
		bytes:      newBytes(),
		flight:     newFlight(d.Copy),
		registries: newRegistries(d.Do),
	}
	const margin = 14
	o.root = container.NewVScroll(container.New(layout.NewCustomPaddedLayout(margin, margin, margin, margin),
		column(14, o.head.root, o.alert.root, o.bytes.root, o.flight.root, o.registries.root)))
	return o
}

// Root is what to put into the window.
func (o *Overview) Root() fyne.CanvasObject { return o.root }

// Show brings the page to what v says.
func (o *Overview) Show(v model.View, now time.Time) {
	o.head.show(v, now)
	o.alert.show(v)
	known := v.State.Listen != ""
	for _, section := range []fyne.CanvasObject{o.bytes.root, o.flight.root, o.registries.root} {
		show(section, known)
	}
	if known {
		o.bytes.show(v)
		o.flight.show(v)
		o.registries.show(v, now)
	}
}

func show(object fyne.CanvasObject, shown bool) {
	switch {
	case shown && !object.Visible():
		object.Show()
	case !shown && object.Visible():
		object.Hide()
	}
}
