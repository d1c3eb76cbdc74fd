package part

// Whole is a text that says all of itself while the pointer rests on it, where there was no room for that.
type Whole struct {
	Tip
	line *Text
}

// NewWhole makes one of a text that Gives.
func NewWhole(line *Text) *Whole {
	w := &Whole{line: line}
	w.object, w.text = line, func() string {
		if line.measure(line.words).Width <= line.Size().Width {
			return ""
		}
		return line.words
	}
	w.ExtendBaseWidget(w)
	return w
}

// AccessibilityLabel is the whole of the text, once.
func (w *Whole) AccessibilityLabel() string { return w.line.words }
