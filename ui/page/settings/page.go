// Package settings is the page of config.toml, a row for each setting, and of what else belongs to this machine: addresses of
// hosts, ways out, the local CA, the background service and starting at login.
package settings

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/words"
)

// Page is the page of everything that stays as it was left.
type Page struct {
	// Login starts the app at login. To be set before the page is entered; nil: this desktop cannot.
	Login Login

	desk   page.Desk
	values model.Settings
	view   model.View
	now    time.Time
	front  bool
	asking bool
	asked  time.Time
	sought string

	controls map[string]*knob  // by key
	rows     map[string]*row   // by key or other name
	users    *part.Text        // who may come in
	room     func(bytes int64) // tells the slider of the cache how large it may be
	sections []*section
	login    *loginRow
	ways     *waysOut
	pins     *addressPins
	ca       *authorityCard
	service  *serviceCard
	advanced *advancedCard

	search  *part.Search
	nothing *part.Text
	jump    *part.Choice
	index   *fyne.Container
	scroll  *part.Scroll
	root    fyne.CanvasObject
}

// Login is whether the desktop app starts when the person logs in. Its calls may block.
type Login interface {
	Enabled() (bool, error)
	Set(on bool) error
}

// New makes the page.
func New(d page.Desk) *Page {
	s := &Page{desk: d, controls: map[string]*knob{}, rows: map[string]*row{}}
	s.login, s.ways, s.pins = newLoginRow(s), newWaysOut(s), newAddressPins(s)
	s.ca, s.service, s.advanced = newAuthorityCard(s), newServiceCard(s), newAdvancedCard(s)
	s.sections = []*section{
		s.section("general", lang.Say("settings.general"), s.keyed("tray.language", "tray.theme", "tray.notify"), s.login.row),
		s.section("address", lang.Say("settings.address"), s.keyed("listen", "access.allow"), s.usersRow(), s.keyedOne("access.private_offline")),
		s.section("cache", lang.Say("settings.cache"), s.keyed("cache.max_size", "cache.dir", "cache.tag_ttl", "cache.offline_stale", "cache.shared", "cache.shared_private")),
		s.section("fetching", lang.Say("settings.fetching"), s.keyed("fetch.connections", "fetch.range_min", "fetch.max_rate", "fetch.finish", "fetch.doh")),
		s.section("egress", lang.Say("settings.egress"), nil).with(s.ways.root, s.ways.add, s.ways.words),
		s.section("addresses", lang.Say("settings.addresses"), nil).with(s.pins.root, s.pins.add, s.pins.words),
		s.section("ca", lang.Say("settings.ca"), nil).with(s.ca.root, nil, s.ca.words),
		s.section("service", lang.Say("settings.service"), nil).with(s.service.root, nil, s.service.words),
		s.section("advanced", lang.Say("settings.advanced"), s.keyed("log.max_size"), s.advanced.rows...),
	}
	s.build()
	s.render()
	return s
}

// keyed are rows of settings of config.toml.
func (s *Page) keyed(keys ...string) (rows []*row) {
	for _, key := range keys {
		rows = append(rows, s.keyedOne(key))
	}
	return rows
}

func (s *Page) keyedOne(key string) *row {
	d, _ := model.FindSetting(key)
	var r *row
	wrong := func(is bool) {
		if r == nil {
			return
		}
		if is {
			r.say(lang.Say(fault(d)), widget.DangerImportance)
		} else {
			s.note(r)
		}
	}
	change := func(value string) { s.change(key, value) }
	var c *knob
	if key == "cache.max_size" {
		c, s.room = newSizeControl(d, change, wrong)
	} else {
		c = s.newSettingControl(d, change, wrong)
	}
	if key == "listen" {
		address := func() string { return s.values.Value(key) }
		c.object = part.HBox(4, part.Middle(part.NewCopy("", address, s.desk.Copy)), c.object)
	}
	r = newRow(key, label(key), hint(key), c.object)
	s.controls[key], s.rows[key] = c, r
	return r
}

// usersRow names those who may come from other machines.
func (s *Page) usersRow() *row {
	s.users = part.NewText("").Giving()
	r := newRow("access.users", lang.Say("settings.users"), lang.Say("settings.users_hint"), fixedRight(wide, s.users))
	return r
}

// build puts the sections under each other and the index beside them.
func (s *Page) build() {
	s.search = part.NewSearch(lang.Say("settings.search"), func(text string) { s.sought = text; s.filter() })
	s.nothing = part.NewMuted(lang.Say("settings.nothing"))
	s.jump = part.NewChoice(func(name string) { s.Take(name) })
	s.jump.Label = lang.Say("settings.jump")
	all, entries := part.VBox(22), part.VBox(1)
	for _, section := range s.sections {
		all.Add(section.root)
		entries.Add(section.entry)
	}
	all.Add(s.nothing)
	s.jump.Set(s.options(), s.sections[0].name)
	const margin = part.Margin
	s.scroll = part.NewScroll(container.New(layout.NewCustomPaddedLayout(0, margin, 0, margin), all))
	s.scroll.OnScrolled = func(fyne.Position) { s.mark() }
	s.index = entries
	head := part.NewPageHead(lang.Say("settings.title"), nil, s.jump, container.New(part.FixedWidth(220), s.search))
	s.root = container.New(layout.NewCustomPaddedLayout(part.PageTop, 0, margin, 0), part.Border(
		container.New(layout.NewCustomPaddedLayout(0, part.Gap, 0, margin), head), nil, nil, nil,
		container.New(&sides{page: s}, s.index, s.scroll)))
}

// Root is what to put into the window.
func (s *Page) Root() fyne.CanvasObject { return s.root }

// Show brings the page to what v says.
func (s *Page) Show(v model.View, now time.Time) {
	s.view, s.now = v, now
	s.render()
	if s.front && now.Sub(s.asked) >= page.Fresh {
		s.ask()
		if !s.ca.known { // there was no daemon to ask, perhaps
			s.ca.ask()
		}
		if !s.service.known {
			s.service.ask()
		}
	}
}

// Enter asks for what the page shows.
func (s *Page) Enter() {
	s.front = true
	s.ask()
	s.login.ask()
	s.ca.ask()
	s.service.ask()
}

// Leave stops asking.
func (s *Page) Leave() { s.front = false }

// Seek puts the focus into the search field.
func (s *Page) Seek() {
	if c := fyne.CurrentApp().Driver().CanvasForObject(s.search); c != nil {
		c.Focus(s.search)
	}
}

// Take leads to a setting by its key in config.toml, to a section, to a way out by its name, or to a host that has addresses.
func (s *Page) Take(thing string) {
	if s.sought != "" && !s.found(thing) {
		s.search.SetText("")
	}
	if r := s.rows[thing]; r != nil {
		s.reveal(r)
		r.flash()
		return
	}
	name := thing
	switch {
	case s.ways.has(thing):
		name = "egress"
	case s.pins.has(thing):
		name = "addresses"
	case thing != "" && thing == s.view.State.ConfigFile:
		name = "advanced"
	case thing != "" && thing == s.view.State.Cache.Dir:
		name = "cache"
	}
	for _, section := range s.sections {
		if section.name == name {
			s.reveal(section.root)
			section.entry.Flash()
			s.choose(section)
		}
	}
}

// Escape implements Layered: it closes a form that is open.
func (s *Page) Escape() bool {
	for _, f := range []*form{s.ways.form, s.pins.form} {
		if f.root.Visible() {
			f.close()
			return true
		}
	}
	return false
}

// found tells whether a section is among what is looked for.
func (s *Page) found(name string) bool {
	return slices.ContainsFunc(s.sections, func(one *section) bool { return one.name == name && one.root.Visible() })
}

// reveal scrolls to an object, with a little of what is above it.
func (s *Page) reveal(object fyne.CanvasObject) {
	driver := fyne.CurrentApp().Driver()
	at := driver.AbsolutePositionForObject(object).Y - driver.AbsolutePositionForObject(s.scroll.Content).Y
	s.scroll.ScrollToOffset(fyne.NewPos(0, min(max(at-4, 0), max(s.scroll.Content.MinSize().Height-s.scroll.Size().Height, 0))))
	s.mark()
}

// ask asks the daemon for all settings, ways out and addresses.
func (s *Page) ask() {
	daemon := s.desk.Daemon()
	if daemon == nil || s.asking {
		return
	}
	s.asking, s.asked = true, s.desk.Now()
	era := s.values.Ask()
	s.desk.Work(func(ctx context.Context) func() {
		values := map[string]string{}
		for key := range s.controls {
			if value, err := daemon.Setting(ctx, key); err == nil {
				values[key] = value
			}
		}
		ways, waysErr := daemon.Egresses(ctx)
		pins, pinsErr := daemon.Addresses(ctx)
		return func() {
			s.asking = false
			if len(values) > 0 && !s.values.Heard(era, values) {
				s.ask()
				return
			}
			s.ways.heard(ways, waysErr)
			s.pins.heard(pins, pinsErr)
			s.render()
		}
	})
}

// change has the daemon write a setting, shown as written at once.
func (s *Page) change(key, value string) {
	changed := s.values.Begin(key, value)
	s.render()
	if !changed {
		return
	}
	daemon := s.desk.Daemon()
	s.desk.Work(func(ctx context.Context) func() {
		err := model.ErrNotRunning
		if daemon != nil {
			err = daemon.SetSetting(ctx, key, value)
		}
		return func() {
			if err != nil {
				err = errors.New(words.Reason(err))
			}
			s.values.Done(key, err)
			s.ask()
			s.render()
		}
	})
}

// render brings everything to what is known.
func (s *Page) render() {
	cache := s.view.State.Cache
	if cache.Free >= 0 && cache.Dir != "" {
		s.room(cache.Size + cache.Free)
		s.rows["cache.max_size"].explain(lang.Say("settings.cache_room", "Used", words.Bytes(cache.Size), "Free", words.Bytes(cache.Free)))
	}
	who := strings.Join(s.view.State.Users, ", ")
	s.users.Set(cmp.Or(who, lang.Say("settings.users_none")))
	held := s.view.State.Held
	usable := s.values.Known() && s.desk.Daemon() != nil
	for key, c := range s.controls {
		c.show(s.values.Value(key), held[key] != "" || !usable)
		if c.check == nil || c.check() {
			s.note(s.rows[key])
		}
	}
	s.ways.show()
	s.pins.show()
	s.ca.show()
	s.service.show()
	s.advanced.show()
	s.filter()
}

// note says of a setting what there is to say: why it was refused, who holds it, or what follows.
func (s *Page) note(r *row) {
	key, state := r.id, s.view.State
	value := s.values.Value(key)
	switch holder := state.Held[key]; {
	case holder != "":
		r.say(lang.Say("settings.held", "Holder", holder), widget.MediumImportance)
	case s.values.Wrong(key) != "":
		r.say(lang.Say("settings.refused", "Reason", s.values.Wrong(key)), widget.DangerImportance)
	case key == "listen" && value != "" && state.Listen != "" && value != state.Listen:
		r.say(lang.Say("settings.listen_later", "Address", state.Listen), widget.WarningImportance)
	case key == "cache.dir" && value != "" && state.Cache.Dir != "" && value != state.Cache.Dir:
		r.say(lang.Say("settings.dir_later", "Folder", state.Cache.Dir), widget.WarningImportance)
	default:
		r.say("", widget.MediumImportance)
	}
}
