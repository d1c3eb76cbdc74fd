package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// Text is one line without padding. One that Gives is cut with an ellipsis when
// there is no room; another takes the room that it needs.
type Text struct {
	widget.BaseWidget
	Color fyne.ThemeColorName
	Scale fyne.ThemeSizeName
	Style fyne.TextStyle
	Gives bool

	words string
	line  *canvas.Text
}

// NewText makes a line of the usual size and colour.
func NewText(words string) *Text {
	t := &Text{Color: fynetheme.ColorNameForeground, Scale: fynetheme.SizeNameText, words: words}
	t.ExtendBaseWidget(t)
	return t
}

// NewMuted makes a line of second rank: smaller and greyer.
func NewMuted(words string) *Text {
	t := NewText(words)
	t.Color, t.Scale = theme.Muted, theme.SizeSmall
	return t
}

// Bold makes t bold and returns it.
func (t *Text) Bold() *Text {
	t.Style.Bold = true
	return t
}

// Giving lets t be cut and returns it.
func (t *Text) Giving() *Text {
	t.Gives = true
	return t
}

// Words is the whole of the text, cut or not.
func (t *Text) Words() string { return t.words }

// Set changes the words.
func (t *Text) Set(words string) {
	if t.words == words {
		return
	}
	t.words = words
	t.Refresh()
}

// Tint changes the colour.
func (t *Text) Tint(name fyne.ThemeColorName) {
	if t.Color == name {
		return
	}
	t.Color = name
	t.Refresh()
}

// AccessibilityLabel is the whole of the text.
func (t *Text) AccessibilityLabel() string { return t.words }

// AccessibilityRole is text.
func (t *Text) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (t *Text) CreateRenderer() fyne.WidgetRenderer {
	t.line = canvas.NewText(t.words, hue(t, t.Color))
	d := &drawing{objects: []fyne.CanvasObject{t.line}}
	d.paint = func() {
		t.line.Color, t.line.TextSize, t.line.TextStyle = hue(t, t.Color), extent(t, t.Scale), t.Style
		t.line.Text = t.fitted(t.Size().Width)
	}
	d.layout = func(size fyne.Size) {
		t.line.Resize(size)
		if fitted := t.fitted(size.Width); fitted != t.line.Text {
			t.line.Text = fitted
			t.line.Refresh()
		}
	}
	d.least = func() fyne.Size {
		full := t.measure(t.words)
		if t.Gives {
			full.Width = min(full.Width, 3*extent(t, t.Scale))
		}
		return full
	}
	d.paint()
	return d
}

func (t *Text) measure(words string) fyne.Size {
	if words == "" {
		words = " " // an empty line keeps its height
	}
	return fyne.MeasureText(words, extent(t, t.Scale), t.Style)
}

// fitted is as much of the text as width has room for.
func (t *Text) fitted(width float32) string {
	if !t.Gives || t.measure(t.words).Width <= width {
		return t.words
	}
	runes := []rune(t.words)
	low, high := 0, len(runes) // low runes fit, high do not
	for high-low > 1 {
		middle := (low + high) / 2
		if t.measure(string(runes[:middle])+"…").Width <= width {
			low = middle
		} else {
			high = middle
		}
	}
	return string(runes[:low]) + "…"
}
