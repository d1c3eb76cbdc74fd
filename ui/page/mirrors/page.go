// Package mirrors is the page of where each registry's bytes come from: its route, its mirrors, their order and their measures,
// and the form for another one.
package mirrors

import (
	"context"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/words"
)

// Page is the page of where each registry's bytes come from: its route, its sources in order, and how fast they are.
type Page struct {
	desk    page.Desk
	sources model.Sources
	view    model.View
	now     time.Time
	chosen  string // the registry that is shown; "" none yet

	front  bool
	asking bool
	asked  time.Time
	failed string // why the daemon did not say where bytes come from

	tests context.CancelFunc // of the test that runs; nil: none

	shelf   *shelf
	detail  *detail
	testAll *part.Button
	add     *part.Button
	trouble *part.Text
	pane    *pane
	root    fyne.CanvasObject
}

// New makes the page.
func New(d page.Desk) *Page {
	m := &Page{desk: d, trouble: part.NewMuted("").Giving()}
	m.shelf = newShelf(m.choose)
	m.detail = newDetail(m)
	m.testAll = part.NewButtonWithIcon(lang.Say("mirrors.test_all"), fynetheme.MediaPlayIcon(), m.toggleTests)
	m.add = part.NewButtonWithIcon(lang.Say("mirrors.add"), fynetheme.ContentAddIcon(), func() { m.detail.edit(nil) })
	m.trouble.Tint(fynetheme.ColorNameError)
	m.trouble.Hide()
	head := part.NewPageHead(lang.Say("mirrors.title"), nil, m.testAll, m.add)
	m.pane = newPane(m.shelf, m.detail)
	m.root = container.New(layout.NewCustomPaddedLayout(part.PageTop, 0, part.Margin, 0), part.Border(
		container.New(layout.NewCustomPaddedLayout(0, part.Gap, 0, part.Margin), part.VBox(6, head, m.trouble)), nil, nil, nil, m.pane.root))
	m.render()
	return m
}

// Root is what to put into the window.
func (m *Page) Root() fyne.CanvasObject { return m.root }

// Show brings the page to what v says.
func (m *Page) Show(v model.View, now time.Time) {
	m.view, m.now = v, now
	if m.chosen == "" {
		if lately, _ := model.Shelve(v.State.Registries, now); len(lately) > 0 {
			m.chosen = lately[0].Name
		}
	}
	m.render()
	if m.front && now.Sub(m.asked) >= page.Fresh {
		m.ask()
	}
}

// Enter asks for the sources.
func (m *Page) Enter() {
	m.front = true
	m.ask()
}

// Leave stops asking. A test goes on.
func (m *Page) Leave() { m.front = false }

// Escape implements Layered: it closes the form.
func (m *Page) Escape() bool {
	open := m.detail.formCard.Visible()
	m.detail.close()
	return open
}

// Take leads to a registry, or to a mirror as "registry/name".
func (m *Page) Take(thing string) {
	for _, r := range m.view.State.Registries {
		if thing == r.Name {
			m.choose(r.Name)
			return
		}
		if name, ok := cutName(thing, r.Name); ok {
			m.choose(r.Name)
			m.detail.open[model.Named{Registry: r.Name, Name: name}] = true
			m.render()
			m.detail.reveal(name)
			return
		}
	}
}

func cutName(thing, registry string) (string, bool) {
	if len(thing) > len(registry)+1 && thing[:len(registry)+1] == registry+"/" {
		return thing[len(registry)+1:], true
	}
	return "", false
}

// choose shows a registry.
func (m *Page) choose(registry string) {
	if m.chosen == registry {
		return
	}
	m.chosen = registry
	m.detail.close()
	m.render()
	m.pane.top()
}

// registry is the one that is shown.
func (m *Page) registry() (control.Registry, bool) {
	for _, r := range m.view.State.Registries {
		if r.Name == m.chosen {
			return r, true
		}
	}
	return control.Registry{}, false
}

func (m *Page) render() {
	m.shelf.show(m.view, m.chosen, m.now)
	m.detail.show()
	m.pane.arrange()
	m.trouble.Set(m.failed)
	part.Show(m.trouble, m.failed != "")
	label, icon := lang.Say("mirrors.test_all"), fynetheme.MediaPlayIcon()
	if m.tests != nil {
		label, icon = lang.Say("mirrors.test_stop"), fynetheme.MediaStopIcon()
	}
	if m.testAll.Text != label {
		m.testAll.SetText(label)
		m.testAll.SetIcon(icon)
	}
	part.Enable(m.testAll, m.desk.Daemon() != nil && m.sources.Known())
	part.Enable(m.add, m.desk.Daemon() != nil && m.chosen != "")
}

// ask asks the daemon for all sources.
func (m *Page) ask() {
	daemon := m.desk.Daemon()
	if daemon == nil || m.asking {
		return
	}
	m.asking, m.asked = true, m.desk.Now()
	era := m.sources.Ask()
	m.desk.Work(func(ctx context.Context) func() {
		list, err := daemon.Sources(ctx, "")
		return func() {
			m.asking = false
			switch {
			case err != nil:
				m.failed = lang.Say("mirrors.failed", "Reason", words.Reason(err))
			case !m.sources.Heard(era, list):
				m.failed = ""
				m.ask() // something was done meanwhile
				return
			default:
				m.failed = ""
			}
			m.render()
		}
	})
}

// change does something at the daemon that is shown already. key names the sentence for when it refuses, with the mirror's
// Name and the Reason in it. after, which may be nil, hears what came of it.
func (m *Page) change(key, name string, do func(context.Context, page.Daemon) error, after func(error)) {
	daemon := m.desk.Daemon()
	m.render()
	m.desk.Work(func(ctx context.Context) func() {
		err := model.ErrNotRunning
		if daemon != nil {
			err = do(ctx, daemon)
		}
		return func() {
			m.sources.Done()
			if after != nil {
				after(err)
			}
			if err != nil {
				m.desk.Toast(page.Toast{Text: lang.Say(key, "Name", name, "Reason", words.Reason(err)), Bad: true})
			}
			m.ask()
			m.render()
		}
	})
}

// flip switches a mirror on or off. One whose address is for a person to fill in asks for that first.
func (m *Page) flip(of model.Named, on bool) {
	if s, found := m.sources.Find(of); found && on && strings.Contains(s.URL, "{") {
		m.render() // it stays off until then
		m.detail.edit(&s)
		m.detail.form.on = true
		return
	}
	m.switchTo(of, on)
}

func (m *Page) switchTo(of model.Named, on bool) {
	m.sources.Switch(of, on)
	m.change("mirrors.switch_failed", of.Name, func(ctx context.Context, d page.Daemon) error {
		return d.SwitchMirror(ctx, of.Registry, of.Name, on)
	}, nil)
}

// reorder takes a new order of the mirrors that are open; closed ones stay after them.
func (m *Page) reorder(registry string, names []string) {
	m.sources.Order(registry, names)
	m.change("mirrors.order_failed", registry, func(ctx context.Context, d page.Daemon) error {
		return d.OrderMirrors(ctx, registry, names)
	}, nil)
}

// remove takes a mirror away: at once to the eye, in earnest when nobody wanted it back.
func (m *Page) remove(of model.Named) {
	found, _ := m.sources.Find(of)
	m.sources.Remove(of)
	m.render()
	key := "mirrors.removed"
	if found.BuiltIn {
		key = "mirrors.reset_done"
	}
	m.desk.Toast(page.Toast{
		Text: lang.Say(key, "Name", of.Name, "Registry", of.Registry),
		Undo: func() { m.sources.Restore(of); m.render() },
		Done: func() {
			m.change("mirrors.remove_failed", of.Name, removeCall(of.Registry, of.Name), func(err error) { m.sources.Removed(of, err == nil) })
		},
	})
}

// save adds a mirror, or amends one. then hears whether the daemon took it, and if not why.
func (m *Page) save(mirror control.Mirror, then func(error)) {
	daemon := m.desk.Daemon()
	m.desk.Work(func(ctx context.Context) func() {
		err := model.ErrNotRunning
		if daemon != nil {
			err = daemon.AddMirror(ctx, mirror)
		}
		return func() {
			m.sources.Done()
			then(err)
			m.ask()
			m.render()
		}
	})
}

func removeCall(registry, name string) func(context.Context, page.Daemon) error {
	return func(ctx context.Context, d page.Daemon) error { return d.RemoveMirror(ctx, registry, name) }
}
