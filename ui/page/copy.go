package page

import (
	"time"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/part"
)

// thanked is how long a copy button shows that it copied.
const thanked = 1500 * time.Millisecond

func copyButton(copy func()) *part.Press {
	var button *part.Press
	button = part.NewPress(fynetheme.ContentCopyIcon(), func() {
		copy()
		button.Set(fynetheme.ConfirmIcon())
		time.AfterFunc(thanked, func() {
			fyne.Do(func() { button.Set(fynetheme.ContentCopyIcon()) })
		})
	})
	return button
}
