//go:build cgo && !windows && !darwin

package main

import "fyne.io/systray"

// native is the picture as the status area wants it: PNG.
func native(png []byte) []byte { return png }

// identify gives the icon its name, by which panels remember what a person did
// with it.
func identify(name string) { systray.SetTitle(name) }
