package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"
)

// Entry is Fyne's line to type into, but for the keys that it has no use for: Escape and the shortcuts that edit nothing are
// the window's.
type Entry struct {
	widget.Entry
	self fyne.Widget
}

// NewEntry makes one.
func NewEntry() *Entry {
	e := &Entry{}
	e.Wrapping = fyne.TextWrap(fyne.TextTruncateClip) // as widget.NewEntry has it: one line that scrolls
	e.ExtendBaseWidget(e)
	return e
}

// ExtendBaseWidget is for whoever embeds it.
func (e *Entry) ExtendBaseWidget(w fyne.Widget) {
	e.self = w
	e.Entry.ExtendBaseWidget(w)
}

// TypedKey edits the text.
func (e *Entry) TypedKey(key *fyne.KeyEvent) {
	if key.Name == fyne.KeyEscape {
		PassKey(e.self, key)
		return
	}
	e.Entry.TypedKey(key)
}

// TypedShortcut edits the text. The window gets what has nothing to do with that: Fyne would let it vanish here.
func (e *Entry) TypedShortcut(s fyne.Shortcut) {
	if custom, ok := s.(*desktop.CustomShortcut); ok {
		switch custom.KeyName {
		case fyne.KeyLeft, fyne.KeyRight, fyne.KeyBackspace, fyne.KeyDelete:
		default:
			PassShortcut(e.self, s)
			return
		}
	}
	e.Entry.TypedShortcut(s)
}
