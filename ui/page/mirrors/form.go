package mirrors

import (
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// form asks for what makes a mirror, and says what is wrong with it as it is typed.
type form struct {
	page  *Page
	close func()

	registry string
	amend    *control.Source // nil: a new one
	taken    []string
	named    bool // a person chose the name: it does not follow the address any more
	touched  map[model.MirrorField]bool
	busy     bool
	on       bool // it is to be switched on when it is saved

	title                  *part.Text
	name, url, quota, auth *part.Input
	style                  *part.Segments
	tags, private          *part.Check // believe its tags; it may be told private names
	styleMeans, wrong      *part.Text
	cancel, save           *part.Button
	root                   fyne.CanvasObject
}

// styles are those of config.toml, in the order of the segments.
var styles = []string{"host", "prefix", "ns"}

func newForm(page *Page, closed func()) *form {
	f := &form{page: page, close: closed, touched: map[model.MirrorField]bool{}, title: part.NewText("").Bold().Giving(),
		styleMeans: part.NewMuted("").Giving(), wrong: part.NewMuted("").Giving()}
	f.wrong.Tint(fynetheme.ColorNameError)
	entry := func(field model.MirrorField, example string) *part.Input {
		e := part.NewInput(example)
		e.OnChanged = func(string) { f.touched[field] = true; f.typed(field) }
		e.Entered, e.Escaped = f.submit, f.close
		return e
	}
	f.url = entry(model.MirrorURL, "https://mirror.example.com")
	f.name = entry(model.MirrorName, "near")
	f.quota = entry(model.MirrorQuota, "10GiB/month")
	f.auth = entry(model.MirrorAuth, "env:MIRROR_TOKEN")
	f.style = part.NewSegments([]string{lang.Say("mirrors.form_host"), lang.Say("mirrors.form_prefix"), lang.Say("mirrors.form_ns")}, 0, func(int) { f.check() })
	f.style.Label = lang.Say("mirrors.fact_style")
	f.cancel = part.NewButton(lang.Say("mirrors.cancel"), f.close)
	f.save = part.NewButton("", f.submit)
	f.save.Importance = widget.HighImportance
	f.tags, f.private = part.NewCheck(lang.Say("mirrors.form_tags"), nil), part.NewCheck(lang.Say("mirrors.form_private"), nil)
	for e, key := range map[*part.Input]string{f.url: "mirrors.form_url", f.name: "mirrors.form_name", f.quota: "mirrors.fact_quota", f.auth: "mirrors.form_auth"} {
		e.Label = lang.Say(key)
	}
	form := container.New(&part.FormGrid{},
		part.FormLabel(lang.Say("mirrors.form_url"), ""), f.url,
		part.FormLabel(lang.Say("mirrors.form_name"), ""), f.name,
		part.FormLabel(lang.Say("mirrors.fact_style"), ""), part.VBox(4, container.NewHBox(f.style), f.styleMeans),
		part.FormLabel(lang.Say("mirrors.fact_quota"), lang.Say("mirrors.optional")), f.quota,
		part.FormLabel(lang.Say("mirrors.form_auth"), lang.Say("mirrors.optional")), f.auth,
		part.FormLabel(lang.Say("mirrors.fact_trust"), lang.Say("mirrors.optional")), container.New(layout.NewCustomPaddedLayout(0, 0, -tickMargin, 0), part.VBox(0,
			f.tags, ticked("mirrors.form_tags_means"), f.private, ticked("mirrors.form_private_means"))),
	)
	f.root = part.VBox(12, f.title, form, part.Border(nil, nil, nil, part.HBox(8, f.cancel, f.save), part.Middle(f.wrong)))
	return f
}

// has tells whether something is in the form.
func (f *form) has(o fyne.Focusable) bool {
	return slices.Contains([]fyne.Focusable{f.url, f.name, f.style, f.quota, f.auth, f.tags, f.private, f.cancel, f.save}, o)
}

// ticked is what a tick means, below its box and in line with its text.
func ticked(key string) fyne.CanvasObject {
	return container.New(layout.NewCustomPaddedLayout(-4, 4, tickIndent, 0), part.NewSmallProse(lang.Say(key)).Root)
}

// tickIndent is how far the text of a box to tick stands in, and tickMargin the box itself.
const tickIndent, tickMargin = 29, 6

// begin empties the form, or fills it with a mirror that there is.
func (f *form) begin(registry string, amend *control.Source, taken []string) {
	f.registry, f.amend, f.taken, f.named, f.busy, f.on = registry, amend, taken, amend != nil, false, false
	s := control.Source{Style: styles[0]}
	f.title.Set(lang.Say("mirrors.form_add", "Registry", registry))
	f.save.SetText(lang.Say("mirrors.form_add_do"))
	if amend != nil {
		s = *amend
		f.title.Set(lang.Say("mirrors.form_edit", "Name", s.Name, "Registry", registry))
		f.save.SetText(lang.Say("mirrors.form_edit_do"))
	}
	f.url.SetText(s.URL)
	f.name.SetText(s.Name)
	f.quota.SetText(s.QuotaSet)
	f.auth.SetText(s.Auth)
	f.tags.SetChecked(s.TrustTags)
	f.private.SetChecked(s.Private)
	part.Enable(f.name, amend == nil)
	for i, style := range styles {
		if style == s.Style {
			f.style.Set(i)
		}
	}
	clear(f.touched)
	f.check()
	if c := fyne.CurrentApp().Driver().CanvasForObject(f.page.root); c != nil {
		c.Focus(f.url)
	}
}

// mirror is what was typed.
func (f *form) mirror() control.Mirror {
	return control.Mirror{Registry: f.registry, Name: f.name.Text, URL: f.url.Text, Style: styles[f.style.Chosen()], Quota: f.quota.Text, Auth: f.auth.Text,
		TrustTags: f.tags.Checked, Private: f.private.Checked, Amend: f.amend != nil}
}

// typed follows what is typed; a new mirror's name is that of its host until a person gives it another.
func (f *form) typed(field model.MirrorField) {
	switch field {
	case model.MirrorURL:
		if !f.named {
			f.name.Propose(model.NameFrom(f.url.Text))
		}
	case model.MirrorName:
		f.named = f.name.Text != ""
	}
	f.check()
}

// check says the first thing that is wrong, once a person has been there.
func (f *form) check() {
	m := f.mirror()
	example := m.Registry + "/library/alpine"
	switch m.Style {
	case "host":
		f.styleMeans.Set(lang.Say("mirrors.means_host"))
	case "prefix":
		f.styleMeans.Set(lang.Say("mirrors.means_prefix", "Example", "/v2/"+example))
	default:
		f.styleMeans.Set(lang.Say("mirrors.means_ns", "Example", "?ns="+m.Registry))
	}
	field, fault := model.CheckMirror(m, f.taken, f.amend != nil)
	part.Enable(f.save, fault == model.NoFault && !f.busy)
	text := ""
	if f.touched[field] || fault != model.NameMissing && fault != model.URLMissing && fault != model.NoFault {
		text = faultText(fault, m)
	}
	f.wrong.Tint(fynetheme.ColorNameError)
	f.wrong.Set(text)
	for of, e := range map[model.MirrorField]*part.Input{model.MirrorURL: f.url, model.MirrorName: f.name, model.MirrorQuota: f.quota, model.MirrorAuth: f.auth} {
		e.Mark(of == field && text != "")
	}
}

// faultKeys are the texts of what can be wrong.
var faultKeys = map[model.MirrorFault]string{
	model.NameMissing: "mirrors.wrong_name_missing", model.NameWrong: "mirrors.wrong_name", model.NameTaken: "mirrors.wrong_name_taken",
	model.NameReserved: "mirrors.wrong_name_reserved", model.URLMissing: "mirrors.wrong_url_missing", model.URLWrong: "mirrors.wrong_url",
	model.URLSecret: "mirrors.wrong_url_secret", model.URLUnfilled: "mirrors.wrong_url_unfilled", model.QuotaWrong: "mirrors.wrong_quota",
	model.AuthWrong: "mirrors.wrong_auth", model.AuthIsSecret: "mirrors.wrong_auth_secret",
}

func faultText(fault model.MirrorFault, m control.Mirror) string {
	if key := faultKeys[fault]; key != "" {
		return lang.Say(key, "Name", m.Name, "Registry", m.Registry)
	}
	return ""
}

// submit hands the mirror to the daemon; what it has against it is said in the form.
func (f *form) submit() {
	m := f.mirror()
	if _, fault := model.CheckMirror(m, f.taken, f.amend != nil); fault != model.NoFault || f.busy {
		for _, field := range []model.MirrorField{model.MirrorName, model.MirrorURL} {
			f.touched[field] = true
		}
		f.check()
		return
	}
	f.busy = true
	f.wrong.Tint(theme.Muted)
	f.wrong.Set(lang.Say("mirrors.saving"))
	part.Enable(f.save, false)
	f.page.save(m, func(err error) {
		f.busy = false
		if err != nil {
			part.Enable(f.save, true)
			f.wrong.Tint(fynetheme.ColorNameError)
			f.wrong.Set(words.Reason(err))
			return
		}
		f.close()
		if f.on {
			f.page.switchTo(model.Named{Registry: m.Registry, Name: m.Name}, true)
		}
		if !m.Amend {
			f.page.desk.Toast(page.Toast{Text: lang.Say("mirrors.added", "Name", m.Name, "Registry", m.Registry), Undo: func() {
				f.page.change("mirrors.remove_failed", m.Name, removeCall(m.Registry, m.Name), nil)
			}})
		}
	})
}
