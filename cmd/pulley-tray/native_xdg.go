//go:build cgo && !windows && !darwin

package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver"
	"fyne.io/systray"
)

// native is the picture as the status area wants it: straight alpha, four bytes
// a pixel. The library makes those bytes from the lower halves of the 16-bit,
// premultiplied values that color.Color gives, which are noise wherever a pixel
// is neither opaque nor clear. So the picture is written with 16 bits a channel,
// chosen so that those lower halves are what they should be.
func native(file []byte) []byte {
	picture, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		return file
	}
	deep := image.NewNRGBA64(picture.Bounds())
	for y := deep.Rect.Min.Y; y < deep.Rect.Max.Y; y++ {
		for x := deep.Rect.Min.X; x < deep.Rect.Max.X; x++ {
			c := color.NRGBAModel.Convert(picture.At(x, y)).(color.NRGBA)
			if c.A == 0 {
				continue
			}
			alpha := uint32(c.A) * 0x101
			// The least value v for which v × alpha / 0xffff, rounded down, is want.
			channel := func(want uint8) uint16 { return uint16((uint32(want)*0xffff + alpha - 1) / alpha) }
			deep.SetNRGBA64(x, y, color.NRGBA64{R: channel(c.R), G: channel(c.G), B: channel(c.B), A: uint16(alpha)})
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, deep); err != nil {
		return file
	}
	return out.Bytes()
}

// identify gives the icon its name, by which panels remember what a person did
// with it.
func identify(name string) { systray.SetTitle(name) }

// rest is how long the loop of the desktop may be kept waiting while there is no window. The menu has a goroutine of its own: it comes over the bus.
const rest = 100 * time.Millisecond

// parentOf is a window as the portal's dialogs want to know it. Wayland's windows have no name outside their own program.
func parentOf(window fyne.Window) (name string) {
	native, ok := window.(driver.NativeWindow)
	if !ok {
		return ""
	}
	native.RunNative(func(context any) {
		if x11, ok := context.(driver.X11WindowContext); ok {
			name = fmt.Sprintf("x11:%x", x11.WindowHandle)
		}
	})
	return name
}
