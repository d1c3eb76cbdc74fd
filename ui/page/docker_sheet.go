package page

import (
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/part"
	"pulley/ui/theme"
)

// modal is a sheet over the window: a title, something below it that scrolls where it has to, and buttons.
type modal struct {
	title, below *part.Text
	body         *fyne.Container
	scroll       *container.Scroll
	buttons      *fyne.Container
	popup        *widget.PopUp
	overlay      fyne.CanvasObject // what the window knows it by
	size         fyne.Size
	frame        *modalFrame
	closed       bool
}

// newModal makes one that is not shown yet. size is what it has where the window has room for it.
func newModal(title, below string, size fyne.Size) *modal {
	m := &modal{title: part.NewText(title).Bold().Giving(), below: part.NewMuted(below).Giving(), body: column(12), buttons: row(8), size: size}
	m.title.Scale = fynetheme.SizeNameSubHeadingText
	m.scroll = container.NewVScroll(container.New(layout.NewCustomPaddedLayout(2, 2, 0, 10), m.body))
	head := column(3, m.title, m.below)
	show(m.below, below != "")
	foot := container.NewBorder(nil, nil, nil, m.buttons)
	m.frame = &modalFrame{modal: m}
	m.frame.content = container.New(layout.NewCustomPaddedLayout(14, 14, 18, 18),
		container.NewBorder(container.New(layout.NewCustomPaddedLayout(0, 12, 0, 0), head), container.New(layout.NewCustomPaddedLayout(12, 0, 0, 0), foot), nil, nil, m.scroll))
	m.frame.ExtendBaseWidget(m.frame)
	return m
}

// open shows it.
func (m *modal) open(w fyne.Window) {
	m.popup = widget.NewModalPopUp(m.frame, w.Canvas())
	m.popup.Show()
	m.overlay = w.Canvas().Overlays().Top()
	m.fit(w.Canvas().Size())
}

// fit has it as high as what is on it, no higher than it wants to be, and no larger than the window.
func (m *modal) fit(window fyne.Size) {
	most := fyne.NewSize(min(m.size.Width, window.Width-48), min(m.size.Height, window.Height-48))
	m.popup.Resize(most)
	for range 2 { // texts break by the width, which it has by now, and then want another height
		m.body.Refresh()
		rest := m.frame.MinSize().Height - m.scroll.MinSize().Height
		most.Height = min(most.Height, max(rest+m.scroll.Content.MinSize().Height, modalLeast))
	}
	m.popup.Resize(most)
	m.popup.Move(fyne.NewPos((window.Width-most.Width)/2, (window.Height-most.Height)/2))
}

// modalLeast is how high it is at least: lower ones look like a mistake.
const modalLeast = 180

// close takes it away.
func (m *modal) close() {
	if m.closed {
		return
	}
	m.closed = true
	if m.popup != nil {
		m.popup.Hide()
	}
}

// gone tells whether it was closed, by whatever.
func (m *modal) gone() bool {
	return m.closed || m.popup != nil && !slices.Contains(m.popup.Canvas.Overlays().List(), m.overlay)
}

// set changes what is on it, and its buttons, the last of them the one that is meant.
func (m *modal) set(body []fyne.CanvasObject, buttons ...fyne.CanvasObject) {
	m.body.Objects = body
	m.buttons.Objects = buttons
	m.body.Refresh()
	m.buttons.Refresh()
	m.frame.Refresh()
	m.scroll.ScrollToTop()
	if m.popup != nil {
		m.refit()
	}
}

// refit gives it the height of what is on it now.
func (m *modal) refit() {
	if c := fyne.CurrentApp().Driver().CanvasForObject(m.frame); c != nil && !m.gone() {
		m.fit(c.Size())
	}
}

// cancel is the button that closes it.
func (m *modal) cancel(key string) *part.Button { return part.NewButton(lang.Say(key), m.close) }

// meant is the button of what the sheet is for.
func meant(text string, tapped func()) *part.Button {
	b := part.NewButton(text, tapped)
	b.Importance = widget.HighImportance
	return b
}

// modalFrame is the content.
type modalFrame struct {
	widget.BaseWidget
	modal   *modal
	content fyne.CanvasObject
}

// CreateRenderer is called by Fyne.
func (f *modalFrame) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(f.content) }

// notice is an icon and a sentence that breaks where it has to.
func notice(icon fyne.Resource, tint fyne.ThemeColorName, text string) fyne.CanvasObject {
	picture := widget.NewIcon(fynetheme.NewColoredResource(icon, tint))
	label := widget.NewLabel(text)
	label.Wrapping = fyne.TextWrapWord
	return container.New(&noticeLayout{}, picture, label)
}

// noticeLayout has an icon on the first line of a text.
type noticeLayout struct{}

const noticeIcon = 16

func (*noticeLayout) MinSize(o []fyne.CanvasObject) fyne.Size {
	label := o[1].MinSize()
	return fyne.NewSize(noticeIcon+8+label.Width, label.Height-2*inset+2)
}

func (*noticeLayout) Layout(o []fyne.CanvasObject, size fyne.Size) {
	o[0].Move(fyne.NewPos(0, 1))
	o[0].Resize(fyne.NewSquareSize(noticeIcon))
	o[1].Move(fyne.NewPos(noticeIcon+8-inset, 1-inset))
	o[1].Resize(fyne.NewSize(size.Width-noticeIcon-8+2*inset, o[1].MinSize().Height))
}

// copied is a command, or another text for a machine, that can be copied.
func copied(d Desk, text string) fyne.CanvasObject {
	line := part.NewText(text).Giving()
	line.Style.Monospace, line.Scale = true, theme.SizeSmall
	sheet := part.NewSheet(container.NewBorder(nil, nil, nil, part.NewCopy(func() string { return text }, d.Copy), middle(part.NewTip(line, line.Words))))
	sheet.Color, sheet.Padding = fynetheme.ColorNameInputBackground, fyne.NewSize(10, 3)
	return sheet
}
