package settings

import (
	"context"
	"encoding/json"
	"net/url"
	"path/filepath"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/ui/lang"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/words"
)

// advancedCard leads to the settings' file, and to a diagnosis for whoever is asked for help.
type advancedCard struct {
	page     *Page
	file     *row
	diagnose *row
	copy     *part.Button
	busy     bool
	failed   string
	rows     []*row
}

func newAdvancedCard(s *Page) *advancedCard {
	c := &advancedCard{page: s}
	c.file = newRow("config", lang.Say("settings.file"), " ", part.HBox(8,
		part.NewButton(lang.Say("settings.file_open"), func() { c.visit(s.view.State.ConfigFile) }),
		part.NewButton(lang.Say("settings.file_reveal"), func() { c.visit(filepath.Dir(s.view.State.ConfigFile)) }),
	))
	c.copy = part.NewButton(lang.Say("settings.diagnosis_copy"), c.diagnosis)
	c.diagnose = newRow("diagnosis", lang.Say("settings.diagnosis"), lang.Say("settings.diagnosis_hint"), c.copy)
	c.rows = []*row{c.file, c.diagnose}
	return c
}

func (c *advancedCard) show() {
	file := c.page.view.State.ConfigFile
	c.file.explain(file)
	for _, o := range c.file.control.(*fyne.Container).Objects {
		part.Enable(o.(*part.Button), file != "")
	}
	part.Enable(c.copy, !c.busy && c.page.desk.Tool != nil)
	switch {
	case c.busy:
		c.diagnose.say(lang.Say("settings.diagnosis_runs"), widget.MediumImportance)
	case c.failed != "":
		c.diagnose.say(c.failed, widget.DangerImportance)
	default:
		c.diagnose.say("", widget.MediumImportance)
	}
}

// visit opens a file or folder with the desktop's own program for it.
func (c *advancedCard) visit(path string) {
	if path == "" {
		return
	}
	slashed := filepath.ToSlash(path)
	if slashed[0] != '/' {
		slashed = "/" + slashed // C:/… (RFC 8089, appendix E.2)
	}
	if err := fyne.CurrentApp().OpenURL(&url.URL{Scheme: "file", Path: slashed}); err != nil {
		c.page.desk.Toast(page.Toast{Text: lang.Say("settings.file_failed", "Path", path, "Reason", words.Reason(err)), Bad: true})
	}
}

// diagnosis has the doctor look and copies what it found, in which there are no secrets.
func (c *advancedCard) diagnosis() {
	if c.busy {
		return
	}
	c.busy, c.failed = true, ""
	c.page.render()
	c.page.desk.Work(func(ctx context.Context) func() {
		var report json.RawMessage
		err := c.page.desk.Tool.Run(ctx, &report, "doctor")
		return func() {
			c.busy = false
			if len(report) > 0 { // with findings, the doctor ends with an error
				c.page.desk.Copy(string(report))
				c.page.desk.Toast(page.Toast{Text: lang.Say("settings.diagnosis_done")})
			} else if err != nil {
				c.failed = words.Reason(err)
			}
			c.page.render()
		}
	})
}

// fixedRight gives a text at most a width, and puts it at the right of that.
func fixedRight(width float32, text *part.Text) fyne.CanvasObject {
	return container.New(rightmost(width), text)
}

type rightmost float32

func (w rightmost) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(float32(w), objects[0].MinSize().Height)
}

func (w rightmost) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	text := objects[0].(*part.Text)
	natural := fyne.MeasureText(text.Words(), fynetheme.SizeForWidget(text.Scale, text), text.Style)
	width := min(natural.Width+1, size.Width)
	objects[0].Resize(fyne.NewSize(width, size.Height))
	objects[0].Move(fyne.NewPos(size.Width-width, 0))
}

// loginID is the row of starting at login.
const loginID = "login"

// loginRow is whether the app starts at login.
type loginRow struct {
	page   *Page
	toggle *part.Switch
	row    *row
}

func newLoginRow(s *Page) *loginRow {
	l := &loginRow{page: s}
	l.toggle = part.NewSwitch(l.set)
	l.toggle.Label = lang.Say("settings.login")
	l.row = newRow(loginID, lang.Say("settings.login"), lang.Say("settings.login_hint"), l.toggle)
	return l
}

func (l *loginRow) ask() {
	login := l.page.Login
	if login == nil {
		return
	}
	l.page.desk.Work(func(context.Context) func() {
		on, err := login.Enabled()
		return func() { l.heard(on, err) }
	})
}

func (l *loginRow) heard(on bool, err error) {
	l.toggle.Set(on)
	if err != nil {
		l.row.say(words.Reason(err), widget.DangerImportance)
	} else {
		l.row.say("", widget.MediumImportance)
	}
}

// set writes it; a switch that was refused falls back.
func (l *loginRow) set(on bool) {
	login := l.page.Login
	l.page.desk.Work(func(context.Context) func() {
		err := login.Set(on)
		return func() {
			if err != nil {
				l.heard(!on, err)
				return
			}
			l.heard(on, nil)
		}
	})
}
