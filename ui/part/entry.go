package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Entry is Fyne's line to type into, but for the keys that it has no use for: Escape and the shortcuts that edit nothing are
// the window's.
type Entry struct {
	widget.Entry
	heed
	Label string // what is typed here, for those who cannot see it; "": what stands there before anything is typed says so

	self  fyne.Widget
	wrong bool
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

// Mark shows it as wrong, or as right again.
func (e *Entry) Mark(wrong bool) {
	if e.wrong == wrong {
		return
	}
	e.wrong = wrong
	e.Refresh()
}

// FocusGained draws the ring.
func (e *Entry) FocusGained() { e.gain(&e.Entry) }

// FocusLost takes it away.
func (e *Entry) FocusLost() { e.lose(&e.Entry) }

// CreateRenderer is called by Fyne.
func (e *Entry) CreateRenderer() fyne.WidgetRenderer {
	return newRinged(e.self, e.Entry.CreateRenderer(), fynetheme.SizeNameInputRadius, func() fyne.ThemeColorName {
		if e.wrong {
			return fynetheme.ColorNameError
		}
		return e.ring()
	})
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

// AccessibilityLabel is what is typed here, and what was. A password is not read out.
func (e *Entry) AccessibilityLabel() string {
	label := e.Label
	if label == "" {
		label = e.PlaceHolder
	}
	if e.Password {
		return label
	}
	return labelled(label, e.Text)
}

// AccessibilityRole is text.
func (e *Entry) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }
