package page

import (
	"strings"

	"fyne.io/fyne/v2"

	"pulley/ui/model"
)

// Focus gives the keyboard to an object, where there is a window.
func Focus(d Desk, object fyne.Focusable) {
	if window := d.Window(); window != nil {
		window.Canvas().Focus(object)
	}
}

// Searchable is what to search for to find a thing.
func Searchable(thing string) string { return strings.ReplaceAll(model.FamiliarRef(thing), "@", " ") }

// Roomy is the width of a page from which a list and what is said of the chosen one have room beside each other.
const Roomy = 780
