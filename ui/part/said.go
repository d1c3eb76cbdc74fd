package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/theme"
)

// Inset is the room that a label keeps around itself.
const Inset = 7

// NewNotice is an icon and a sentence that breaks where it has to.
func NewNotice(icon fyne.Resource, tint fyne.ThemeColorName, text string) fyne.CanvasObject {
	picture := widget.NewIcon(fynetheme.NewColoredResource(icon, tint))
	label := widget.NewLabel(text)
	label.Wrapping = fyne.TextWrapWord
	return container.New(&noticeLayout{}, picture, label)
}

// noticeLayout has an icon on the first line of a text.
type noticeLayout struct{}

func (*noticeLayout) MinSize(o []fyne.CanvasObject) fyne.Size {
	label := o[1].MinSize()
	return fyne.NewSize(noticeIcon+8+label.Width, label.Height-2*Inset+2)
}

func (*noticeLayout) Layout(o []fyne.CanvasObject, size fyne.Size) {
	o[0].Move(fyne.NewPos(0, 1))
	o[0].Resize(fyne.NewSquareSize(noticeIcon))
	o[1].Move(fyne.NewPos(noticeIcon+8-Inset, 1-Inset))
	o[1].Resize(fyne.NewSize(size.Width-noticeIcon-8+2*Inset, o[1].MinSize().Height))
}

const noticeIcon = 16

// NewProse is text of second rank that breaks where it has to.
func NewProse(text string) fyne.CanvasObject {
	rich := widget.NewRichText(&widget.TextSegment{Text: text, Style: widget.RichTextStyle{ColorName: theme.Muted, SizeName: fynetheme.SizeNameText}})
	rich.Wrapping = fyne.TextWrapWord
	return container.New(layout.NewCustomPaddedLayout(-Inset, -Inset, -Inset, -Inset), rich)
}

// NewQuote is what a program said, in its own words.
func NewQuote(text string) fyne.CanvasObject {
	label := widget.NewLabel(text)
	label.Wrapping = fyne.TextWrapWord
	label.SizeName = theme.SizeSmall
	sheet := NewSheet(container.New(layout.NewCustomPaddedLayout(-Inset+2, -Inset+2, -Inset, -Inset), label))
	sheet.Color, sheet.Padding = fynetheme.ColorNameInputBackground, fyne.NewSize(10, 4)
	return sheet
}

// NewVerdict is what came of something: a sign, a title and a sentence.
func NewVerdict(icon fyne.Resource, tint fyne.ThemeColorName, title, below string) fyne.CanvasObject {
	picture := widget.NewIcon(fynetheme.NewColoredResource(icon, tint))
	sign := container.New(layout.NewGridWrapLayout(fyne.NewSquareSize(26)), picture)
	head := NewText(title).Bold().Giving()
	text := VBox(2, head)
	if below != "" {
		text.Add(NewMuted(below).Giving())
	}
	return container.NewBorder(nil, nil, container.New(layout.NewCustomPaddedLayout(0, 0, 0, 12), Middle(sign)), nil, Middle(text))
}

// NewUnderWay is a sentence about something that takes a while.
func NewUnderWay(text string) fyne.CanvasObject {
	bar := widget.NewProgressBarInfinite()
	thin := container.New(layout.NewGridWrapLayout(fyne.NewSize(120, 4)), bar)
	return HBox(12, NewText(text), Middle(thin))
}

// NewParagraph is text of several lines, flush with what is around it.
func NewParagraph(text string, importance widget.Importance) fyne.CanvasObject {
	label := widget.NewLabel(text)
	label.Wrapping, label.Importance = fyne.TextWrapWord, importance
	return container.New(layout.NewCustomPaddedLayout(-Inset, -Inset, -Inset, -Inset), label)
}

// NewCommand is a command, or another text for a machine, that can be copied.
func NewCommand(text string, copy func(string)) fyne.CanvasObject {
	line := NewText(text).Giving()
	line.Style.Monospace, line.Scale = true, theme.SizeSmall
	sheet := NewSheet(container.NewBorder(nil, nil, nil, NewCopy("", func() string { return text }, copy), Middle(NewTip(line, line.Words))))
	sheet.Color, sheet.Padding = fynetheme.ColorNameInputBackground, fyne.NewSize(10, 3)
	return sheet
}
