package tray

import (
	"sync/atomic"

	"pulley/ui/model"
)

// Host is the status area, as far as a Bar needs one. Entries can be added at
// the end only and never taken away; that is all that tray libraries agree on.
type Host interface {
	Icon(form Form)
	Tooltip(text string)
	Line()
	// Add puts an entry at the end of the menu, or of parent's submenu.
	Add(parent Entry, label string, checkable bool, clicked func()) Entry
}

// Entry is a line of a menu on a Host.
type Entry interface {
	Label(string)
	Check(bool)
	Enable(bool)
	Show(bool)
}

// Bar draws menus on a host, changing what differs and nothing else. An entry
// keeps its identity, and so its meaning, for as long as the program runs: a
// click that was aimed at an older menu does what that menu said.
//
// Draw is not for several goroutines at once.
type Bar struct {
	host    Host
	clicked func(model.Action)
	drawn   bool
	form    Form
	tooltip string
	entries map[string]*entry
	spare   []*entry // hidden, without a key yet; where a section grows
}

type entry struct {
	on     Entry
	item   Item
	action atomic.Pointer[model.Action] // read by the host's goroutines
}

// spares is how many entries can come to a section that grows after it was first
// drawn, over the life of the program: registries were not known before the
// daemon answered, or are added to config.toml later.
const spares = 32

// NewBar makes a bar that has drawn nothing. clicked is called on whichever
// goroutine the host calls on.
func NewBar(host Host, clicked func(model.Action)) *Bar {
	return &Bar{host: host, clicked: clicked, entries: map[string]*entry{}}
}

// Draw brings the host to what m says.
func (b *Bar) Draw(m Menu) {
	if b.form != m.Form {
		b.host.Icon(m.Form)
	}
	if b.tooltip != m.Tooltip {
		b.host.Tooltip(m.Tooltip)
	}
	b.form, b.tooltip = m.Form, m.Tooltip

	seen := map[string]bool{}
	for i, section := range m.Sections {
		if !b.drawn && i > 0 {
			b.host.Line()
		}
		for _, item := range section.Items {
			b.draw(nil, item, seen)
		}
		if !b.drawn && section.Grows {
			for range spares {
				b.spare = append(b.spare, b.add(nil, Item{Hidden: true}))
			}
		}
		for _, item := range section.Tail {
			b.draw(nil, item, seen)
		}
	}
	b.drawn = true
	for key, e := range b.entries {
		if !seen[key] {
			gone := e.item
			gone.Hidden = true
			e.become(gone)
		}
	}
}

func (b *Bar) draw(parent *entry, item Item, seen map[string]bool) {
	e := b.entries[item.Key]
	switch {
	case e != nil:
	case parent == nil && b.drawn:
		if len(b.spare) == 0 || item.Hidden {
			return
		}
		e, b.spare = b.spare[0], b.spare[1:]
		e.item.Key = item.Key
	default:
		e = b.add(parent, item)
	}
	b.entries[item.Key] = e
	seen[item.Key] = true
	e.become(item)
	for _, child := range item.Children {
		b.draw(e, child, seen)
	}
}

func (b *Bar) add(parent *entry, item Item) *entry {
	var under Entry
	if parent != nil {
		under = parent.on
	}
	e := &entry{item: Item{Key: item.Key, Label: item.Label, Checkable: item.Checkable}}
	e.on = b.host.Add(under, item.Label, item.Checkable, func() {
		if action := e.action.Load(); action != nil {
			b.clicked(*action)
		}
	})
	e.become(item)
	return e
}

// become changes what differs from what is drawn.
func (e *entry) become(item Item) {
	old := e.item
	e.item = item
	if old.Action != item.Action {
		e.action.Store(&item.Action)
	}
	if old.Label != item.Label {
		e.on.Label(item.Label)
	}
	if old.Checked != item.Checked {
		e.on.Check(item.Checked)
	}
	if old.Disabled != item.Disabled {
		e.on.Enable(!item.Disabled)
	}
	if old.Hidden != item.Hidden {
		e.on.Show(!item.Hidden)
	}
}
