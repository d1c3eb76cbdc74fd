package page

import (
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/part"
)

// copyButton is one that copies, and shows that it did.
func copyButton(copied func()) *part.Press {
	var button *part.Press
	button = part.NewPress(fynetheme.ContentCopyIcon(), func() {
		copied()
		button.Confirm()
	})
	return button
}
