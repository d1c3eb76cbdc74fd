package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
)

// heed is embedded by those parts that are Fyne's own widgets with a ring of ours: what Fyne tells them, they note and hand on to
// the widget below. They come into view where the keyboard leads to them.
type heed struct{ focused, hovered bool }

func (h *heed) gain(below fyne.Focusable) {
	h.focused = true
	below.FocusGained()
	Follow(h.hovered)
}

func (h *heed) lose(below fyne.Focusable) {
	h.focused = false
	below.FocusLost()
}

func (h *heed) enter(below desktop.Hoverable, e *desktop.MouseEvent) {
	h.hovered = true
	below.MouseIn(e)
}

func (h *heed) leave(below desktop.Hoverable) {
	h.hovered = false
	below.MouseOut()
}

// ring is the colour of the ring, "" for none.
func (h *heed) ring() fyne.ThemeColorName {
	if h.focused {
		return fynetheme.ColorNamePrimary
	}
	return ""
}
