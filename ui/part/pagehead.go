package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"pulley/ui/theme"
)

// PageTop is what is left free above a page's head. Below it is a Gap.
const PageTop = 18

const headTall = 36

// NewPageHead is the line that a page begins with, the same on all of them: its title, more about it beside that ("214"; nil: nothing),
// and what can be done on the whole page at the right.
func NewPageHead(title string, more fyne.CanvasObject, controls ...fyne.CanvasObject) fyne.CanvasObject {
	words := NewText(title).Bold()
	words.Scale = theme.SizeHead
	left := HBox(8, Middle(words))
	if more != nil {
		left.Add(Middle(container.New(layout.NewCustomPaddedLayout(5, 0, 0, 0), more)))
	}
	right := HBox(8)
	for _, c := range controls {
		right.Add(Middle(c))
	}
	return container.New(FixedHeight(headTall), Between(left, right))
}
