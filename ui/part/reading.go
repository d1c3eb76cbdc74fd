package part

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"
)

// reading is all that can be read in o, from the first to the last. Fyne's own walk through a window for those who cannot see it goes into
// containers alone, not into widgets that hold others: those read out what they hold.
func reading(o fyne.CanvasObject) string {
	var said []string
	var read func(fyne.CanvasObject)
	read = func(o fyne.CanvasObject) {
		if o == nil || !o.Visible() {
			return
		}
		switch o := o.(type) {
		case *fyne.Container:
			for _, child := range o.Objects {
				read(child)
			}
		case *container.Scroll:
			read(o.Content)
		case *container.ThemeOverride:
			read(o.Content)
		case *widget.RichText:
			said = append(said, o.String())
		case fyne.Accessible:
			if label := o.AccessibilityLabel(); label != "" {
				said = append(said, label)
			}
		}
	}
	read(o)
	return strings.Join(said, ", ")
}
