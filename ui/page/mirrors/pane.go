package mirrors

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"pulley/ui/page"
	"pulley/ui/part"
)

// pane puts the registries and what is said of the chosen one beside each other, or, where there is no room for that,
// the latter below its registry, like the leaves of a folder.
type pane struct {
	shelf  *shelf
	detail *detail

	narrow bool
	left   *fyne.Container // wide: the registries
	right  *fyne.Container // wide: the chosen one
	all    *fyne.Container // narrow: both
	sides  *fyne.Container
	shown  *part.Scroll // that the detail is in
	leaf   *part.Scroll // wide
	whole  *part.Scroll // narrow
	root   *fyne.Container
}

func newPane(shelf *shelf, detail *detail) *pane {
	const shelfWidth, gap, margin = 212, 16, 20
	p := &pane{shelf: shelf, detail: detail, left: part.VBox(2), right: part.VBox(0), all: part.VBox(4)}
	inset := func(object fyne.CanvasObject) fyne.CanvasObject {
		return container.New(layout.NewCustomPaddedLayout(0, margin, 0, margin), object)
	}
	p.leaf, p.whole = part.NewScroll(inset(p.right)), part.NewScroll(inset(p.all))
	registries := part.NewScroll(container.New(layout.NewCustomPaddedLayout(0, margin, 0, 0), p.left))
	p.sides = container.New(sideBySide{width: shelfWidth, gap: gap}, registries, p.leaf)
	p.shown = p.leaf
	p.whole.Hide()
	p.root = container.New(&turning{p}, p.sides, p.whole)
	detail.sources.Follow = p.follow
	return p
}

// arrange puts everything where it belongs now.
func (p *pane) arrange() {
	rows := p.shelf.rows()
	if !p.narrow {
		part.Fill(p.left, rows...)
		part.Fill(p.right, p.detail.root)
		return
	}
	objects := make([]fyne.CanvasObject, 0, len(rows)+1)
	for _, row := range rows {
		objects = append(objects, row)
		if tab, ok := row.(*part.Plate); ok && tab.Chosen {
			objects = append(objects, p.detail.root)
		}
	}
	part.Fill(p.all, objects...)
}

// turn changes between the two ways.
func (p *pane) turn(narrow bool) {
	if p.narrow == narrow {
		return
	}
	p.narrow, p.shown = narrow, p.leaf
	part.Show(p.detail.name, !narrow) // else it stands right above
	part.Fill(p.left)
	part.Fill(p.right)
	part.Fill(p.all)
	if narrow {
		p.shown = p.whole
	}
	part.Show(p.sides, !narrow)
	part.Show(p.whole, narrow)
	p.arrange()
}

// top shows the beginning of the chosen registry.
func (p *pane) top() {
	if !p.narrow {
		p.leaf.ScrollToTop()
	}
}

// follow has part of the rows be seen, for part.Reorder.
func (p *pane) follow(top, bottom float32) float32 {
	return scrollTo(p.shown, p.detail.sources, top, bottom)
}

// scrollTo moves a scroll as little as needed for the part of object between top and bottom to be seen, and returns by how
// much. A part that is larger than the window is shown from its top.
func scrollTo(s *part.Scroll, object fyne.CanvasObject, top, bottom float32) float32 {
	driver := fyne.CurrentApp().Driver()
	const air = 10
	begins := driver.AbsolutePositionForObject(object).Y - driver.AbsolutePositionForObject(s).Y
	top, bottom = begins+top-air, begins+bottom+air
	var by float32
	switch {
	case top < 0 || bottom-top > s.Size().Height:
		by = top
	case bottom > s.Size().Height:
		by = bottom - s.Size().Height
	default:
		return 0
	}
	before := s.Offset.Y
	s.ScrollToOffset(fyne.NewPos(0, min(max(before+by, 0), max(s.Content.MinSize().Height-s.Size().Height, 0))))
	return s.Offset.Y - before
}

// sideBySide gives the first object a width and the second the rest.
type sideBySide struct{ width, gap float32 }

func (l sideBySide) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(l.width+l.gap+objects[1].MinSize().Width, 60)
}

func (l sideBySide) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	objects[0].Resize(fyne.NewSize(l.width, size.Height))
	objects[1].Move(fyne.NewPos(l.width+l.gap, 0))
	objects[1].Resize(fyne.NewSize(size.Width-l.width-l.gap, size.Height))
}

// turning gives the pane's two ways all the room, and chooses between them.
type turning struct{ pane *pane }

func (t *turning) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(360, 120) }

func (t *turning) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	t.pane.turn(size.Width < page.Roomy)
	for _, object := range objects {
		object.Move(fyne.NewPos(0, 0))
		object.Resize(size)
	}
}
