//go:build cgo

package main

import (
	"encoding/binary"
	"time"

	"fyne.io/fyne/v2"
)

// native puts a PNG into an icon file, which has been allowed since Windows
// Vista: a header, one directory entry, the picture.
func native(png []byte) []byte {
	const header, entry = 6, 16
	file := make([]byte, header+entry, header+entry+len(png))
	binary.LittleEndian.PutUint16(file[2:], 1)                 // an icon
	binary.LittleEndian.PutUint16(file[4:], 1)                 // of one picture
	file[6], file[7] = iconSide, iconSide                      // width, height
	binary.LittleEndian.PutUint16(file[10:], 1)                // planes
	binary.LittleEndian.PutUint16(file[12:], 32)               // bits per pixel
	binary.LittleEndian.PutUint32(file[14:], uint32(len(png))) // size
	binary.LittleEndian.PutUint32(file[18:], header+entry)     // offset
	return append(file, png...)
}

// identify does nothing: Windows knows the program by its path.
func identify(string) {}

// rest is how long the loop of the desktop may be kept waiting while there is no window. The menu waits for it.
const rest = 40 * time.Millisecond

// parentOf is nothing: the dialogs for files belong to no window here.
func parentOf(fyne.Window) string { return "" }
