package part

import (
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
)

// Modal is a sheet over the window: a title, something below it that scrolls where it has to, and buttons.
type Modal struct {
	title, below *Text
	body         *fyne.Container
	scroll       *Scroll
	buttons      *fyne.Container
	popup        *widget.PopUp
	overlay      fyne.CanvasObject // what the window knows it by
	size         fyne.Size
	frame        *modalFrame
	closed       bool
}

// NewModal makes one that is not shown yet. size is what it has where the window has room for it.
func NewModal(title, below string, size fyne.Size) *Modal {
	m := &Modal{title: NewText(title).Bold().Giving(), below: NewMuted(below).Giving(), body: VBox(12), buttons: HBox(8), size: size}
	m.title.Scale = fynetheme.SizeNameSubHeadingText
	m.scroll = NewScroll(container.New(layout.NewCustomPaddedLayout(2, 2, 0, 10), m.body))
	head := VBox(3, m.title, m.below)
	Show(m.below, below != "")
	foot := container.NewBorder(nil, nil, nil, m.buttons)
	m.frame = &modalFrame{modal: m}
	m.frame.content = container.New(layout.NewCustomPaddedLayout(14, 14, 18, 18),
		container.NewBorder(container.New(layout.NewCustomPaddedLayout(0, 12, 0, 0), head), container.New(layout.NewCustomPaddedLayout(12, 0, 0, 0), foot), nil, nil, m.scroll))
	m.frame.ExtendBaseWidget(m.frame)
	return m
}

// Open shows it.
func (m *Modal) Open(w fyne.Window) {
	m.popup = widget.NewModalPopUp(m.frame, w.Canvas())
	m.popup.Show()
	m.overlay = w.Canvas().Overlays().Top()
	m.fit(w.Canvas().Size())
}

// fit has it as high as what is on it, no higher than it wants to be, and no larger than the window.
func (m *Modal) fit(window fyne.Size) {
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

// Close takes it away.
func (m *Modal) Close() {
	if m.closed {
		return
	}
	m.closed = true
	if m.popup != nil {
		m.popup.Hide()
	}
}

// Gone tells whether it was closed, by whatever.
func (m *Modal) Gone() bool {
	return m.closed || m.popup != nil && !slices.Contains(m.popup.Canvas.Overlays().List(), m.overlay)
}

// Set changes what is on it, and its buttons, the last of them the one that is meant.
func (m *Modal) Set(body []fyne.CanvasObject, buttons ...fyne.CanvasObject) {
	m.body.Objects = body
	m.buttons.Objects = buttons
	m.body.Refresh()
	m.buttons.Refresh()
	m.frame.Refresh()
	m.scroll.ScrollToTop()
	m.Refit()
}

// Space puts gaps of another size between what is on it.
func (m *Modal) Space(gap float32) { m.body.Layout = layout.NewCustomPaddedVBoxLayout(gap) }

// End shows the last of what is on it.
func (m *Modal) End() { m.scroll.ScrollToBottom() }

// Refit gives it the height of what is on it now.
func (m *Modal) Refit() {
	if m.popup == nil {
		return
	}
	m.body.Refresh()
	if c := fyne.CurrentApp().Driver().CanvasForObject(m.frame); c != nil && !m.Gone() {
		m.fit(c.Size())
	}
}

// Cancel is the button that closes it, with the text of a key.
func (m *Modal) Cancel(key string) *Button { return NewButton(lang.Say(key), m.Close) }

// modalLeast is how high it is at least: lower ones look like a mistake.
const modalLeast = 180

// modalFrame is the content.
type modalFrame struct {
	widget.BaseWidget
	modal   *Modal
	content fyne.CanvasObject
}

// CreateRenderer is called by Fyne.
func (f *modalFrame) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(f.content) }

// AccessibilityLabel is all that stands on it.
func (f *modalFrame) AccessibilityLabel() string { return reading(f.content) }

// AccessibilityRole is text: a container would be passed over.
func (f *modalFrame) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// NewMeant is the button of what a sheet is for.
func NewMeant(text string, tapped func()) *Button {
	b := NewButton(text, tapped)
	b.Importance = widget.HighImportance
	return b
}
