package part

import (
	"image/color"
	"strings"
	"unicode"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
)

// paragraph is a text broken into lines.
type paragraph struct {
	lines []*canvas.Text
	line  float32   // the height of one
	size  fyne.Size // of all
}

// fit breaks text into lines no wider than room, and returns how large they are together. What is in no line of most is cut.
func (p *paragraph) fit(text string, scale, room float32, most int) fyne.Size {
	measure := newFitting(scale, fyne.TextStyle{})
	p.line = fyne.MeasureText("Mg", scale, fyne.TextStyle{}).Height
	p.lines, p.size = nil, fyne.Size{}
	for _, words := range measure.wrap(text, room, most) {
		p.lines = append(p.lines, &canvas.Text{Text: words, TextSize: scale})
		p.size.Width = max(p.size.Width, fyne.MeasureText(words, scale, fyne.TextStyle{}).Width)
		p.size.Height += p.line
	}
	return p.size
}

func (p *paragraph) objects() []fyne.CanvasObject {
	var objects []fyne.CanvasObject
	for _, line := range p.lines {
		objects = append(objects, line)
	}
	return objects
}

func (p *paragraph) tint(c color.Color, bold bool) {
	for _, line := range p.lines {
		line.Color, line.TextStyle.Bold = c, bold
	}
}

func (p *paragraph) place(at fyne.Position) {
	for i, line := range p.lines {
		line.Move(at.AddXY(0, float32(i)*p.line))
		line.Resize(fyne.NewSize(p.size.Width, p.line))
	}
}

// wrap breaks text into at most so many lines, after spaces, slashes and Chinese characters; where there is none, anywhere. The last
// line is cut if that is not all.
func (f *fitting) wrap(text string, room float32, most int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		rest := strings.TrimSpace(paragraph)
		for rest != "" {
			end := f.breakAt(rest, room)
			if len(lines) == most-1 && end < len(rest) {
				return append(lines, f.cut(rest, room))
			}
			lines = append(lines, strings.TrimRight(rest[:end], " "))
			rest = strings.TrimLeft(rest[end:], " ")
		}
		if len(lines) == most {
			break
		}
	}
	return lines
}

// breakAt is how much of text goes into one line.
func (f *fitting) breakAt(text string, room float32) int {
	var width float32
	may := 0 // where it may be broken
	before := rune(0)
	for i, r := range text {
		if i > 0 && breaks(before, r) {
			may = i
		}
		width += f.advance(r)
		if width > room && i > 0 && r != ' ' {
			if may > 0 {
				return may
			}
			return i
		}
		before = r
	}
	return len(text)
}

// breaks reports whether a line may end between two runes.
func breaks(a, b rune) bool {
	switch {
	case a == ' ':
		return true
	case b == ' ' || strings.ContainsRune("，。、；：！？）》」』】,.;:!?)", b) || strings.ContainsRune("（《「『【(", a):
		return false
	case a == '/':
		return true
	default:
		return unicode.Is(unicode.Han, a) || unicode.Is(unicode.Han, b) || strings.ContainsRune("，。、；：！？）", a)
	}
}
