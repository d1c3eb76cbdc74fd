package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// SmallProse is text of second rank that takes as many lines as it needs.
type SmallProse struct {
	Root fyne.CanvasObject
	text *widget.TextSegment
	rich *widget.RichText
}

// NewSmallProse makes one.
func NewSmallProse(text string) *SmallProse {
	p := &SmallProse{text: &widget.TextSegment{Text: text, Style: widget.RichTextStyle{ColorName: theme.Muted, SizeName: theme.SizeSmall}}}
	p.rich = widget.NewRichText(p.text)
	p.rich.Wrapping = fyne.TextWrapWord
	p.Root = container.New(layout.NewCustomPaddedLayout(-Inset, -Inset, -Inset, -Inset), p.rich)
	return p
}

// Words are the text.
func (p *SmallProse) Words() string { return p.text.Text }

// Set changes it.
func (p *SmallProse) Set(text string) {
	if p.text.Text != text {
		p.text.Text = text
		p.rich.Refresh()
	}
}
