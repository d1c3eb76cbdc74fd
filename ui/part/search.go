package part

import (
	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Search is a field to filter by. Esc clears it.
type Search struct {
	widget.Entry
}

// NewSearch makes an empty one. changed hears of every change of the text.
func NewSearch(placeholder string, changed func(string)) *Search {
	s := &Search{}
	s.PlaceHolder, s.OnChanged, s.Icon = placeholder, changed, fynetheme.SearchIcon()
	s.ExtendBaseWidget(s)
	return s
}

// TypedKey clears the field on Esc.
func (s *Search) TypedKey(e *fyne.KeyEvent) {
	if e.Name == fyne.KeyEscape && s.Text != "" {
		s.SetText("")
		return
	}
	s.Entry.TypedKey(e)
}
