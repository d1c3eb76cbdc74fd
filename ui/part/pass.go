package part

import "fyne.io/fyne/v2"

// PassKey hands a key that the widget w, which has the focus, has no use for to the window: Fyne gives keys to who has the
// focus alone, and Escape would close nothing then.
func PassKey(w fyne.CanvasObject, e *fyne.KeyEvent) {
	if c := canvasFor(w); c != nil && c.OnTypedKey() != nil {
		c.OnTypedKey()(e)
	}
}

// PassShortcut is the same for a shortcut, which Fyne keeps from the window while the focus is on a widget that knows any.
func PassShortcut(w fyne.CanvasObject, s fyne.Shortcut) {
	if window, ok := canvasFor(w).(fyne.Shortcutable); ok {
		window.TypedShortcut(s)
	}
}
