package part

import (
	"strings"

	"fyne.io/fyne/v2"
)

// fitting cuts texts to a width by the advances of their runes, each of which is measured once: Fyne shapes every text that it is
// asked to measure and remembers it, which is too dear for texts that are seen once, as lines of a log are. Kerning is left out, so a
// text may be cut a hair too early.
type fitting struct {
	size  float32
	style fyne.TextStyle
	ascii [128]float32
	other map[rune]float32
}

func newFitting(size float32, style fyne.TextStyle) *fitting {
	return &fitting{size: size, style: style, other: map[rune]float32{}}
}

func (f *fitting) advance(r rune) float32 {
	if r < 128 {
		if f.ascii[r] == 0 {
			f.ascii[r] = fyne.MeasureText(string(r), f.size, f.style).Width
		}
		return f.ascii[r]
	}
	width, known := f.other[r]
	if !known {
		width = fyne.MeasureText(string(r), f.size, f.style).Width
		f.other[r] = width
	}
	return width
}

func (f *fitting) width(text string) float32 {
	var width float32
	for _, r := range text {
		width += f.advance(r)
	}
	return width
}

// cut is as much of text as there is room for, with an ellipsis if that is not all of it.
func (f *fitting) cut(text string, room float32) string {
	const ellipsis = '…'
	var width float32
	end := 0 // of what fits with an ellipsis after it
	for i, r := range text {
		if width+f.advance(ellipsis) <= room {
			end = i
		}
		width += f.advance(r)
		if width > room {
			return strings.TrimRight(text[:end], " ") + string(ellipsis)
		}
	}
	return text
}
