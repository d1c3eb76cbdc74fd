package part

import (
	"image/color"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/theme"
)

// Side is what stands at the right of a page: one of its things, in full.
type Side struct {
	// Back gets the keyboard when what had it is gone with the panel; nil: nothing does.
	Back fyne.Focusable

	shut         *IconButton
	title, below *Text
	body         *fyne.Container
	scroll       *Scroll
	sheet        *plane
	closed       func()
	Root         *fyne.Container
}

// NewSide lays a page out: main, and beside it a panel that is not open.
func NewSide(main fyne.CanvasObject, closed func()) *Side {
	s := &Side{title: NewText("").Bold().Giving(), below: NewMuted("").Giving(), body: VBox(Gap), closed: closed}
	s.title.Scale = fynetheme.SizeNameSubHeadingText
	s.shut = NewIconButton(fynetheme.CancelIcon(), lang.Say("images.detail.close"), func() { s.Shut() })
	head := container.New(layout.NewCustomPaddedLayout(Margin-4, 8, Margin, Margin-8),
		container.NewBorder(nil, nil, nil, container.NewVBox(s.shut), VBox(2, NewTip(s.title, s.title.Words), NewTip(s.below, s.below.Words))))
	s.scroll = NewScroll(container.New(layout.NewCustomPaddedLayout(6, Margin, Margin, Margin), s.body))
	s.sheet = newPlane(Border(head, nil, nil, nil, s.scroll))
	s.sheet.Hide()
	s.Root = container.New(sideLayout{}, main, s.sheet)
	return s
}

// Open shows the panel with these objects, from the top. One that is open already stays where it is scrolled to, and the keyboard where
// it is in it: it may be the same thing as before, told anew.
func (s *Side) Open(title, below string, objects ...fyne.CanvasObject) {
	focused, inside := s.focused()
	at := slices.Index(focusables(s.body), focused)
	s.title.Set(title)
	s.below.Set(below)
	s.body.Objects = objects
	s.body.Refresh()
	if inside && focused != fyne.Focusable(s.shut) {
		s.focus(at)
	}
	if !s.sheet.Visible() {
		s.scroll.ScrollToTop()
		s.sheet.Show()
		s.Root.Refresh()
	}
}

// Shown tells whether it is open.
func (s *Side) Shown() bool { return s.sheet.Visible() }

// Shut closes it, and tells whether it was open.
func (s *Side) Shut() bool {
	if !s.sheet.Visible() {
		return false
	}
	_, inside := s.focused()
	s.sheet.Hide()
	s.Root.Refresh()
	s.closed()
	if inside {
		s.focus(-1)
	}
	return true
}

// focused is what has the keyboard, and whether that is in the panel.
func (s *Side) focused() (fyne.Focusable, bool) {
	c := canvasFor(s.Root)
	if c == nil || !s.sheet.Visible() || c.Focused() == nil {
		return nil, false
	}
	object, is := c.Focused().(fyne.CanvasObject)
	return c.Focused(), is && (c.Focused() == fyne.Focusable(s.shut) || holds(s.scroll, object))
}

// focus gives the keyboard to what takes it in the panel, counted from its top; where that is not there, back.
func (s *Side) focus(at int) {
	to := s.Back
	if all := focusables(s.body); at >= 0 && at < len(all) {
		to = all[at]
	}
	if c := canvasFor(s.Root); c != nil && to != nil {
		c.Focus(to)
	}
}

// focusables are what takes the keyboard in a container and in those in it.
func focusables(c *fyne.Container) (found []fyne.Focusable) {
	for _, o := range c.Objects {
		switch o := o.(type) {
		case *fyne.Container:
			found = append(found, focusables(o)...)
		case fyne.Focusable:
			found = append(found, o)
		}
	}
	return found
}

// sideLayout is that of main and panel.
type sideLayout struct{}

func (sideLayout) MinSize(objects []fyne.CanvasObject) fyne.Size { return objects[0].MinSize() }

func (sideLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	main, panel := objects[0], objects[1]
	room := size
	if panel.Visible() && size.Width >= sideBeside {
		room.Width -= sideWidth
	}
	main.Move(fyne.NewPos(0, 0))
	main.Resize(room)
	width := min(sideWidth, size.Width-2*Margin)
	panel.Move(fyne.NewPos(size.Width-width, 0))
	panel.Resize(fyne.NewSize(width, size.Height))
}

// plane is a surface with a hairline at its left, which keeps the pointer from what it lies over.
type plane struct {
	widget.BaseWidget
	content fyne.CanvasObject
}

func newPlane(content fyne.CanvasObject) *plane {
	p := &plane{content: content}
	p.ExtendBaseWidget(p)
	return p
}

// Tapped takes what misses the content.
func (p *plane) Tapped(*fyne.PointEvent) {}

// TappedSecondary does, too.
func (p *plane) TappedSecondary(*fyne.PointEvent) {}

// Scrolled does, too.
func (p *plane) Scrolled(*fyne.ScrollEvent) {}

// AccessibilityLabel is all that stands on it.
func (p *plane) AccessibilityLabel() string { return reading(p.content) }

// AccessibilityRole is text: a container would be passed over.
func (p *plane) AccessibilityRole() fyne.AccessibleRole { return fyne.AccessibleRoleText }

// CreateRenderer is called by Fyne.
func (p *plane) CreateRenderer() fyne.WidgetRenderer {
	const shadeWidth = 12
	shade := canvas.NewHorizontalGradient(color.Transparent, color.Transparent) // on what it lies over
	ground, line := &canvas.Rectangle{}, &canvas.Rectangle{}
	d := &drawing{objects: []fyne.CanvasObject{shade, ground, line, p.content}, least: p.content.MinSize}
	d.paint = func() {
		shade.EndColor, ground.FillColor, line.FillColor = hue(p, fynetheme.ColorNameShadow), hue(p, theme.Card), hue(p, theme.CardBorder)
	}
	d.layout = func(size fyne.Size) {
		shade.Move(fyne.NewPos(-shadeWidth, 0))
		shade.Resize(fyne.NewSize(shadeWidth, size.Height))
		ground.Resize(size)
		line.Resize(fyne.NewSize(1, size.Height))
		p.content.Resize(size)
	}
	d.paint()
	return d
}

// Measures of a page and its side panel.
const (
	Margin     = 20
	Gap        = 12
	sideWidth  = 340
	sideBeside = 1180 // from this width of the page on the panel stands beside what is on it, else it lies over that
)
