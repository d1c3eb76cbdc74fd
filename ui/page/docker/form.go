package docker

import (
	"context"
	"path/filepath"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/words"
)

// contextSheet is the form of a context, a new one or one that there is.
type contextSheet struct {
	desk  page.Desk
	was   *model.Context // nil: a new one
	taken []string
	done  func()

	name, host, about, mark *part.Entry
	colour                  *colourPick
	files                   [3]*filePick
	tls                     fyne.CanvasObject
	wrong                   *part.Text
	*part.Modal
}

// contextForm opens it. done is called when the context was made or changed.
func contextForm(d page.Desk, was *model.Context, taken []string, done func()) {
	s := &contextSheet{desk: d, was: was, taken: taken, done: done, wrong: part.NewMuted("").Giving()}
	form, title := model.ContextForm{Colour: "blue"}, lang.Say("docker.form.new")
	if was != nil {
		form, title = was.Form(), lang.Say("docker.form.edit", "Name", was.Name)
	}
	s.name = contextEntry(form.Name, "build-1")
	s.host = contextEntry(form.Host, "ssh://user@host")
	s.about = contextEntry(form.Description, "")
	s.mark = contextEntry(form.Mark, lang.Say("docker.form.mark.example"))
	s.colour = newColourPick(model.NamedColour(form.Colour))
	for i, kind := range []string{"ca", "cert", "key"} {
		s.files[i] = newFilePick(d, lang.Say("docker.form."+kind))
	}
	for e, key := range map[*part.Entry]string{s.name: "docker.form.name", s.host: "docker.form.host.label", s.about: "docker.form.about", s.mark: "docker.form.mark.label"} {
		e.Label = lang.Say(key)
	}
	s.host.OnChanged = func(string) { s.scheme() }
	s.wrong.Tint(fynetheme.ColorNameError)
	s.Modal = part.NewModal(title, "", fyne.NewSize(540, 470))
	s.tls = part.VBox(6, contextLine("docker.form.ca", s.files[0].root), contextLine("docker.form.cert", s.files[1].root), contextLine("docker.form.key", s.files[2].root))
	body := []fyne.CanvasObject{contextLine("docker.form.host.label", s.host), contextHint("docker.form.host.hint"), s.tls,
		contextLine("docker.form.about", s.about), contextLine("docker.form.mark.label", part.Border(nil, nil, nil, container.New(layout.NewCustomPaddedLayout(0, 0, 8, 0), part.Middle(s.colour.root)), s.mark)),
		contextHint("docker.form.mark.hint"), s.wrong}
	key := "docker.form.save"
	if was == nil {
		body, key = append([]fyne.CanvasObject{contextLine("docker.form.name", s.name)}, body...), "docker.form.create"
	}
	s.Space(7)
	s.scheme()
	s.wrong.Hide()
	s.Set(body, s.Cancel("docker.cancel"), part.NewMeant(lang.Say(key), s.submit))
	for _, e := range []*part.Entry{s.name, s.host, s.about, s.mark} {
		e.OnSubmitted = func(string) { s.submit() }
	}
	s.Open(d.Window())
	if was == nil {
		d.Window().Canvas().Focus(s.name)
	}
}

func contextEntry(text, example string) *part.Entry {
	e := part.NewEntry()
	e.SetText(text)
	e.SetPlaceHolder(example)
	return e
}

const contextLabel = 116

// contextLine is a field of the form: what it is, and where it is filled in.
func contextLine(key string, control fyne.CanvasObject) fyne.CanvasObject {
	label := part.NewText(lang.Say(key)).Giving()
	return part.Border(nil, nil, container.New(layout.NewGridWrapLayout(fyne.NewSize(contextLabel, 33)), part.Middle(label)), nil, control)
}

// contextHint is a sentence below a field.
func contextHint(key string) fyne.CanvasObject {
	return container.New(layout.NewCustomPaddedLayout(-3, 2, contextLabel+6, 0), part.NewMuted(lang.Say(key)).Giving())
}

// scheme shows what belongs to the kind of address.
func (s *contextSheet) scheme() {
	tcp := s.form().TCP()
	if tcp == s.tls.Visible() {
		return
	}
	part.Show(s.tls, tcp)
	s.Refit()
}

func (s *contextSheet) form() model.ContextForm {
	f := model.ContextForm{Name: s.name.Text, Host: s.host.Text, Description: s.about.Text, Mark: s.mark.Text, Colour: s.colour.chosen}
	f.CA, f.Cert, f.Key = s.files[0].path, s.files[1].path, s.files[2].path
	if !f.TCP() {
		f.CA, f.Cert, f.Key = "", "", ""
	}
	return f
}

func (s *contextSheet) submit() {
	f := s.form()
	if field, key := f.Wrong(s.taken); key != "" {
		s.say(lang.Say(key))
		if e := map[string]*part.Entry{"name": s.name, "host": s.host, "mark": s.mark}[field]; e != nil && e.Visible() {
			s.desk.Window().Canvas().Focus(e)
		}
		return
	}
	args := f.Create()
	if s.was != nil {
		if args = f.Update(*s.was); args == nil {
			s.Close()
			return
		}
	}
	tool := s.desk.Tool
	s.desk.Work(func(ctx context.Context) func() {
		err := tool.Run(ctx, nil, args...)
		return func() {
			switch {
			case err == nil:
				s.Close()
				s.saved(f)
				s.done()
			case s.Gone():
				s.desk.Toast(page.Toast{Text: words.Reason(err), Bad: true})
			default:
				s.say(words.Reason(err))
			}
		}
	})
}

// saved tells that it was, and warns of a door that is open to all.
func (s *contextSheet) saved(f model.ContextForm) {
	switch {
	case f.Open():
		s.desk.Toast(page.Toast{Text: lang.Say("docker.form.open", "Host", f.Host), Bad: true})
	case s.was == nil:
		s.desk.Toast(page.Toast{Text: lang.Say("docker.form.created", "Name", f.Name), Undo: s.drop})
	default:
		s.desk.Toast(page.Toast{Text: lang.Say("docker.form.saved", "Name", f.Name), Undo: s.restore})
	}
}

// drop undoes the making.
func (s *contextSheet) drop() { s.rerun([]string{"context", "rm", s.name.Text}) }

// restore undoes a change, certificates and all.
func (s *contextSheet) restore() { s.rerun([]string{"context", "undo", s.was.Name}) }

func (s *contextSheet) rerun(args []string) {
	tool := s.desk.Tool
	s.desk.Work(func(ctx context.Context) func() {
		err := tool.Run(ctx, nil, args...)
		return func() {
			if err != nil {
				s.desk.Toast(page.Toast{Text: words.Reason(err), Bad: true})
			}
			s.done()
		}
	})
}

func (s *contextSheet) say(text string) {
	s.wrong.Set(text)
	part.Show(s.wrong, text != "")
	s.Refit()
	s.End()
}

// filePick is a file that a person chooses.
type filePick struct {
	path string
	text *part.Text
	root fyne.CanvasObject
}

func newFilePick(d page.Desk, title string) *filePick {
	p := &filePick{text: part.NewMuted(lang.Say("docker.form.no_file")).Giving()}
	pick := part.NewButton(lang.Say("docker.form.choose"), func() {
		d.Files.Open(title, []string{".pem", ".crt", ".cer", ".key"}, func(path string) {
			p.path = path
			p.text.Set(filepath.Base(path))
		})
	}).Saying(lang.Say("docker.form.choose") + " " + title)
	p.root = part.Border(nil, nil, nil, pick, part.Middle(p.text))
	return p
}

// colourPick is a row of colours, one of them chosen.
type colourPick struct {
	chosen string
	spots  []*spot
	root   *fyne.Container
}

func newColourPick(chosen string) *colourPick {
	c := &colourPick{chosen: chosen, root: part.HBox(2)}
	for _, name := range model.Colours {
		s := &spot{name: name, label: lang.Say("docker.colour." + name)}
		s.tapped = func() { c.choose(s.name) }
		s.ExtendBaseWidget(s)
		c.spots = append(c.spots, s)
		c.root.Add(s)
	}
	c.choose(chosen)
	return c
}

func (c *colourPick) choose(name string) {
	c.chosen = name
	for _, s := range c.spots {
		if on := s.name == name; on != s.on {
			s.on = on
			s.Refresh()
		}
	}
}
