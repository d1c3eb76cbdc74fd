package mirrors

import (
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/tray"
	"pulley/ui/words"
)

// detail is what is said of one registry: its route, and its sources in order.
type detail struct {
	page *Page

	name, hosts *part.Text
	route       *part.Choice
	means       *part.SmallProse // what the route in force means
	heading     *part.Text       // of the sources: what their order is good for
	skeleton    fyne.CanvasObject

	sources *part.Reorder
	rows    map[model.Named]*row
	open    map[model.Named]bool // whose details are shown
	said    *part.Text           // the last move, in words

	fold       *part.Link // shows and hides the closed ones
	unfolded   bool
	closedRows *fyne.Container

	form     *form
	formCard fyne.CanvasObject
	root     *fyne.Container
}

func newDetail(m *Page) *detail {
	d := &detail{
		page: m, name: part.NewText("").Bold().Giving(), hosts: part.NewMuted("").Giving(), means: part.NewSmallProse(""), heading: part.NewText(""),
		rows: map[model.Named]*row{}, open: map[model.Named]bool{}, said: part.NewMuted(lang.Say("mirrors.hint")),
		skeleton: part.NewSkeleton(5), closedRows: part.VBox(0),
	}
	d.name.Scale = fynetheme.SizeNameSubHeadingText
	d.route = part.NewChoice(func(route string) {
		m.desk.Do(model.Action{Verb: model.SetRoute, Registry: m.chosen, Route: route})
	})
	d.sources = part.NewReorder(d.moved)
	d.sources.Head = d.headHeight()
	d.sources.Label = func(name string, place, of int) string {
		return lang.Say("mirrors.handle", "Name", name, "Place", place, "Of", of)
	}
	d.fold = part.NewLink("", func() { d.unfolded = !d.unfolded; d.show() })
	d.form = newForm(m, d.close)
	d.formCard = part.NewSheet(d.form.root)
	d.formCard.Hide()

	label := part.NewMuted(lang.Say("mirrors.route"))
	card := part.NewSheet(part.VBox(4,
		part.Between(part.VBox(1, d.name, d.hosts), part.Middle(part.HBox(6, part.Middle(label), part.Flush(4, d.route)))), d.means.Root))
	d.root = part.VBox(12, card, d.formCard, titled(d.heading, d.said,
		part.VBox(2, d.skeleton, d.sources, container.New(layout.NewCustomPaddedLayout(0, 0, closedInset+4, 0), container.NewHBox(d.fold)), d.closedRows)))
	return d
}

// headHeight is how high a row without its details is.
func (d *detail) headHeight() float32 {
	return newRow(d.page, model.Named{}).root.MinSize().Height
}

// show brings it to what is known.
func (d *detail) show() {
	r, known := d.page.registry()
	part.Show(d.root, known)
	if !known {
		return
	}
	d.name.Set(r.Name)
	d.hosts.Set(hostsOf(r))
	var options []part.Option
	for _, route := range tray.Routes(r) {
		options = append(options, part.Option{Value: route, Label: routeLabel(route, r.Best)})
	}
	d.route.Set(options, r.Route)
	d.route.Label = lang.Say("mirrors.route_of", "Registry", r.Name)
	d.means.Set(routeMeans(r))
	d.heading.Set(orderMeans(r))
	d.showSources(r.Name)
}

func hostsOf(r control.Registry) string {
	if len(r.Hosts) == 1 && r.Hosts[0] == r.Name {
		return lang.Say("mirrors.host_same")
	}
	text := ""
	for i, host := range r.Hosts {
		if i > 0 {
			text += ", "
		}
		text += host
	}
	return text
}

// routeLabel is a route as it is chosen; Automatic tells who is asked first now.
func routeLabel(route, best string) string {
	if route == "auto" && best != "" {
		return lang.Say("mirrors.auto_now", "Name", source(best))
	}
	return words.Route(route)
}

// routeMeans says what a route does.
func routeMeans(r control.Registry) string {
	switch r.Route {
	case "auto", "":
		return lang.Say("mirrors.means_auto")
	case "direct":
		return lang.Say("mirrors.means_direct")
	case "offline":
		return lang.Say("mirrors.means_offline")
	default:
		return lang.Say("mirrors.means_mirror", "Name", r.Route)
	}
}

// orderMeans says what the order of the sources is good for on a route.
func orderMeans(r control.Registry) string {
	switch r.Route {
	case "auto", "":
		return lang.Say("mirrors.order_auto")
	case "direct":
		return lang.Say("mirrors.order_direct")
	case "offline":
		return lang.Say("mirrors.order_offline")
	default:
		return lang.Say("mirrors.order_mirror", "Name", r.Route)
	}
}

func (d *detail) showSources(registry string) {
	origin, open, closed := d.page.sources.Of(registry)
	part.Show(d.skeleton, origin == nil && d.page.failed == "")
	var items []part.ReorderItem
	if origin != nil {
		items = append(items, part.ReorderItem{ID: origin.Name, Name: source(origin.Name), Fixed: true, Content: d.row(*origin).root})
	}
	for _, s := range open {
		items = append(items, part.ReorderItem{ID: s.Name, Name: s.Name, Fixed: s.Place == 0, Content: d.row(s).root})
	}
	if !d.sources.Holding() {
		d.sources.Set(items...)
	}
	d.showClosed(closed)
}

func (d *detail) showClosed(closed []control.Source) {
	part.Show(d.fold, len(closed) > 0)
	part.Show(d.closedRows, d.unfolded && len(closed) > 0)
	key := "mirrors.closed_show"
	if d.unfolded {
		key = "mirrors.closed_hide"
	}
	if text := lang.Say(key, "Count", len(closed)); d.fold.Words() != text {
		d.fold.Set(text)
	}
	var rows []fyne.CanvasObject
	if d.unfolded {
		for _, s := range closed {
			rows = append(rows, d.row(s).inset)
		}
	}
	part.Fill(d.closedRows, rows...)
}

// closedInset is how far rows without a handle stand in, to be in line with those that have one.
const closedInset = 22

// row is that of a source, brought to what is known of it.
func (d *detail) row(s control.Source) *row {
	of := model.Named{Registry: s.Registry, Name: s.Name}
	r := d.rows[of]
	if r == nil {
		r = newRow(d.page, of)
		d.rows[of] = r
	}
	r.show(s)
	return r
}

// showRow brings one row alone to what is known, for what changes often.
func (d *detail) showRow(of model.Named) {
	if s, found := d.page.sources.Find(of); found && d.rows[of] != nil {
		d.rows[of].show(s)
	}
}

// moved hears of a new order.
func (d *detail) moved(name string, names []string) {
	d.said.Set(lang.Say("mirrors.moved", "Name", name, "Place", slices.Index(names, name)+1, "Of", len(names)))
	d.page.reorder(d.page.chosen, names)
}

// toggle shows or hides the details of a source.
func (d *detail) toggle(of model.Named) {
	d.open[of] = !d.open[of]
	d.show()
	d.sources.Refresh()
	d.root.Refresh()
}

// edit opens the form: for a new mirror (nil), or for one that there is.
func (d *detail) edit(s *control.Source) {
	_, open, closed := d.page.sources.Of(d.page.chosen)
	var taken []string
	for _, other := range append(open, closed...) {
		taken = append(taken, other.Name)
	}
	d.formCard.Show() // what is hidden takes no focus
	d.form.begin(d.page.chosen, s, taken)
	d.root.Refresh()
	d.page.pane.follow(-d.sources.Position().Y-d.formCard.MinSize().Height, 0)
}

// close closes the form. Who was in it goes back to what opened it.
func (d *detail) close() {
	if d.formCard.Visible() {
		c := fyne.CurrentApp().Driver().CanvasForObject(d.page.root)
		inside := c != nil && d.form.has(c.Focused())
		d.formCard.Hide()
		if inside {
			c.Focus(d.opener())
		}
		d.root.Refresh()
	}
	d.said.Set(lang.Say("mirrors.hint"))
}

// opener is what opened the form.
func (d *detail) opener() fyne.Focusable {
	if amend := d.form.amend; amend != nil {
		if row := d.rows[model.Named{Registry: amend.Registry, Name: amend.Name}]; row != nil {
			return row.more
		}
	}
	return d.page.add
}

// reveal has a source be seen.
func (d *detail) reveal(name string) {
	if row := d.rows[model.Named{Registry: d.page.chosen, Name: name}]; row != nil {
		scrollTo(d.page.pane.shown, row.root, 0, row.root.MinSize().Height)
		row.flash()
	}
}

// differing is a source's colour for how it stands.
func differing(c model.Condition) fyne.ThemeColorName {
	switch c {
	case model.SourceWaits, model.SourceSpent, model.SourceDiffers:
		return fynetheme.ColorNameWarning
	default:
		return theme.Muted
	}
}

// titled puts a small heading over a card.
func titled(title *part.Text, aside fyne.CanvasObject, content fyne.CanvasObject) fyne.CanvasObject {
	title.Color, title.Scale = theme.Muted, theme.SizeSmall
	head := part.Between(title, aside)
	if aside == nil {
		head = container.NewStack(title)
	}
	return part.VBox(5, container.New(layout.NewCustomPaddedLayout(0, 0, 3, 3), head), part.NewSheet(content))
}
