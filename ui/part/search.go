package part

import (
	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/lang"
)

// Search is a field to filter by. Esc and a small button clear it.
type Search struct {
	Entry
	clear *IconButton
}

// NewSearch makes an empty one. changed hears of every change of the text.
func NewSearch(placeholder string, changed func(string)) *Search {
	s := &Search{}
	s.clear = NewIconButton(fynetheme.CancelIcon(), lang.Say("parts.clear"), func() {
		s.SetText("")
		if c := canvasFor(s); c != nil {
			c.Focus(s)
		}
	})
	s.clear.Hidden = true
	s.ActionItem = s.clear
	s.Wrapping = fyne.TextWrap(fyne.TextTruncateClip) // as widget.NewEntry has it: one line that scrolls
	s.PlaceHolder, s.Icon = placeholder, fynetheme.NewColoredResource(fynetheme.SearchIcon(), fynetheme.ColorNamePlaceHolder)
	s.OnChanged = func(text string) {
		if (text == "") != s.clear.Hidden {
			s.clear.Hidden = text == ""
			s.Refresh()
		}
		if changed != nil {
			changed(text)
		}
	}
	s.ExtendBaseWidget(s)
	return s
}

// MinSize has room for a few words. Fyne's entries have none, and show bars to scroll by where their text does not fit.
func (s *Search) MinSize() fyne.Size {
	const least = 180
	size := s.Entry.MinSize()
	return fyne.NewSize(max(size.Width, least), size.Height)
}

// TypedKey clears the field on Esc. The window gets an Esc that finds nothing to clear.
func (s *Search) TypedKey(e *fyne.KeyEvent) {
	if e.Name == fyne.KeyEscape && s.Text != "" {
		s.SetText("")
		return
	}
	s.Entry.TypedKey(e)
}
