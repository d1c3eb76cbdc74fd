package settings

import (
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
)

// section is a card of settings under a heading, and its entry in the index.
type section struct {
	name  string
	title *part.Text
	rows  []*row
	words func() []string // what else it can be found by; nil: its rows alone
	entry *part.Plate
	card  *fyne.Container
	root  *fyne.Container
	head  *fyne.Container
}

func (s *Page) section(name, title string, rows []*row, more ...*row) *section {
	section := &section{name: name, title: part.NewText(title).Bold(), rows: append(rows, more...), card: part.VBox(0)}
	for _, r := range section.rows {
		section.card.Add(r)
		s.rows[r.id] = r
	}
	section.entry = part.NewPlate(part.NewText(title).Giving(), title, func() { s.Take(name) })
	section.entry.Moved = func(by int) { s.lead(section, by) }
	sheet := part.NewSheet(section.card)
	sheet.Padding = fyne.NewSize(14, 3)
	section.head = container.NewStack(container.New(layout.NewCustomPaddedLayout(0, 0, 3, 3), section.title))
	section.root = part.VBox(7, section.head, sheet)
	return section
}

// with puts something into the section that is no list of rows, and something at the right of its heading.
func (c *section) with(content, aside fyne.CanvasObject, words func() []string) *section {
	c.card.Add(container.New(layout.NewCustomPaddedLayout(0, 8, 0, 0), content))
	c.words = words
	if aside != nil {
		c.head = part.Between(c.head, aside)
		c.root.Objects[0] = c.head
	}
	return c
}

// filter shows what is looked for, and tells whether that is anything.
func (c *section) filter(sought string, visible func(*row) bool) bool {
	found, first := false, true
	titled := model.Finds(sought, c.title.Words(), c.name)
	for _, r := range c.rows {
		on := visible(r) && (titled || model.Finds(sought, append(r.words(), c.title.Words())...))
		part.Show(r, on)
		if on {
			r.rule(!first)
			found, first = true, false
		}
	}
	if c.words != nil && (titled || model.Finds(sought, append(c.words(), c.title.Words())...)) {
		found = true
	}
	part.Show(c.root, found)
	part.Show(c.entry, found)
	return found
}

// filter shows what is looked for. Of access, what matters is shown only where others can come in, or somebody looks for it.
func (s *Page) filter() {
	listen := s.values.Value("listen")
	open := listen != "" && !model.Loopback(listen) || s.values.Value("access.allow") != "" || s.sought != ""
	any := false
	for _, section := range s.sections {
		shown := section.filter(s.sought, func(r *row) bool {
			switch r.id {
			case "access.allow", "access.users":
				return open
			case "cache.shared_private":
				return s.values.Value("cache.shared") != "" || s.sought != ""
			case loginID:
				return s.Login != nil
			}
			return true
		})
		any = any || shown
	}
	part.Show(s.nothing, !any)
	s.mark()
}

// mark shows in the index which section is at the top.
func (s *Page) mark() {
	var at *section
	for _, section := range s.sections {
		if !section.root.Visible() {
			continue
		}
		if at == nil || section.root.Position().Y-s.scroll.Offset.Y < s.scroll.Size().Height/4 {
			at = section
		}
	}
	end := s.scroll.Content.MinSize().Height - s.scroll.Size().Height
	if at != nil && (s.scroll.Offset.Y < end-1 || end <= 0 || !s.marked()) {
		s.choose(at)
	}
}

// marked tells whether the section that is marked in the index is to be seen: at the end it need not be the one at the top.
func (s *Page) marked() bool {
	for _, section := range s.sections {
		if section.name == s.jump.Value() {
			top := section.root.Position().Y - s.scroll.Offset.Y
			return section.root.Visible() && top < s.scroll.Size().Height && top+section.root.Size().Height > 0
		}
	}
	return false
}

// choose marks a section in the index.
func (s *Page) choose(chosen *section) {
	for _, section := range s.sections {
		section.entry.Choose(section == chosen)
	}
	s.jump.Set(s.options(), chosen.name)
}

func (s *Page) options() (options []part.Option) {
	for _, section := range s.sections {
		if section.root.Visible() {
			options = append(options, part.Option{Value: section.name, Label: section.title.Words()})
		}
	}
	return options
}

// lead goes through the index by keyboard.
func (s *Page) lead(from *section, by int) {
	found := slices.DeleteFunc(slices.Clone(s.sections), func(one *section) bool { return !one.root.Visible() })
	to := slices.Index(found, from) + by
	if to < 0 || to >= len(found) {
		return
	}
	s.Take(found[to].name)
	if c := fyne.CurrentApp().Driver().CanvasForObject(from.entry); c != nil {
		c.Focus(found[to].entry)
	}
}

// sides puts the index at the left of the sections where there is room, and else leaves it to the choice in the head.
type sides struct{ page *Page }

const index = 168

func (l *sides) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(360, 120) }

func (l *sides) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	const gap = 20
	wide := size.Width >= page.Roomy
	part.Show(objects[0], wide)
	part.Show(l.page.jump, !wide)
	objects[1].Move(fyne.NewPos(0, 0))
	objects[1].Resize(size)
	if wide {
		objects[0].Resize(fyne.NewSize(index, objects[0].MinSize().Height))
		objects[1].Move(fyne.NewPos(index+gap, 0))
		objects[1].Resize(fyne.NewSize(size.Width-index-gap, size.Height))
	}
}
