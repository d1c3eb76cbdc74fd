//go:build cgo

package main

import (
	"time"

	"fyne.io/fyne/v2"
)

// native is the picture as the menu bar wants it: PNG.
func native(png []byte) []byte { return png }

// identify does nothing: a title would be written beside the icon.
func identify(string) {}

// rest is how long the loop of the desktop may be kept waiting while there is no window. The menu waits for it.
const rest = 40 * time.Millisecond

// parentOf is nothing: the dialogs for files belong to no window here.
func parentOf(fyne.Window) string { return "" }
