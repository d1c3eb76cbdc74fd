package part

import "fyne.io/fyne/v2"

// Input is a line to type into that hands Enter and Escape on and tells when it is left.
type Input struct {
	Entry
	Entered func() // Enter; nil: nobody listens
	Escaped func() // Escape; nil: the window hears it
	Left    func() // the focus went elsewhere
}

// NewInput makes one. example stands in it until something is typed.
func NewInput(example string) *Input {
	e := &Input{}
	e.PlaceHolder = example
	e.Wrapping, e.Scroll = fyne.TextWrapOff, fyne.ScrollHorizontalOnly
	e.ExtendBaseWidget(e)
	return e
}

// TypedKey hands Enter and Escape on.
func (e *Input) TypedKey(key *fyne.KeyEvent) {
	switch {
	case key.Name == fyne.KeyEscape && e.Escaped != nil:
		e.Escaped()
	case (key.Name == fyne.KeyReturn || key.Name == fyne.KeyEnter) && e.Entered != nil:
		e.Entered()
	default:
		e.Entry.TypedKey(key)
	}
}

// FocusLost tells that it was left.
func (e *Input) FocusLost() {
	e.Entry.FocusLost()
	if e.Left != nil {
		e.Left()
	}
}

// Propose puts a text in that a person has not typed.
func (e *Input) Propose(text string) {
	changed := e.OnChanged
	e.OnChanged = nil
	e.SetText(text)
	e.OnChanged = changed
}
